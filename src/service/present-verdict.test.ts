import { expect, test } from "vitest";
import { Script, TO_FIRST_BAKE } from "../core/rollout/testing/rollouts.ts";
import { MemorySimulatedStore } from "../drivers/target/simulated/simulated-store.ts";
import { SimulatedTarget } from "../drivers/target/simulated/simulated-target.ts";
import { guardOf } from "../engine/version.ts";
import type { Database } from "../store/database.ts";
import { presentVerdict, withVerdict } from "./present-verdict.ts";

const rollout = new Script().happens(...TO_FIRST_BAKE).rollout;
const guard = guardOf(rollout.plan);

/** The plan has no monitor, so that nobody asks the database. */
const UNASKED = { database: undefined as unknown as Database, nowMs: Date.now };

/** A target that can be looked at without changing anything; `away` says when it does not answer. */
async function targets(percent: number, how: { away?: boolean; simulated?: boolean } = {}) {
  let away = false;
  const target = new SimulatedTarget({
    store: new MemorySimulatedStore(),
    nowMs: Date.now,
    behaviour: () => ({ outcome: "inconclusive", errorRate: 0, latencyMs: 1, trips: false }),
    faults: () => (away ? { kind: "time-out" } : undefined),
  });
  if (how.simulated !== true) Object.defineProperty(target, "simulated", { value: false });
  const at = { tenant: rollout.tenant, endpoint: rollout.endpoint };
  const version = { modelName: "m", modelVersion: "1", artifactDigest: "sha256:0", planDigest: "sha256:0" };
  const sized = { ...version, instanceType: "ml.m5.large", instanceCount: 1 };
  await target.provision({ ...at, generation: 1, idempotencyKey: "1" }, { ...sized, variant: "one" });
  await target.promote({ ...at, generation: 2, idempotencyKey: "2" });
  await target.provision({ ...at, generation: 3, idempotencyKey: "3" }, { ...sized, variant: rollout.id });
  await target.shift({ ...at, generation: 4, idempotencyKey: "4" }, { percent, guard });
  away = how.away === true;
  return { ...UNASKED, targets: new Map([["simulated", target] as const]) };
}

test("a bake is shown with what is measured now", async () => {
  expect(rollout.lastVerdict).toBeNull();
  const verdict = await presentVerdict(await targets(10), rollout);
  expect(verdict).toMatchObject({ outcome: "inconclusive", metrics: [{ metric: expect.any(String) }] });
  const shown = withVerdict(rollout, verdict);
  expect(shown.lastVerdict).toMatchObject({ outcome: "inconclusive", message: expect.stringMatching(/\w/) });
  expect({ ...shown, lastVerdict: null }).toEqual(rollout);
});

test("as it was recorded where the target is away, judges another share, or is simulated", async () => {
  for (const parts of [
    await targets(10, { away: true }),
    await targets(20),
    await targets(10, { simulated: true }),
    { ...UNASKED, targets: new Map() },
  ])
    expect(withVerdict(rollout, await presentVerdict(parts, rollout))).toBe(rollout);
});
