import type { Rollout } from "../../src/core/rollout/rollout.ts";
import type { Effect } from "../../src/drivers/target/target.ts";
import type { SimulatedClock } from "./simulated-clock.ts";
import type { SimulatedHost } from "./simulated-host.ts";
import type { Tally } from "./tally.ts";
import type { TinyEngine } from "./tiny-engine.ts";
import type { UnreliableNetwork } from "./unreliable-network.ts";
import { GUARD } from "./version-of.ts";

export interface ReconcilerParts {
  engine: TinyEngine;
  host: SimulatedHost;
  network: UnreliableNetwork;
  clock: SimulatedClock;
  tally: Tally;
  stopped: () => boolean;
}

const LOOK_MS = 2_000;

/**
 * Brings targets to what is wanted where nothing is under way, as the engine's own does: after a rollback that failed
 * for good, a candidate may still take its share, or a version serve that nobody accepted.
 */
export async function reconcile(parts: ReconcilerParts): Promise<void> {
  const { engine, clock, stopped } = parts;
  while (!stopped()) {
    await clock.sleep(LOOK_MS);
    for (const rollout of onePerEndpoint(engine)) {
      if (engine.down || engine.holder(rollout) !== undefined) continue;
      await healed(parts, rollout).catch((error: unknown) => {
        // A call that went wrong is tried again at the next look; a broken rule stops the run elsewhere.
        if (!(error instanceof Error)) throw error;
      });
    }
  }
}

async function healed({ engine, host, network, tally }: ReconcilerParts, { tenant, endpoint }: Rollout): Promise<void> {
  const served = host.served({ tenant, endpoint });
  const wanted = engine.desired.get(endpoint.name);
  if (served?.stable?.variant === wanted?.variant && (served?.candidate ?? null) === null) return;
  engine.generation += 1;
  const { generation } = engine;
  const effect = (step: string): Effect => ({
    ...{ tenant, endpoint, generation, idempotencyKey: `reconcile/${generation}/${step}` },
  });
  if (wanted === undefined) await network.call(() => host.target.remove(effect("remove")));
  else if (served?.stable?.variant !== wanted.variant) {
    await network.call(() => host.target.provision(effect("provision"), wanted));
    await network.call(() => host.target.shift(effect("shift"), { percent: 100, guard: GUARD }));
    await network.call(() => host.target.promote(effect("promote")));
  } else {
    const sha256 = engine.rollout(served.candidate?.variant ?? "").snapshot?.sha256 ?? "";
    const bytes = engine.snapshots.get(sha256);
    if (bytes === undefined) throw new Error("the snapshot is not there");
    await network.call(() => host.target.rollback(effect("rollback"), bytes));
  }
  tally.add("reconciled");
}

function onePerEndpoint(engine: TinyEngine): Iterable<Rollout> {
  return new Map([...engine.rollouts.values()].map((rollout) => [rollout.endpoint.name, rollout])).values();
}
