import { verifyEntryProof } from "../../../core/audit/proof.ts";
import { parseVerifierKeys } from "../../../core/audit/verifier-key.ts";
import { failed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";
import { writeNewFile } from "../files.ts";
import { printable } from "../printable.ts";

/** Proofs of the entries about a subject; with a file to write, one rollout's whole story for a third party. */
export async function auditProve(context: CommandContext): Promise<number> {
  const file = context.text("out");
  return file === undefined ? proveEntries(context) : writeProof(context, file);
}

/** Asks for the proofs and verifies each of them here: the server's word alone would prove nothing. */
async function proveEntries(context: CommandContext): Promise<number> {
  const subject = context.argument(0);
  const client = await context.client();
  const answer = await client.call("audit.prove", { params: { subject } });
  for (const entry of answer.entries) {
    const verdict = verifyEntryProof(entry, { size: answer.size, rootHash: answer.root });
    if (!verdict.ok) throw failed(`the proof of entry ${entry.position} does not hold: ${verdict.reason}`);
  }
  await context.show(answer, () => {
    const lines = answer.entries.map(({ position, entry }) => `entry ${position}  ${printable(entry)}\n`);
    return `${lines.join("")}${answer.entries.length} of ${answer.size} entries are about ${printable(subject)}; each was proved against head ${answer.size}:${answer.root}\n`;
  });
  return EXIT.ok;
}

/** What is written was verified here, by the keys that the server says are the log's: whoever reads it has his own. */
async function writeProof(context: CommandContext, file: string): Promise<number> {
  const client = await context.client();
  const { rollout, proof } = await client.call("audit.prove-rollout", { params: { id: context.argument(0) } });
  const { keys } = await client.call("audit.keys", {});
  const parsed = parseVerifierKeys(keys.map(({ vkey }) => vkey).join("\n"));
  if (!parsed.ok) throw failed(`the server's keys cannot be read: ${parsed.problem.message}`);
  const { verifyRolloutProof } = await import("../../../core/audit/verify-rollout-proof.ts");
  const verdict = verifyRolloutProof(Buffer.from(proof, "utf8"), parsed.value);
  if (!verdict.ok) throw failed(`the proof that came does not hold at ${verdict.at}: ${verdict.reason}`);
  await writeNewFile(context, { file, text: proof, where: "-O" });
  const { proved, notProved, checkpoint } = verdict.story;
  const written = { file, rollout, size: checkpoint.size, proved: proved.length, notProved };
  await context.show(written, () => {
    const missing = notProved.map((line) => `not proved  ${printable(line)}\n`).join("");
    return `wrote ${file}: ${proved.length} things are proved of ${printable(rollout)}, in a log of ${checkpoint.size} entries\n${missing}`;
  });
  return EXIT.ok;
}
