import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { exportVerifier } from "../../../core/audit/export.ts";
import { failed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";
import { fileError, pathOf } from "../files.ts";

/**
 * Saves the log. What comes is verified as it passes. A log that does not verify is kept, since it is what has to be
 * looked at, and ends the command with exit code 1; one whose connection was cut is removed.
 */
export async function auditExport(context: CommandContext): Promise<number> {
  const client = await context.client();
  const file = context.text("out");
  const verifier = exportVerifier();
  const passing = async function* () {
    for await (const chunk of client.exportAudit()) {
      verifier.push(chunk);
      yield chunk;
    }
  };
  if (file === undefined) for await (const chunk of passing()) await context.io.out(chunk);
  else await save(context, file, passing());
  const verdict = verifier.finish();
  if (!verdict.ok) throw failed(`the log that came does not verify, line ${verdict.at.line}: ${verdict.reason}`);
  const { size, rootHash } = verdict;
  if (file !== undefined)
    await context.show({ file, size, rootHash }, () => `wrote ${file}: ${size} entries, head ${size}:${rootHash}\n`);
  return EXIT.ok;
}

async function save(context: CommandContext, file: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const path = pathOf(context, file);
  const target = createWriteStream(path, { flags: "wx", mode: 0o600 });
  const opened = new Promise<void>((resolve, reject) => target.once("open", () => resolve()).once("error", reject));
  try {
    await opened;
  } catch (error) {
    throw fileError(error, { file, where: "-O" });
  }
  try {
    await pipeline(Readable.from(chunks), target);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}
