import { type RolloutStory, verifyRolloutProof } from "../../../core/audit/verify-rollout-proof.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";
import { printable } from "../printable.ts";
import { textTable } from "../text-table.ts";
import { trustedKeys } from "./audit-trusted.ts";

/** Checks the proof of a rollout with nothing but the keys, and prints its story, what was proved and what was not. */
export async function verifyProofFile(context: CommandContext, chunks: readonly Uint8Array[]): Promise<number> {
  const keys = await trustedKeys(context);
  if (keys.length === 0)
    throw malformed(
      "no key",
      "--key",
      "must name the log's keys, as `audit keys` prints them: they prove all the rest",
    );
  const verdict = verifyRolloutProof(Buffer.concat(chunks), keys);
  await context.show(verdict, () =>
    verdict.ok
      ? storyText(context, verdict.story)
      : `${context.paint.bad("REFUSED")}  ${verdict.at === "" ? "the file" : verdict.at}: ${printable(verdict.reason)}\n`,
  );
  return verdict.ok ? EXIT.ok : EXIT.failed;
}

function storyText(context: CommandContext, story: RolloutStory): string {
  const { checkpoint, signedBy, witnessedBy } = story;
  const steps = textTable(
    story.steps,
    [
      { heading: "#", value: ({ position }) => position },
      { heading: "AT", value: ({ at }) => at },
      { heading: "WHO", value: ({ actor }) => actor },
      { heading: "DID", value: ({ action }) => action },
      { heading: "THEN", value: ({ phase }) => phase },
      { heading: "OUTCOME", value: ({ outcome }) => outcome },
    ],
    "no steps",
  );
  const signers = signedBy.map(({ type, keyId }) => `${type} ${keyId}`).join(", ");
  const witnesses = witnessedBy.map(
    ({ name, atSeconds }) => `          seen by ${printable(name)} at ${new Date(atSeconds * 1000).toISOString()}\n`,
  );
  const list = (mark: string, lines: readonly string[]) =>
    lines.map((line) => `${mark}  ${printable(line)}\n`).join("");
  return [
    `${context.paint.good("VERIFIED")}  rollout ${printable(story.rollout)} of ${story.tenant}${story.simulation ? " (simulation)" : ""}\n`,
    `          log ${printable(checkpoint.origin)}, ${checkpoint.size} entries, signed by ${signers}\n`,
    ...witnesses,
    `\n${steps}\n`,
    list("proved    ", story.proved),
    list("not proved", story.notProved),
  ].join("");
}
