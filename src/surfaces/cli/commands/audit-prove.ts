import { verifyEntryProof } from "../../../core/audit/proof.ts";
import { failed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";
import { printable } from "../printable.ts";

/** Asks for the proofs and verifies each of them here: the server's word alone would prove nothing. */
export async function auditProve(context: CommandContext): Promise<number> {
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
