import { stat } from "node:fs/promises";
import type { TableProfile } from "../../core/monitor/dataset/dataset-profiler.ts";
import { profileFile } from "../../tables/profile-file.ts";
import { malformed } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";
import { fileError, pathOf } from "./files.ts";

const CLEAR_LINE = "\r\u001b[2K";
const TICK_MS = 250;

/**
 * Goes once through a table that the user named, however large it is; on a terminal stderr tells how far it is. `labels`
 * are columns that are left out, and that the table must have.
 */
export async function profileTableFile(
  context: CommandContext,
  { file, where, labels }: { file: string; where: string; labels: readonly string[] },
): Promise<TableProfile> {
  const progress = progressLine(context);
  try {
    const path = pathOf(context, file);
    const status = await stat(path);
    if (!status.isFile()) throw malformed("not an ordinary file", `${where} ${file}`, "must be a file with a table");
    const read = await profileFile(path, { ignore: labels, answers: labels, onRead: progress.show });
    if (!read.ok)
      throw malformed(read.problem.message, `${where} ${file}`, "must be a table: CSV, JSON Lines or Parquet");
    const missing = labels.find((label) => !read.value.answers.names.includes(label));
    if (missing !== undefined)
      throw malformed(
        `no column ${JSON.stringify(missing.slice(0, 64))} in ${file}`,
        "--label",
        "must be a column of it",
      );
    return read.value;
  } catch (error) {
    throw fileError(error, { file, where });
  } finally {
    progress.end();
  }
}

function progressLine(context: CommandContext) {
  const isShown = context.io.stderrIsTerminal && !context.quiet && context.io.environment.variables["TERM"] !== "dumb";
  let shownMs = 0;
  let isDrawn = false;
  return {
    show({ readBytes, sizeBytes }: { readBytes: number; sizeBytes: number }) {
      const nowMs = performance.now();
      if (!isShown || nowMs - shownMs < TICK_MS) return;
      shownMs = nowMs;
      isDrawn = true;
      const share = sizeBytes === 0 ? 1 : readBytes / sizeBytes;
      context.io.err(`${CLEAR_LINE}read ${Math.floor(share * 100)} % of ${(sizeBytes / 1e6).toFixed(0)} MB`);
    },
    end() {
      if (isDrawn) context.io.err(CLEAR_LINE);
    },
  };
}
