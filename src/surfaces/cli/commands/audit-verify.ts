import { createReadStream } from "node:fs";
import { type ExportVerdict, exportVerifier, type TreeHead } from "../../../core/audit/export.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";
import { fileError, pathOf } from "../files.ts";

export async function auditVerify(context: CommandContext): Promise<number> {
  return context.args.length === 0 ? verifyOnServer(context) : verifyCopy(context);
}

async function verifyCopy(context: CommandContext): Promise<number> {
  const file = context.argument(0);
  const verdict = await readCopy(context, file, context.list("head").map(treeHead));
  await context.show(verdict, () => `${verdictWords(context, verdict)}\n`);
  return verdict.ok ? EXIT.ok : EXIT.failed;
}

/** Read as it streams: a log may be larger than memory. */
async function readCopy(context: CommandContext, file: string, trustedHeads: TreeHead[]): Promise<ExportVerdict> {
  const verifier = exportVerifier({ trustedHeads });
  const source = file === "-" ? context.io.stdin : createReadStream(pathOf(context, file));
  try {
    for await (const chunk of source) verifier.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  } catch (error) {
    throw fileError(error, { file, where: "the copy" });
  }
  return verifier.finish();
}

function treeHead(text: string): TreeHead {
  const match = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text);
  if (match === null)
    throw malformed("bad head", "--head", "must be SIZE:ROOT with 64 hexadecimal digits, as `audit verify` printed it");
  return { size: Number(match[1]), rootHash: match[2] ?? "" };
}

function verdictWords(context: CommandContext, verdict: ExportVerdict): string {
  if (verdict.ok)
    return `${context.paint.good("VERIFIED")}  ${verdict.size} entries of ${verdict.tenant}, head ${verdict.size}:${verdict.rootHash}`;
  const { line, entry, byteOffset } = verdict.at;
  const place = `line ${line}${entry === null ? "" : `, entry ${entry}`}, byte ${byteOffset}`;
  return `${context.paint.bad("CHANGED")}  ${place}: ${verdict.reason}`;
}

async function verifyOnServer(context: CommandContext): Promise<number> {
  const client = await context.client();
  const verdict = await client.call("audit.verify", {});
  const { size, root, problem } = verdict;
  await context.show(verdict, () =>
    verdict.ok
      ? `${context.paint.good("VERIFIED")}  ${size} entries on the server, head ${size}:${root}\n`
      : `${context.paint.bad("CHANGED")}  entry ${problem?.position ?? "?"}: ${problem?.message ?? "the log does not fit its head"}\n`,
  );
  return verdict.ok ? EXIT.ok : EXIT.failed;
}
