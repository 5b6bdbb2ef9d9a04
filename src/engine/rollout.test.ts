import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { SimulatedMethod } from "../drivers/target/simulated/simulated-fault.ts";
import { BROKEN, type EngineFixture, engineFixture, TENANT } from "./testing/engine-fixture.ts";

/** What one worker makes of a rollout, from the proposal to its end. */
let on: EngineFixture;

beforeAll(async () => {
  on = await engineFixture();
  await on.worker();
});
afterEach(() => {
  on.faults.plan = () => undefined;
});
afterAll(() => on.close());

async function noGaps(id: string): Promise<string[]> {
  const events = await on.events(id);
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
  return events.map(({ type }) => type);
}

test("a first version goes the whole way, and its endpoint says what serves", async () => {
  const { id } = await on.propose({ name: "flow-1", version: "1.1" });
  expect((await on.ended(id)).phase).toBe("Succeeded");
  expect(await noGaps(id)).toEqual([
    ...["proposed", "verified", "snapshot-taken", "gate-passed", "provisioned", "shifted", "watched", "promoted"],
  ]);
  const { rows } = await on.database.query(
    "SELECT live_rollout, instance_count, desired FROM endpoints WHERE name = 'flow-1'",
  );
  expect(rows).toMatchObject([
    { live_rollout: id, instance_count: 1, desired: { version: { variant: id, modelVersion: "1.1" } } },
  ]);
  expect((await on.database.query("SELECT 1 FROM jobs WHERE rollout = $1", [id])).rowCount).toBe(0);
  const status = await on.parts.targets
    .get("simulated")
    ?.describe({ tenant: TENANT, endpoint: (await on.rollout(id)).endpoint });
  expect(status?.variants).toMatchObject([{ variant: id, role: "stable", percent: 100 }]);
});

test("a second version bakes as a canary and is promoted; a third that fails rolls back to it", async () => {
  on.behaviour.set("2.3", BROKEN);
  await on.ended((await on.propose({ name: "flow-2", version: "2.1" })).id);
  const second = await on.propose({ name: "flow-2", version: "2.2", rollout: { bakeSeconds: 1 } });
  const baking = await on.until(second.id, ({ phase }) => phase === "Baking");
  expect(baking.weightPercent).toBe(10);
  expect((await on.ended(second.id)).phase).toBe("Succeeded");
  const third = await on.propose({ name: "flow-2", version: "2.3", rollout: { bakeSeconds: 60 } });
  const end = await on.ended(third.id);
  expect(end).toMatchObject({ phase: "RolledBack", reason: { code: "verdict" } });
  await noGaps(third.id);
  const { rows } = await on.database.query("SELECT live_rollout FROM endpoints WHERE name = 'flow-2'");
  expect(rows).toEqual([{ live_rollout: second.id }]);
  const status = await on.parts.targets.get("simulated")?.describe({ tenant: TENANT, endpoint: end.endpoint });
  expect(status?.variants).toMatchObject([{ variant: second.id, percent: 100 }]);
});

test("a signal in a bake ends the watch at once", async () => {
  const { id } = await on.propose({ name: "flow-3", rollout: { bakeSeconds: 600 } });
  await on.until(id, ({ phase }) => phase === "Baking");
  const startMs = Date.now();
  await on.signal(id, { type: "abort-requested", by: "olga" });
  expect(await on.ended(id)).toMatchObject({ phase: "RolledBack", reason: { code: "aborted" } });
  expect(Date.now() - startMs).toBeLessThan(1500);
});

test("a paused bake is watched on, is resumed, and can be cut short", async () => {
  await on.ended((await on.propose({ name: "flow-4", version: "4.1" })).id);
  const { id } = await on.propose({ name: "flow-4", version: "4.2", rollout: { bakeSeconds: 600 } });
  await on.until(id, ({ phase }) => phase === "Baking");
  await on.signal(id, { type: "paused", by: "olga" });
  expect(await on.rollout(id)).toMatchObject({
    phase: "Paused",
    pending: { command: { type: "watch", mode: "guard" } },
  });
  await on.signal(id, { type: "resumed", by: "olga" });
  expect((await on.rollout(id)).phase).toBe("Baking");
  await on.signal(id, { type: "promote-requested", by: "olga" });
  await on.until(id, ({ weightPercent, phase }) => phase === "Baking" && weightPercent === 100);
  await on.signal(id, { type: "promote-requested", by: "olga" });
  expect((await on.ended(id)).phase).toBe("Succeeded");
  await noGaps(id);
});

test("a canary that fails in a pause rolls back all the same", async () => {
  await on.ended((await on.propose({ name: "flow-5", version: "5.1" })).id);
  const { id } = await on.propose({ name: "flow-5", version: "5.2", rollout: { bakeSeconds: 600 } });
  await on.until(id, ({ phase }) => phase === "Baking");
  await on.signal(id, { type: "paused", by: "olga" });
  on.behaviour.set("5.2", BROKEN);
  expect(await on.ended(id)).toMatchObject({ phase: "RolledBack", reason: { code: "verdict" } });
});

test("an alarm that the plan names rolls back", async () => {
  const { id } = await on.propose({ name: "flow-6", rollout: { bakeSeconds: 600 } });
  await on.until(id, ({ phase }) => phase === "Baking");
  const { accepted } = await on.signal(id, { type: "alarm", name: "DataDriftAlarm", message: "drift" });
  expect(accepted).toBe(true);
  expect(await on.ended(id)).toMatchObject({ phase: "RolledBack", reason: { code: "alarm" } });
});

test("the deadline is kept by the timer on the rollout's row", async () => {
  const { id } = await on.propose({ name: "flow-7", rollout: { bakeSeconds: 600, deadlineSeconds: 1 } });
  expect(await on.ended(id)).toMatchObject({ phase: "RolledBack", reason: { code: "deadline" } });
});

test("superseding rolls back what runs and then starts the newer one", async () => {
  const first = await on.propose({ name: "flow-8", version: "8.1", rollout: { bakeSeconds: 600 } });
  await on.until(first.id, ({ phase }) => phase === "Baking");
  const second = await on.propose({ name: "flow-8", version: "8.2" }, { supersede: true });
  expect(second.phase).toBe("Queued");
  expect(await on.ended(first.id)).toMatchObject({ phase: "RolledBack", reason: { code: "superseded" } });
  expect((await on.ended(second.id)).phase).toBe("Succeeded");
});

test("a dry run ends without an effect", async () => {
  const calls: SimulatedMethod[] = [];
  on.faults.plan = ({ method }) => void calls.push(method);
  const { id } = await on.propose({ name: "flow-9", dryRun: true });
  expect((await on.ended(id)).phase).toBe("DryRunCompleted");
  expect(calls).toEqual([]);
});

test("an error that may pass is tried again; the effect whose answer was lost is not done twice", async () => {
  let failures = 0;
  on.faults.plan = ({ method }) => {
    if (method !== "provision" || failures >= 2) return undefined;
    failures += 1;
    return failures === 1 ? { kind: "time-out" } : { kind: "lose-answer" };
  };
  const { id } = await on.propose({ name: "flow-10" });
  expect((await on.ended(id)).phase).toBe("Succeeded");
  expect((await on.events(id)).filter(({ type }) => type === "provisioned")).toHaveLength(1);
});

test("an error that will not pass is told to the rollout at once, which rolls back", async () => {
  on.faults.plan = ({ method }) => (method === "shift" ? { kind: "fail", retryable: false } : undefined);
  const { id } = await on.propose({ name: "flow-11" });
  expect(await on.ended(id)).toMatchObject({ phase: "RolledBack", reason: { code: "command-failed" } });
  expect(await noGaps(id)).toContain("command-failed");
});

test("a target that saw a newer generation gets a newer one still, when the job is wanted", async () => {
  const { id } = await on.propose({ name: "flow-12", rollout: { bakeSeconds: 600 } });
  const { endpoint } = await on.until(id, ({ phase }) => phase === "Baking");
  const { rows } = await on.database.query<{ generation: number }>(
    "SELECT nextval('effect_generation') + 5 AS generation",
  );
  await on.parts.targets.get("simulated")?.shift(
    { tenant: TENANT, endpoint, generation: rows[0]?.generation ?? 0, idempotencyKey: "elsewhere" },
    {
      percent: 100,
      guard: { alpha: 0.01, requestsMin: 1, errorRateExcessMax: 1, latencyRatioMax: 2, onHealthCheckFailure: true },
    },
  );
  await on.signal(id, { type: "promote-requested", by: "olga" });
  expect((await on.ended(id)).phase).toBe("Succeeded");
});
