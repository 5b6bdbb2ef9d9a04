import { afterAll, beforeAll, expect, test } from "vitest";
import type { Plan } from "../core/plan/schema.ts";
import { lockEnvironment } from "../store/queries/admission.ts";
import { verifyAudit } from "./audit-verify.ts";
import { commit, type EventBody } from "./commit.ts";
import { SYSTEM } from "./engine.ts";
import { Fenced } from "./engine-error.ts";
import { claimJobs, type Job } from "./jobs.ts";
import { propose } from "./proposal.ts";
import { dequeueForgotten } from "./queue.ts";
import { register } from "./registration.ts";
import { type EngineFixture, engineFixture, ROBOT, simulatedPlan, TENANT } from "./testing/engine-fixture.ts";

/** No worker runs here: the tests claim and answer by hand. */
let on: EngineFixture;

beforeAll(async () => {
  on = await engineFixture();
});
afterAll(() => on.close());

let names = 0;
function fresh(): string {
  names += 1;
  return `e${names}`;
}

async function claimOf(rollout: string, worker: string): Promise<Job> {
  const jobs = await claimJobs(on.database, { worker, host: "here", effects: 100, watches: 100 });
  const job = jobs.map((one) => one.job).find((one) => one.rollout === rollout);
  if (job === undefined) throw new Error("no job was free");
  return job;
}

function answerVerified(job: Job, worker: string) {
  return commit(on.parts, {
    ...{ tenant: TENANT, rolloutId: job.rollout, event: { type: "verified" as const, refusals: [] }, actor: SYSTEM },
    ...{ cause: `answer/${job.sequence}/verify`, job: { ...job, worker } },
  });
}

async function jobsOf(rollout: string) {
  const { rows } = await on.database.query<{
    sequence: number;
    type: string;
    generation: number;
    worker: string | null;
  }>("SELECT sequence, command ->> 'type' AS type, generation, worker FROM jobs WHERE rollout = $1", [rollout]);
  return rows;
}

test("an answer ends its job and makes the next one, with a higher generation", async () => {
  const { id } = await on.propose({ name: fresh() });
  const me = await register(on.database, { host: "here" });
  const job = await claimOf(id, me.id);
  expect(job).toMatchObject({ command: { type: "verify" }, attempts: 1 });
  const { rollout, accepted } = await answerVerified(job, me.id);
  expect({ accepted, phase: rollout.phase }).toEqual({ accepted: true, phase: "Snapshotting" });
  const [next, ...others] = await jobsOf(id);
  expect(others).toEqual([]);
  expect(next).toMatchObject({ sequence: 2, type: "snapshot", worker: null });
  expect(next?.generation).toBeGreaterThan(job.generation);
  await me.end();
});

test("the job that follows is claimed in the same commit by a worker that wants it, and by none that does not", async () => {
  const me = await register(on.database, { host: "here" });
  for (const wants of [true, false]) {
    const { id } = await on.propose({ name: fresh() });
    const job = await claimOf(id, me.id);
    const { next } = await commit(on.parts, {
      ...{ tenant: TENANT, rolloutId: id, event: { type: "verified", refusals: [] }, actor: SYSTEM, cause: "a" },
      job: { ...job, worker: me.id },
      claimFor: { id: me.id, host: "here", wants: () => wants },
    });
    expect(next?.command.type).toBe(wants ? "snapshot" : undefined);
    expect((await jobsOf(id))[0]?.worker).toBe(wants ? me.id : null);
  }
  await me.end();
});

test("a job of a host is left alone by workers elsewhere, in claims and in follow-ups", async () => {
  const name = fresh();
  const { id } = await on.propose({ name });
  const me = await register(on.database, { host: "here" });
  const job = await claimOf(id, me.id);
  await on.database.query("UPDATE endpoints SET host = 'there' WHERE name = $1", [name]);
  const { next } = await commit(on.parts, {
    ...{ tenant: TENANT, rolloutId: id, event: { type: "verified", refusals: [] }, actor: SYSTEM, cause: "a" },
    ...{ job: { ...job, worker: me.id }, claimFor: { id: me.id, host: "here", wants: () => true } },
  });
  expect(next).toBeUndefined();
  await expect(claimOf(id, me.id)).rejects.toThrow("no job was free");
  const there = await register(on.database, { host: "there" });
  const jobs = await claimJobs(on.database, { worker: there.id, host: "there", effects: 100, watches: 0 });
  expect(jobs.map((one) => one.job.rollout)).toContain(id);
  await me.end();
  await there.end();
});

test("a local endpoint belongs to the host whose worker took its first snapshot", async () => {
  const { digest } = await on.parts.artifacts.put(TENANT, Buffer.from("a model"));
  const plan = simulatedPlan({ name: fresh() });
  const local: Plan = {
    ...plan,
    spec: { ...plan.spec, target: "local", model: { ...plan.spec.model, artifact: `store:${digest}` } },
  };
  const simulated = on.parts.targets.get("simulated");
  if (simulated === undefined) throw new Error("the fixture has a simulated target");
  const parts = { ...on.parts, targets: new Map([["local" as const, simulated]]) };
  const { rollout } = await propose(parts, { tenant: TENANT, actor: ROBOT, plan: local });
  expect(rollout).toMatchObject({ phase: "Verifying", refusals: [] });
  const me = await register(on.database, { host: "here" });
  const answer = (job: Job, event: EventBody, snapshotBytes?: Uint8Array) =>
    commit(on.parts, {
      ...{ tenant: TENANT, rolloutId: rollout.id, event, actor: SYSTEM, cause: event.type, snapshotBytes },
      ...{ job: { ...job, worker: me.id }, claimFor: { id: me.id, host: "here", wants: () => true } },
    });
  const { next } = await answer(await claimOf(rollout.id, me.id), { type: "verified", refusals: [] });
  if (next === undefined) throw new Error("the snapshot's job was wanted");
  await answer(next, { type: "snapshot-taken", sha256: `sha256:${"0".repeat(64)}`, empty: true }, Buffer.from("{}"));
  const { rows } = await on.database.query(
    "SELECT e.host, j.host AS job FROM endpoints e JOIN jobs j ON true WHERE e.name = $1 AND j.rollout = $2",
    [...[plan.metadata.name, rollout.id]],
  );
  expect(rows).toEqual([{ host: "here", job: "here" }]);
  await me.end();
});

test("a zombie's answer is refused and leaves nothing", async () => {
  const { id } = await on.propose({ name: fresh() });
  const [zombie, heir] = [await register(on.database, { host: "here" }), await register(on.database, { host: "here" })];
  const old = await claimOf(id, zombie.id);
  await on.database.query("UPDATE jobs SET worker = NULL WHERE rollout = $1", [id]);
  const taken = await claimOf(id, heir.id);
  await expect(answerVerified(old, zombie.id)).rejects.toBeInstanceOf(Fenced);
  expect(await on.events(id)).toHaveLength(1);
  expect((await answerVerified(taken, heir.id)).accepted).toBe(true);
  await expect(answerVerified(taken, heir.id)).rejects.toBeInstanceOf(Fenced);
  expect(await on.events(id)).toHaveLength(2);
  await zombie.end();
  await heir.end();
});

test("a signal that changes course takes the outstanding job away, and its late answer is fenced", async () => {
  const { id } = await on.propose({ name: fresh() });
  const me = await register(on.database, { host: "here" });
  const job = await claimOf(id, me.id);
  const { rollout } = await on.signal(id, { type: "abort-requested", by: "olga" });
  expect(rollout.phase).toBe("Aborted");
  expect(await jobsOf(id)).toEqual([]);
  await expect(answerVerified(job, me.id)).rejects.toBeInstanceOf(Fenced);
  await me.end();
});

test("a signal that does not change course leaves the outstanding job to its worker", async () => {
  const { id } = await on.propose({ name: fresh() });
  const me = await register(on.database, { host: "here" });
  const job = await claimOf(id, me.id);
  await on.signal(id, { type: "paused", by: "olga" });
  expect((await answerVerified(job, me.id)).rollout.phase).toBe("Paused");
  await me.end();
});

test("the same cause is applied once, also when it comes at the same time", async () => {
  const { id } = await on.propose({ name: fresh() });
  const pause = () => on.signal(id, { type: "paused", by: "olga" }, "request-7");
  const answers = await Promise.all([pause(), pause(), pause()]);
  expect(answers.map(({ accepted }) => accepted)).toEqual([true, true, true]);
  expect(answers.filter(({ repeated }) => repeated)).toHaveLength(2);
  expect(await on.events(id)).toHaveLength(2);
});

test("a refused signal is a value with a sentence, and changes nothing", async () => {
  const { id } = await on.propose({ name: fresh() });
  const answer = await on.signal(id, { type: "rollback-requested", by: "olga" });
  expect(answer).toMatchObject({ accepted: false, refusal: expect.stringContaining("abort"), repeated: false });
  expect(await on.events(id)).toHaveLength(1);
});

test("a rollout of another tenant is none", async () => {
  const { id } = await on.propose({ name: fresh() });
  const other = commit(on.parts, {
    ...{ tenant: "other", rolloutId: id, event: { type: "paused", by: "eve" }, actor: SYSTEM, cause: "x" },
  });
  await expect(other).rejects.toMatchObject({ code: "no-such-rollout" });
});

test("forty signals at once leave a history without a gap", async () => {
  const { id } = await on.propose({ name: fresh() });
  await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      on.signal(id, index % 2 === 0 ? { type: "paused", by: "olga" } : { type: "resumed", by: "olga" }),
    ),
  );
  const events = await on.events(id);
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
  expect((await on.rollout(id)).sequence).toBe(events.length);
});

test("only one rollout of an endpoint is active; the next is queued and gets its turn in the commit that ends the first", async () => {
  const name = fresh();
  const first = await on.propose({ name, version: "1" });
  const second = await on.propose({ name, version: "2" });
  const third = await on.propose({ name, version: "3" });
  expect([first.phase, second.phase, third.phase]).toEqual(["Verifying", "Queued", "Queued"]);
  await on.signal(first.id, { type: "abort-requested", by: "olga" });
  expect((await on.rollout(second.id)).phase).toBe("Verifying");
  expect((await on.rollout(third.id)).phase).toBe("Queued");
  expect(await jobsOf(second.id)).toHaveLength(1);
});

test("a rollout that is proposed while the slot becomes free is never forgotten", async () => {
  for (let round = 0; round < 15; round += 1) {
    const name = fresh();
    const first = await on.propose({ name, version: "1" });
    const [second] = await Promise.all([
      on.propose({ name, version: "2" }),
      on.signal(first.id, { type: "abort-requested", by: "olga" }),
    ]);
    expect((await on.rollout(second.id)).phase).toBe("Verifying");
  }
});

test("everything that happened stands in the audit log, which verifies", async () => {
  const { id } = await on.propose({ name: fresh() });
  await on.signal(id, { type: "abort-requested", by: "olga" });
  const { rows } = await on.database.query<{ action: string }>(
    "SELECT convert_from(entry, 'UTF8')::jsonb ->> 'action' AS action FROM audit_entries WHERE subject = $1 ORDER BY id",
    [id],
  );
  expect(rows.map(({ action }) => action)).toEqual(["rollout.proposed", "rollout.abort-requested"]);
  expect(await verifyAudit(on.database, TENANT)).toMatchObject({ ok: true, problem: null });
});

test("a simulation does not wait for whoever holds its environment's sum, and a plan that costs does", async () => {
  const name = fresh();
  await on.database.query(
    "INSERT INTO environments (tenant, environment) VALUES ($1, 'staging') ON CONFLICT DO NOTHING",
    [TENANT],
  );
  const held = Promise.withResolvers<void>();
  const holding = Promise.withResolvers<void>();
  const holder = on.database.transaction(async (tx) => {
    await lockEnvironment(tx, TENANT, "staging");
    holding.resolve();
    await held.promise;
  });
  await holding.promise;
  expect((await on.propose({ name, environment: "staging" })).phase).toBe("Verifying");
  const plan = simulatedPlan({ name, environment: "staging" });
  const real: Plan = { ...plan, spec: { ...plan.spec, target: "local" } };
  const simulated = on.parts.targets.get("simulated");
  if (simulated === undefined) throw new Error("the fixture has a simulated target");
  const parts = { ...on.parts, targets: new Map([["local" as const, simulated]]) };
  let proposed = false;
  const costing = propose(parts, { tenant: TENANT, actor: ROBOT, plan: real }).then(() => {
    proposed = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(proposed).toBe(false);
  held.resolve();
  await Promise.all([holder, costing]);
});

test("a queued rollout that cannot be decided holds up no other queue", async () => {
  const [bad, good] = [fresh(), fresh()];
  const waiting: string[] = [];
  for (const name of [bad, good]) {
    const first = await on.propose({ name, version: "1" });
    waiting.push((await on.propose({ name, version: "2" })).id);
    // Its end was stored by a worker that died before it gave the slot away.
    await on.database.query("UPDATE rollouts SET active = false, terminal = true, phase = 'Succeeded' WHERE id = $1", [
      first.id,
    ]);
  }
  await on.database.query("UPDATE rollouts SET state = state - 'plan' WHERE id = $1", [waiting[0]]);
  await dequeueForgotten(on.parts);
  expect((await on.rollout(waiting[1] ?? "")).phase).toBe("Verifying");
  const said = on.logged.filter(({ event }) => event === "dequeue-failed");
  expect(said).toMatchObject([{ facts: { tenant: TENANT, endpoint: `development-${bad}` } }]);
});
