import { parseCheckpointText } from "../core/audit/checkpoint.ts";
import { parseSignedNote } from "../core/audit/signed-note.ts";
import { ContinuumError } from "../core/error.ts";
import { listCheckpoints } from "../store/queries/audit-checkpoints.ts";
import { type NotaryParts, originOf } from "./audit-parts.ts";
import { type AuditVerification, type KnownHead, verifyAudit } from "./audit-verify.ts";

export interface AuditVerificationWithHeads extends AuditVerification {
  checkpoints: {
    /** Of those that lie in the database. */
    signed: number;
    /** Of those in the archives that can be read from here. */
    archived: number;
    /** Archived ones of before a restore that tell of more than the backup held: what they name is lost. */
    beforeRestore: number;
  };
}

const BATCH = 500;

/**
 * `verifyAudit` against every checkpoint that was signed of the log, in the database and in the archives. Errors:
 * `archive-unavailable` when one that keeps them cannot be read: without it nobody would miss what it says.
 */
export async function verifyWithCheckpoints(parts: NotaryParts, tenant: string): Promise<AuditVerificationWithHeads> {
  const signed = await signedHeads(parts, tenant);
  const { archived, beforeRestore } = await archivedHeads(parts, tenant, signed);
  const verified = await verifyAudit(parts.database, tenant, [...signed, ...archived]);
  return { ...verified, checkpoints: { signed: signed.length, archived: archived.length, beforeRestore } };
}

interface SignedHead extends KnownHead {
  origin: string;
}

async function signedHeads({ database }: NotaryParts, tenant: string): Promise<SignedHead[]> {
  const heads: SignedHead[] = [];
  for (let after: { origin: string; size: number } | undefined; ; ) {
    const rows = await listCheckpoints(database, { tenant, limit: BATCH, ...(after === undefined ? {} : { after }) });
    for (const row of rows) heads.push(headOf(row, `the signed checkpoint of ${row.size} entries`));
    const last = rows.at(-1);
    if (last === undefined || rows.length < BATCH) return heads;
    after = { origin: last.origin, size: last.size };
  }
}

async function archivedHeads(
  { database, checkpoints }: NotaryParts,
  tenant: string,
  signed: readonly SignedHead[],
): Promise<{ archived: SignedHead[]; beforeRestore: number }> {
  const present = await originOf(database, tenant);
  const archived: SignedHead[] = [];
  let beforeRestore = 0;
  for (const archive of checkpoints.archives)
    for (const origin of new Set([present, ...signed.map((head) => head.origin)])) {
      // What an older log signed after the backup that was restored lies in no database any more.
      const most = signed.reduce((size, head) => (head.origin === origin ? Math.max(size, head.size) : size), 0);
      for await (const { size, note } of archive.kept(origin))
        if (origin !== present && size > most) beforeRestore += 1;
        else archived.push(headOf({ origin, size, note }, `the checkpoint of ${size} entries in the ${archive.name}`));
    }
  return { archived, beforeRestore };
}

function headOf({ origin, size, note }: { origin: string; size: number; note: Uint8Array }, what: string): SignedHead {
  const parsed = parseSignedNote(note);
  const checkpoint = parsed.ok ? parseCheckpointText(parsed.value.text) : parsed;
  // What it says it is and what its name says are one: else the log does not fit it, whatever it holds.
  if (!checkpoint.ok || checkpoint.value.origin !== origin || checkpoint.value.size !== size)
    throw new ContinuumError("audit-broken", `${what} of the log is damaged: it is no checkpoint of that size.`);
  return { origin, size, rootHash: checkpoint.value.rootHash, what };
}
