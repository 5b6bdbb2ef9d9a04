import type { CommandContext } from "./command-context.ts";
import { writeNewFile } from "./files.ts";

/** Ends what makes a text to keep: it goes to the file that `-o` names, else to standard output. */
export async function giveText(
  context: CommandContext,
  options: { text: string; words: string; facts: Record<string, unknown> },
): Promise<void> {
  const file = context.text("outputFile");
  if (file === undefined) {
    await context.io.out(options.text.endsWith("\n") ? options.text : `${options.text}\n`);
    return;
  }
  await writeNewFile(context, { file, text: options.text, where: "-o" });
  await context.show({ file, ...options.facts }, () => `wrote ${file}: ${options.words}\n`);
}
