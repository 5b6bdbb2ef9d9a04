import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, AnswerCommits } from "./answer-commits.ts";
import { SYSTEM } from "./engine.ts";
import { Fenced } from "./engine-error.ts";
import { claimJobs, type Job } from "./jobs.ts";
import { type Registration, register } from "./registration.ts";
import { loadRollout } from "./rollout-rows.ts";
import { type EngineFixture, engineFixture, TENANT } from "./testing/engine-fixture.ts";

/** No worker runs here: the tests claim and answer by hand, several answers at once. */
let on: EngineFixture;
let me: Registration;

beforeAll(async () => {
  on = await engineFixture();
  me = await register(on.database, { host: "here" });
});
afterAll(async () => {
  await me.end();
  await on.close();
});

let names = 0;
/** So many rollouts of endpoints of their own, each with its first job claimed. */
async function begun(count: number): Promise<{ id: string; job: Job }[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    names += 1;
    ids.push((await on.propose({ name: `a${names}` })).id);
  }
  const claimed = await claimJobs(on.database, { worker: me.id, host: "here", effects: 100, watches: 0 });
  return ids.map((id) => {
    const job = claimed.find((one) => one.job.rollout === id)?.job;
    if (job === undefined) throw new Error(`${id} has no job`);
    return { id, job };
  });
}

function answerTo({ id, job }: { id: string; job: Job }): Answer {
  return {
    ...{ tenant: TENANT, rolloutId: id, actor: SYSTEM, cause: `answer/${job.sequence}/${job.command.type}` },
    ...{ event: { type: "verified", refusals: [] }, job: { ...job, worker: me.id } },
    claimFor: { id: me.id, host: "here", wants: () => true },
  };
}

async function commitAll(begun: { id: string; job: Job }[]) {
  const answers = new AnswerCommits(on.parts);
  const before = await Promise.all(begun.map(({ id }) => on.rollout(id)));
  return { answers, commits: begun.map((one, index) => answers.commit(answerTo(one), before[index] ?? fail(one.id))) };
}

function fail(id: string): never {
  throw new Error(`${id} is not there`);
}

test("answers that come together are each stored whole, and each goes on with the job that follows", async () => {
  const all = await begun(3);
  const { commits } = await commitAll(all);
  for (const [index, { rollout, accepted, next }] of (await Promise.all(commits)).entries()) {
    const id = all[index]?.id ?? fail("it");
    expect({ accepted, phase: rollout.phase }).toEqual({ accepted: true, phase: "Snapshotting" });
    expect(next).toMatchObject({ rollout: id, command: { type: "snapshot" }, attempts: 1 });
    expect(await on.rollout(id)).toEqual(rollout);
    expect((await on.events(id)).map(({ type }) => type)).toEqual(["proposed", "verified"]);
    const { rows } = await on.database.query("SELECT id, worker FROM jobs WHERE rollout = $1", [id]);
    expect(rows).toEqual([{ id: next?.id, worker: me.id }]);
    const audit = await on.database.query("SELECT FROM audit_entries WHERE subject = $1", [id]);
    expect(audit.rowCount).toBe(2);
  }
});

test("a job that was taken over is fenced, and the answer that came with it is stored", async () => {
  const [lost, kept] = await begun(2);
  if (lost === undefined || kept === undefined) throw new Error("two were begun");
  await on.database.query("UPDATE jobs SET attempts = attempts + 1 WHERE id = $1", [lost.job.id]);
  const [first, second] = (await commitAll([lost, kept])).commits;
  await expect(first).rejects.toThrow(Fenced);
  expect((await second)?.rollout.phase).toBe("Snapshotting");
  expect((await on.events(lost.id)).map(({ type }) => type)).toEqual(["proposed"]);
});

test("a rollout that was given another course meanwhile is answered as it stands now", async () => {
  const [one] = await begun(1);
  if (one === undefined) throw new Error("one was begun");
  const before = await on.rollout(one.id);
  await on.signal(one.id, { type: "paused", by: "olga" });
  const { rollout, accepted } = await new AnswerCommits(on.parts).commit(answerTo(one), before);
  expect({ accepted, phase: rollout.phase }).toEqual({ accepted: true, phase: "Paused" });
  expect((await on.events(one.id)).map(({ type }) => type)).toEqual(["proposed", "paused", "verified"]);
});

test("whoever holds a rollout's row holds up that rollout alone", async () => {
  const [held, free] = await begun(2);
  if (held === undefined || free === undefined) throw new Error("two were begun");
  const { promise: letGo, resolve: go } = Promise.withResolvers<void>();
  const { promise: locked, resolve: isLocked } = Promise.withResolvers<void>();
  const holding = on.database.transaction(async (tx) => {
    await tx.query("SELECT FROM rollouts WHERE tenant = $1 AND id = $2 FOR UPDATE", [TENANT, held.id]);
    isLocked();
    await letGo;
  });
  await locked;
  const [first, second] = (await commitAll([held, free])).commits;
  expect((await second)?.rollout.phase).toBe("Snapshotting");
  expect(await loadRollout(on.database, { tenant: TENANT, rolloutId: held.id })).toMatchObject({ phase: "Verifying" });
  go();
  await holding;
  expect((await first)?.rollout.phase).toBe("Snapshotting");
});
