import type { RekeySummary } from "../core/backup/summary.ts";
import type { RekeyableArtifacts } from "../drivers/artifacts/artifacts.ts";
import { appendAudit } from "../engine/audit-log.ts";
import { SYSTEM } from "../engine/engine.ts";
import type { Database } from "../store/database.ts";
import { listTenants } from "../store/queries/tenant-list.ts";

export interface RekeyArtifactsOptions {
  database: Database;
  artifacts: RekeyableArtifacts;
  /** Names the key that seals from now on. */
  keyId: string;
  signal?: AbortSignal;
  nowMs(): number;
}

/**
 * Seals every tenant's artifacts anew with the present key. A tenant's audit log says so once its own are done, and how
 * many could not be opened; a call that finds nothing to do says nothing. Errors: `store-failed`.
 */
export async function rekeyArtifacts(options: RekeyArtifactsOptions): Promise<RekeySummary> {
  const { database, artifacts, keyId, signal, nowMs } = options;
  const tenants = await listTenants(database);
  const summary: RekeySummary = { keyId, tenants: tenants.length, moved: 0, damaged: [], foreign: 0 };
  for (const tenant of tenants) {
    const { moved, damaged } = await artifacts.rekey(tenant, signal);
    summary.moved += moved;
    summary.damaged.push(...damaged.map((digest) => ({ tenant, digest })));
    if (moved === 0 && damaged.length === 0) continue;
    await database.transaction((tx) =>
      appendAudit(tx, {
        ...{ tenant, atMs: nowMs(), actor: SYSTEM, action: "artifact.rekey", subject: `key:${keyId}` },
        outcome: damaged.length === 0 ? "accepted" : "failed",
        details: { keyId, count: moved, errors: damaged.length },
      }),
    );
  }
  // A damaged one is told by name; what is left beside it belongs to nobody who is known.
  summary.foreign = (await artifacts.countForeign(tenants)) - summary.damaged.length;
  return summary;
}
