import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { AlarmState } from "../core/monitor/alarm/evaluation.ts";
import { listTransitions, readAlarms } from "../store/queries/alarms.ts";
import { recordEvaluations } from "./alarms/record-evaluations.ts";
import { verifyAudit } from "./audit-verify.ts";
import { captureRemover } from "./captured-files.ts";
import { type RetentionPolicy, sweepCapture, sweepDatabase } from "./retention.ts";
import { type EngineFixture, engineFixture, TENANT } from "./testing/engine-fixture.ts";

const DAY_MS = 24 * 3600 * 1000;
const POLICY: RetentionPolicy = {
  eventsDays: 30,
  idempotencyDays: 1,
  deliveriesDays: 30,
  captureDays: 30,
  monitorDays: 30,
};

let on: EngineFixture;
beforeEach(async () => {
  on = await engineFixture();
});
afterEach(() => on.close());

/** The parts as they are so many days from now. */
const inDays = (days: number) => ({ ...on.parts, nowMs: () => Date.now() + days * DAY_MS });
const eventsOf = async (id: string) => (await on.events(id)).length;

async function told(): Promise<{ kind: unknown; count: unknown; before: unknown }[]> {
  const { rows } = await on.database.query<{ details: { kind: unknown; count: unknown; before: unknown } }>(
    `SELECT convert_from(entry, 'UTF8')::jsonb -> 'details' AS details FROM audit_entries
     WHERE convert_from(entry, 'UTF8')::jsonb ->> 'action' = 'retention.remove' ORDER BY id`,
  );
  return rows.map(({ details }) => details);
}

test("histories of rollouts that ended long ago go, and nothing that is needed", async () => {
  await on.worker();
  const first = await on.propose({ name: "churn" });
  await on.ended(first.id);
  const live = await on.propose({ name: "churn", version: "2.0.0" });
  await on.ended(live.id);
  const rollout = { stepPercent: 50, bakeSeconds: 600, deadlineSeconds: 3600 };
  const running = await on.propose({ name: "running", rollout });
  await on.until(running.id, ({ phase }) => phase === "Baking");
  const before = { first: await eventsOf(first.id), live: await eventsOf(live.id) };
  const audited = await on.database.query("SELECT count(*) AS count FROM audit_entries");

  expect(await sweepDatabase(inDays(29), POLICY)).toBe(true);
  expect(await eventsOf(first.id)).toBe(before.first);
  expect(await sweepDatabase(inDays(31), { ...POLICY, eventsDays: 0 })).toBe(true);
  expect(await eventsOf(first.id)).toBe(before.first);

  expect(await sweepDatabase(inDays(33), POLICY)).toBe(true);
  expect(await eventsOf(first.id)).toBe(0);
  expect(await eventsOf(live.id)).toBe(before.live);
  expect(await eventsOf(running.id)).toBeGreaterThan(4);
  expect((await on.rollout(first.id)).phase).toBe("Succeeded");
  const { rows } = await on.database.query("SELECT count(*) AS count FROM snapshots WHERE rollout = $1", [first.id]);
  expect(rows).toEqual([{ count: 1 }]);

  const [entry] = await told();
  expect(entry).toMatchObject({ kind: "rollout-events", count: before.first });
  expect(Date.parse(String(entry?.before))).toBeLessThan(Date.now() + 4 * DAY_MS);
  const after = await on.database.query<{ count: number }>("SELECT count(*) AS count FROM audit_entries");
  expect(after.rows[0]?.count).toBe(((audited.rows[0]?.["count"] as number) ?? 0) + 1);
  expect(await verifyAudit(on.database, TENANT)).toMatchObject({ ok: true });
});

test("keys and messages that are past go, those of today stay", async () => {
  const keys = (age: number) =>
    on.database.query(
      `INSERT INTO idempotency_keys (tenant, principal, key, request_digest, created_at)
       VALUES ($1, 'robot', $2, 'd', now() - $3 * interval '1 day')`,
      [TENANT, `key-${age}`, age],
    );
  for (const age of [0, 2, 3]) await keys(age);
  await on.database.query(
    `INSERT INTO webhook_endpoints (tenant, id, url, description, events, enabled, from_position, secret, created_by, created_at, updated_at)
     VALUES ($1, 'w', 'https://x.example', '', '{}', true, 0, '', 'olga', now(), now())`,
    [TENANT],
  );
  await on.database.query(
    `INSERT INTO webhook_deliveries (tenant, webhook, message, type, position, state, next_attempt_at, created_at, ended_at)
     SELECT $1, 'w', 'm-' || age, 't', age, CASE WHEN age = 90 THEN 'pending' ELSE 'delivered' END, now(),
       now() - age * interval '1 day', CASE WHEN age = 90 THEN NULL ELSE now() - age * interval '1 day' END
     FROM unnest(ARRAY[1, 40, 50, 90]) AS age`,
    [TENANT],
  );
  await sweepDatabase(on.parts, POLICY);
  const left = await on.database.query("SELECT key FROM idempotency_keys ORDER BY key");
  expect(left.rows).toEqual([{ key: "key-0" }]);
  const messages = await on.database.query("SELECT message FROM webhook_deliveries ORDER BY message");
  expect(messages.rows).toEqual([{ message: "m-1" }, { message: "m-90" }]);
  expect(await told()).toMatchObject([
    { kind: "idempotency-keys", count: 2 },
    { kind: "webhook-deliveries", count: 2 },
  ]);
});

test("of any number of workers one sweeps, once a day", async () => {
  const sweeps = await Promise.all(Array.from({ length: 6 }, () => sweepDatabase(on.parts, POLICY)));
  expect(sweeps.filter(Boolean)).toHaveLength(1);
  expect(await sweepDatabase(on.parts, POLICY)).toBe(false);
  expect(await sweepDatabase(inDays(1.01), POLICY)).toBe(true);
});

test("captured files go by when they were last written, each host's by itself", async () => {
  const folder = await mkdtemp(join(tmpdir(), "continuum-retention-"));
  try {
    const endpoint = join(folder, "acme", "development-churn");
    await mkdir(endpoint, { recursive: true });
    for (const name of ["old.jsonl", "older.jsonl", "new.jsonl"]) await writeFile(join(endpoint, name), "{}\n");
    const longAgo = new Date(Date.now() - 31 * DAY_MS);
    for (const name of ["old.jsonl", "older.jsonl"]) await utimes(join(endpoint, name), longAgo, longAgo);
    const sweep = (host: string) => sweepCapture(on.parts, { policy: POLICY, host, remove: captureRemover(folder) });
    expect(await sweep("here")).toBe(true);
    expect(await sweep("here")).toBe(false);
    expect(await readdir(endpoint)).toEqual(["new.jsonl"]);
    expect(await told()).toMatchObject([{ kind: "capture-files", count: 2 }]);
    expect(await sweep("elsewhere")).toBe(true);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("what alarms said long ago goes, and with it alarms that nobody evaluates any more", async () => {
  await on.worker();
  const { id: variant, endpoint } = await on.ended((await on.propose({ name: "alarmed" })).id);
  const look = (state: AlarmState, days: number) =>
    recordEvaluations(on.parts, {
      ...{ tenant: TENANT, endpoint, variant },
      evaluations: [{ alarm: "DataDriftAlarm", state, atMs: Date.now() + days * DAY_MS, reason: state, figures: [] }],
    });
  const kept = async () => [
    (await readAlarms(on.database, { tenant: TENANT, variant })).length,
    (await listTransitions(on.database, { tenant: TENANT, ...endpoint, limit: 10 })).length,
  ];
  await look("OK", 0);
  await look("ALARM", 10);
  await sweepDatabase(inDays(35), POLICY);
  expect(await kept()).toEqual([1, 1]);
  await sweepDatabase(inDays(50), { ...POLICY, monitorDays: 0 });
  expect(await kept()).toEqual([1, 1]);
  await sweepDatabase(inDays(52), POLICY);
  expect(await kept()).toEqual([0, 0]);
  const alarms = (await told()).filter(({ kind }) => kind === "alarms");
  expect(alarms.reduce((sum, { count }) => sum + Number(count), 0)).toBe(3);
});
