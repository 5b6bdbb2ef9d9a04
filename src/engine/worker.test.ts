import { afterEach, beforeEach, expect, test } from "vitest";
import { type EngineFixture, engineFixture } from "./testing/engine-fixture.ts";

/** Workers that come, go, die and freeze. */
let on: EngineFixture;

beforeEach(async () => {
  on = await engineFixture({ max: 12 });
});
afterEach(() => on.close());

async function noGaps(id: string): Promise<string[]> {
  const events = await on.events(id);
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
  return events.map(({ type }) => type);
}

test("a worker that is stopped hands its watch over at once, and nobody waits for a reaper", async () => {
  const first = await on.worker();
  const { id } = await on.propose({ rollout: { bakeSeconds: 600 } });
  await on.until(id, ({ phase }) => phase === "Baking");
  const second = await on.worker();
  await first.stop(1000);
  await expect.poll(() => watchers(id), { timeout: 1000 }).toEqual([second.id]);
  expect((await on.database.query("SELECT 1 FROM workers")).rowCount).toBe(1);
});

test("a worker that stops finishes the effect it is at, and leaves the next step to others", async () => {
  const first = await on.worker();
  on.faults.plan = ({ method }) => (method === "provision" ? { kind: "delay", milliseconds: 400 } : undefined);
  const { id } = await on.propose({});
  await on.until(id, ({ phase }) => phase === "Provisioning");
  await first.stop(5000);
  expect((await on.rollout(id)).phase).toBe("Shifting");
  await on.worker();
  expect((await on.ended(id)).phase).toBe("Succeeded");
});

test("a worker whose connection is lost is replaced, registers under a new name, and is fenced under the old one", async () => {
  const first = await on.worker();
  const { id } = await on.propose({ rollout: { bakeSeconds: 600 } });
  await on.until(id, ({ phase }) => phase === "Baking");
  const before = first.id;
  await on.database.query(
    `SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN workers w ON (l.classid::bigint << 32) | l.objid::bigint = w.lock_key
     WHERE l.locktype = 'advisory'`,
  );
  const takenOver = async () => first.id !== before && (await watchers(id))[0] === first.id;
  await expect.poll(takenOver, { timeout: 5000 }).toBe(true);
  await on.signal(id, { type: "promote-requested", by: "olga" });
  expect((await on.ended(id)).phase).toBe("Succeeded");
  await noGaps(id);
});

test("a worker that was taken for dead while it was frozen finds out and starts anew", async () => {
  const first = await on.worker();
  const before = first.id;
  await on.database.query("DELETE FROM workers");
  await expect.poll(() => first.id, { timeout: 6000 }).not.toBe(before);
  const { id } = await on.propose({});
  expect((await on.ended(id)).phase).toBe("Succeeded");
});

test("a job whose claim was answered into a connection that broke is found again", async () => {
  const { id } = await on.propose({});
  const worker = await on.worker({ effectSlots: 0, watchSlots: 0 });
  await on.database.query("UPDATE jobs SET worker = $1, claimed_at = now() - interval '3 seconds', attempts = 1", [
    worker.id,
  ]);
  await expect.poll(() => watchers(id), { timeout: 3000 }).toEqual([null]);
});

test("every connection is lost in the middle of the work, and every rollout ends as it should", async () => {
  await on.worker();
  await on.worker();
  const rollouts = await Promise.all(Array.from({ length: 8 }, (_, index) => on.propose({ name: `m${index}` })));
  for (let round = 0; round < 3; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 60));
    await on.database
      .query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
      )
      .catch(() => undefined);
  }
  for (const { id } of rollouts) {
    expect((await on.ended(id, 20_000)).phase).toBe("Succeeded");
    await noGaps(id);
  }
});

test("two workers carry twenty rollouts of ten endpoints, two on each, one after the other", async () => {
  await on.worker();
  await on.worker();
  const rollouts = await Promise.all(
    Array.from({ length: 20 }, (_, index) => on.propose({ name: `n${index % 10}`, version: String(index) })),
  );
  for (const { id } of rollouts) {
    expect((await on.ended(id, 20_000)).phase).toBe("Succeeded");
    await noGaps(id);
  }
});

async function watchers(rollout: string): Promise<(string | null)[]> {
  const { rows } = await on.database.query<{ worker: string | null }>("SELECT worker FROM jobs WHERE rollout = $1", [
    rollout,
  ]);
  return rows.map(({ worker }) => worker);
}
