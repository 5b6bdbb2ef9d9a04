import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";

/** In the form that `--key` reads: one a line, and what they are of after a number sign. */
export async function auditKeys(context: CommandContext): Promise<number> {
  const client = await context.client();
  const answer = await client.call("audit.keys", {});
  await context.show(answer, () => {
    const of = (who: "log" | "witness") => answer.keys.filter((key) => key.of === who).map(({ vkey }) => `${vkey}\n`);
    const witnesses = of("witness");
    const seen = witnesses.length === 0 ? [] : ["# witnesses\n", ...witnesses];
    return [`# ${answer.origin}\n`, ...of("log"), ...seen].join("");
  });
  return EXIT.ok;
}
