import { ContinuumError } from "../core/error.ts";
import type { Archive } from "../drivers/archive/archive.ts";
import {
  claimPublications,
  endPublication,
  failPublication,
  nextPublicationAt,
  type PublicationRow,
  passOverOlder,
} from "../store/queries/audit-checkpoints.ts";
import type { NotaryParts } from "./audit-parts.ts";
import { ensureNodes, nodeReader, proveConsistency } from "./audit-tree.ts";

/** After this another worker makes a publication that nobody ended; above the longest that one takes. */
const LEASE_MS = 60_000;
const AT_ONCE = 20;
const FIRST_RETRY_MS = 2_000;
const LAST_RETRY_MS = 15 * 60_000;

export interface PublicationResult {
  archive: string;
  result: "published" | "unavailable" | "refused" | "conflict";
}

/**
 * Gives the archives the checkpoints that they lack. What fails is tried again ever more seldom, for good: whoever is
 * lost for a week gets what it missed. `conflict` alone ends it, for an archive that knows another story of the log is
 * what all of this is for. Answers when the next one is due; null when none waits.
 */
export async function publishCheckpoints(
  parts: NotaryParts,
  onResult: (result: PublicationResult) => void = () => undefined,
): Promise<Date | null> {
  const archives = new Map(parts.checkpoints.archives.map((archive) => [archive.name, archive]));
  const names = [...archives.keys()];
  for (;;) {
    const now = new Date(parts.nowMs());
    const how = { now, leaseMs: LEASE_MS, limit: AT_ONCE, archives: names };
    const claimed = await claimPublications(parts.database, how);
    const lost = new Set<string>();
    for (const publication of claimed) {
      const archive = archives.get(publication.archive);
      if (archive === undefined) continue;
      const isLost = lost.has(archive.name);
      const result = isLost
        ? await postpone(parts, publication)
        : await publish(parts, { archive, publication, claimed });
      if (result === "unavailable") lost.add(archive.name);
      if (!isLost && result !== null) onResult({ archive: archive.name, result });
    }
    if (claimed.length < AT_ONCE) return nextPublicationAt(parts.database, names);
  }
}

async function publish(
  parts: NotaryParts,
  {
    archive,
    publication,
    claimed,
  }: { archive: Archive; publication: PublicationRow; claimed: readonly PublicationRow[] },
): Promise<PublicationResult["result"] | null> {
  const { tenant, origin, size, note, lastSize } = publication;
  const isOvertaken = claimed.some((other) => isSameLog(other, publication) && other.size > size);
  // It goes by with the newer one, which is in hand already.
  if (!archive.keepsAll && isOvertaken) return null;
  await ensureNodes(parts.database, tenant, size);
  const read = nodeReader(parts.database, tenant);
  const prove = (earlier: number) => proveConsistency(read, { earlier, later: size });
  try {
    const { cosignatures } = await archive.publish({ origin, size, note, lastSize, prove });
    await endPublication(parts.database, publication, { at: new Date(parts.nowMs()), cosignatures });
    if (!archive.keepsAll) await passOverOlder(parts.database, publication);
    return "published";
  } catch (error) {
    return fail(parts, publication, error);
  }
}

async function fail(
  parts: NotaryParts,
  publication: PublicationRow,
  error: unknown,
): Promise<PublicationResult["result"]> {
  const code = error instanceof ContinuumError ? error.code : "unknown";
  const { tenant, archive, attempts } = publication;
  const facts = { tenant, code, attempts, reason: `${archive}: ${error instanceof Error ? error.message : "unknown"}` };
  const isConflict = code === "archive-conflict";
  if (isConflict) parts.log.error("audit-archive-conflict", facts);
  else parts.log.warn("audit-publication-failed", facts);
  const again = isConflict ? null : new Date(parts.nowMs() + retryMs(attempts));
  await failPublication(parts.database, publication, { failure: code, again });
  if (isConflict) return "conflict";
  return code === "archive-refused" ? "refused" : "unavailable";
}

/** Whoever just was not there is not asked once more for each checkpoint. */
async function postpone(parts: NotaryParts, publication: PublicationRow): Promise<"unavailable"> {
  const again = new Date(parts.nowMs() + retryMs(publication.attempts));
  await failPublication(parts.database, publication, { failure: "archive-unavailable", again });
  return "unavailable";
}

const isSameLog = (a: PublicationRow, b: PublicationRow) =>
  a.tenant === b.tenant && a.archive === b.archive && a.origin === b.origin;

function retryMs(attempts: number): number {
  return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(20, attempts - 1));
}
