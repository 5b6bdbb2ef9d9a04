import type { CommandContext } from "./command-context.ts";
import { writeNewFile } from "./files.ts";

/** Ends `sign` and `attest`: the bundle goes to the file that `-o` names, else to standard output. */
export async function giveBundle(
  context: CommandContext,
  options: { bundle: string; words: string; facts: Record<string, unknown> },
): Promise<void> {
  const file = context.text("outputFile");
  if (file === undefined) {
    await context.io.out(options.bundle.endsWith("\n") ? options.bundle : `${options.bundle}\n`);
    return;
  }
  await writeNewFile(context, { file, text: options.bundle, where: "-o" });
  await context.show({ file, ...options.facts }, () => `wrote ${file}: ${options.words}\n`);
}
