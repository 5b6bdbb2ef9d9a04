import { createReadStream } from "node:fs";
import { tenantOfOrigin } from "../../../core/audit/checkpoint.ts";
import { type ExportVerdict, exportVerifier, type TreeHead } from "../../../core/audit/export.ts";
import { looksLikeRolloutProof } from "../../../core/audit/rollout-proof.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";
import { fileError, pathOf } from "../files.ts";
import { type KeptCheckpoint, keptCheckpoints, trustedKeys } from "./audit-trusted.ts";

/** Checks the server's log, a copy of a log, or the proof of a rollout: which it is, the file says. */
export async function auditVerify(context: CommandContext): Promise<number> {
  if (context.args.length > 0) return verifyFile(context);
  for (const option of ["key", "checkpoint", "head"])
    if (context.list(option).length > 0)
      throw malformed("no file", `--${option}`, "must go with a file made by `audit export` or `audit prove`");
  return verifyOnServer(context);
}

async function verifyFile(context: CommandContext): Promise<number> {
  const file = context.argument(0);
  context.list("head").forEach(treeHead); // what is wrong on the command line is said before anything is read
  const source = file === "-" ? context.io.stdin : createReadStream(pathOf(context, file));
  const chunks = bytesOf(source, file)[Symbol.asyncIterator]();
  const first = await chunks.next();
  const rest = { [Symbol.asyncIterator]: () => chunks };
  if (first.done !== true && looksLikeRolloutProof(first.value)) {
    const { verifyProofFile } = await import("./audit-verify-proof.ts");
    return verifyProofFile(context, [first.value, ...(await Array.fromAsync(rest))]);
  }
  return verifyCopy(context, first.done === true ? [] : [first.value], rest);
}

async function* bytesOf(source: AsyncIterable<string | Uint8Array>, file: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of source) yield typeof chunk === "string" ? Buffer.from(chunk) : chunk;
  } catch (error) {
    throw fileError(error, { file, where: "the copy" });
  }
}

/** Read as it streams: a log may be larger than memory. */
async function verifyCopy(
  context: CommandContext,
  first: readonly Uint8Array[],
  rest: AsyncIterable<Uint8Array>,
): Promise<number> {
  const kept = await checkpointsOf(context);
  const refused = kept.find((one) => !one.ok);
  if (refused !== undefined) return showRefused(context, refused.file, refused.reason);
  const opened = kept.flatMap((one) => (one.ok ? [one.opened] : []));
  const trustedHeads = [...context.list("head").map(treeHead), ...opened.map(({ checkpoint }) => checkpoint)];
  const tenants = new Set(opened.map(({ checkpoint }) => tenantOfOrigin(checkpoint.origin)));
  const [tenant] = tenants;
  if (tenants.size > 1) throw malformed("checkpoints of several logs", "--checkpoint", "must be of one tenant's log");
  const verifier = exportVerifier({ trustedHeads, ...(tenant === undefined ? {} : { tenant }) });
  for (const chunk of first) verifier.push(chunk);
  for await (const chunk of rest) verifier.push(chunk);
  const verdict = verifier.finish();
  const witnesses = new Set(opened.flatMap(({ witnessedBy }) => witnessedBy.map(({ name }) => name)));
  const checkpoints = { verified: opened.length, witnesses: [...witnesses].sort() };
  await context.show({ ...verdict, checkpoints }, () => {
    const grown = verdict.ok && opened.length > 0 ? `${grownWords(opened.length, checkpoints.witnesses)}\n` : "";
    return `${verdictWords(context, verdict)}\n${grown}`;
  });
  return verdict.ok ? EXIT.ok : EXIT.failed;
}

async function checkpointsOf(context: CommandContext): Promise<KeptCheckpoint[]> {
  if (context.list("checkpoint").length === 0) return [];
  const keys = await trustedKeys(context);
  if (keys.length === 0)
    throw malformed("no key", "--checkpoint", "must go with --key: a checkpoint that nobody verifies says nothing");
  return keptCheckpoints(context, keys);
}

async function showRefused(context: CommandContext, file: string, reason: string): Promise<number> {
  const message = `the checkpoint ${reason}`;
  await context.show(
    { ok: false, file, reason: message },
    () => `${context.paint.bad("REFUSED")}  ${file}: ${message}\n`,
  );
  return EXIT.failed;
}

function grownWords(count: number, witnesses: readonly string[]): string {
  const seen = witnesses.length === 0 ? "" : `, witnessed by ${witnesses.join(", ")}`;
  return `GREW      out of each of ${count} signed ${count === 1 ? "checkpoint" : "checkpoints"}${seen}`;
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
  const { size, root, problem, checkpoints } = verdict;
  const { signed, archived, beforeRestore } = checkpoints;
  const lost =
    beforeRestore === 0
      ? ""
      : `${context.paint.bad("LOST")}      ${beforeRestore} checkpoints in the archive tell of entries that a restored backup did not hold\n`;
  await context.show(verdict, () =>
    verdict.ok
      ? `${context.paint.good("VERIFIED")}  ${size} entries on the server, head ${size}:${root}\n          against ${signed} signed checkpoints and ${archived} in archives\n${lost}`
      : `${context.paint.bad("CHANGED")}  entry ${problem?.position ?? "?"}: ${problem?.message ?? "the log does not fit its head"}\n`,
  );
  return verdict.ok ? EXIT.ok : EXIT.failed;
}
