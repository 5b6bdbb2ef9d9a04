import { assert } from "../core/error.ts";
import type { Rollout } from "../core/rollout/rollout.ts";
import type { VersionSpec } from "../drivers/target/target.ts";
import type { Transaction } from "../store/database.ts";
import { versionOf } from "./version.ts";

/** What a target should hold for an endpoint, kept in `endpoints.desired` so that it can be brought there again. */
export interface Desired {
  version: VersionSpec;
}

/**
 * The endpoint's row follows the rollout that succeeded. Called before the rollout's own row is saved, because its
 * reservation, which becomes what the endpoint costs, ends with it.
 */
export async function recordSuccess(tx: Transaction, rollout: Rollout, nowMs: number): Promise<void> {
  const { environment, target, name } = rollout.endpoint;
  const desired: Desired = { version: versionOf(rollout) };
  await tx.query(
    `UPDATE endpoints SET live_rollout = $5, live_plan_digest = $6, instance_count = $7, desired = $8, updated_at = $9,
       generation = greatest(generation, (SELECT last_value FROM effect_generation)),
       micro_usd_per_hour =
         (SELECT reserved_micro_usd_per_hour FROM rollouts WHERE rollouts.tenant = $1 AND rollouts.id = $5)
     WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4`,
    [
      ...[rollout.tenant, environment, target, name, rollout.id, rollout.planDigest],
      ...[rollout.plan.spec.compute.instanceCount, JSON.stringify(desired), new Date(nowMs)],
    ],
  );
}

/**
 * A snapshot that is taken again (after a pause) replaces the one before: a rollback goes to the newest. A local
 * endpoint belongs to the host whose serving process answered first: its jobs stay there from now on.
 */
export async function recordSnapshot(
  tx: Transaction,
  rollout: Rollout,
  from: { bytes: Uint8Array | undefined; host: string | undefined },
): Promise<void> {
  const { bytes, host } = from;
  assert(rollout.snapshot !== null && bytes !== undefined, "a snapshot that was taken comes with its bytes");
  const { environment, target, name } = rollout.endpoint;
  await tx.query(
    `INSERT INTO snapshots (tenant, rollout, sha256, bytes, empty, live_rollout, live_plan_digest)
     SELECT $1, $5, $6, $7, $8, live_rollout, live_plan_digest FROM endpoints
     WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4
     ON CONFLICT (tenant, rollout) DO UPDATE SET sha256 = excluded.sha256, bytes = excluded.bytes, empty = excluded.empty,
       live_rollout = excluded.live_rollout, live_plan_digest = excluded.live_plan_digest, taken_at = now()`,
    [
      ...[rollout.tenant, environment, target, name, rollout.id, rollout.snapshot.sha256],
      ...[Buffer.from(bytes), rollout.snapshot.empty],
    ],
  );
  if (target !== "local" || host === undefined) return;
  await tx.query(
    `UPDATE endpoints SET host = $5
     WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 AND host IS NULL`,
    [rollout.tenant, environment, target, name, host],
  );
}
