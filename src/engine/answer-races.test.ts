import { afterAll, beforeAll, expect, test } from "vitest";
import type { Rollout } from "../core/rollout/rollout.ts";
import type { Database } from "../store/database.ts";
import { StoreError } from "../store/store-error.ts";
import { type Answer, AnswerCommits } from "./answer-commits.ts";
import { commit } from "./commit.ts";
import { Fenced } from "./engine-error.ts";
import { JobRunner } from "./job-runner.ts";
import { claimJobs, type Job, releaseJobs } from "./jobs.ts";
import { type Registration, register } from "./registration.ts";
import { answerOf, driveTo, SNAPSHOT_BYTES } from "./testing/answering.ts";
import { type EngineFixture, engineFixture, TENANT } from "./testing/engine-fixture.ts";

/** Everything that may come between a claim and its answer. No worker runs here: the tests claim and answer by hand. */
let on: EngineFixture;
let me: Registration;
let other: Registration;
/** Long ways that were gone: what is stored in one statement opens no transaction. */
let transactions = 0;
let answers: AnswerCommits;

beforeAll(async () => {
  on = await engineFixture({ max: 12 });
  me = await register(on.database, { host: "here" });
  other = await register(on.database, { host: "here" });
  answers = new AnswerCommits({ ...on.parts, database: counting(on.database) });
});
afterAll(async () => {
  await me.end();
  await other.end();
  await on.close();
});

/** The database with some of its methods replaced. */
function instead(database: Database, methods: Partial<Database>): Database {
  return new Proxy(database, {
    get: (target, name) => {
      const own = Reflect.get(methods, name) ?? Reflect.get(target, name);
      return typeof own === "function" ? own.bind(target) : own;
    },
  });
}

function counting(database: Database): Database {
  return instead(database, {
    transaction: (work, how) => {
      transactions += 1;
      return database.transaction(work, how);
    },
  });
}

interface Begun {
  job: Job;
  rollout: Rollout;
}

let names = 0;
const fresh = () => {
  names += 1;
  return `r${names}`;
};

async function begun(name = fresh()): Promise<Begun> {
  const { id } = await on.propose({ name, rollout: { strategy: "all-at-once" } });
  const claimed = await claimJobs(on.database, { worker: me.id, host: "here", effects: 100, watches: 100 });
  const mine = claimed.find(({ job }) => job.rollout === id);
  if (mine === undefined) throw new Error(`${id} has no job`);
  return mine;
}

const at = async (type: Parameters<typeof driveTo>[0], name?: string): Promise<Begun> =>
  driveTo(type, { worker: me.id, ...(await begun(name)) }, (answer, before) => answers.commit(answer, before));

const answer = ({ job, rollout }: Begun) => answers.commit(answerOf(me.id, job), rollout);

async function whole(id: string, phase: Rollout["phase"]): Promise<void> {
  const rollout = await on.rollout(id);
  const events = await on.events(id);
  expect(rollout.phase).toBe(phase);
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
  expect(rollout.sequence).toBe(events.length);
  const audit = await on.database.query("SELECT FROM audit_entries WHERE subject = $1", [id]);
  expect(audit.rowCount).toBe(events.length);
  const jobs = await on.database.query("SELECT sequence FROM jobs WHERE rollout = $1", [id]);
  expect(jobs.rows.map(({ sequence }) => sequence)).toEqual(rollout.pending === null ? [] : [rollout.pending.sequence]);
}

/** Holds rows that the query names until it is let go. */
async function holding(sql: string, values: unknown[]): Promise<() => Promise<void>> {
  const { promise: letGo, resolve: go } = Promise.withResolvers<void>();
  const { promise: held, resolve: isHeld } = Promise.withResolvers<void>();
  const holder = on.database.transaction(async (tx) => {
    await tx.query(sql, values);
    isHeld();
    await letGo;
  });
  await held;
  return () => {
    go();
    return holder;
  };
}

/** The connection on which the statement of an answer waits for a lock. */
async function waitingStatement(): Promise<number> {
  const find = () =>
    on.database.query<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'WITH%held%' AND datname = current_database()",
    );
  await expect.poll(async () => (await find()).rowCount, { timeout: 3000 }).toBe(1);
  return (await find()).rows[0]?.pid ?? 0;
}

test("a rollout goes from its first job to its end in single statements, with its snapshot and what serves stored", async () => {
  const name = fresh();
  const first = await begun(name);
  const { id } = first.rollout;
  await on.database.query("UPDATE rollouts SET reserved_micro_usd_per_hour = 7 WHERE id = $1", [id]);
  const before = transactions;
  const last = await driveTo("promote", { worker: me.id, ...first }, (one, rollout) => answers.commit(one, rollout));
  const { rollout, next } = await answer(last);
  expect({ phase: rollout.phase, next, longWays: transactions - before }).toEqual({
    ...{ phase: "Succeeded", next: undefined, longWays: 0 },
  });
  await whole(id, "Succeeded");
  const { rows } = await on.database.query(
    `SELECT s.bytes, s.sha256, s.empty, e.live_rollout, e.micro_usd_per_hour, e.desired IS NOT NULL AS desired,
       r.reserved_micro_usd_per_hour AS reserved, r.active, r.terminal
     FROM rollouts r JOIN snapshots s ON s.rollout = r.id JOIN endpoints e ON e.name = r.name WHERE r.id = $1`,
    [id],
  );
  expect(rows).toEqual([
    {
      ...{ bytes: SNAPSHOT_BYTES, sha256: rollout.snapshot?.sha256, empty: true },
      ...{ live_rollout: id, micro_usd_per_hour: 7, desired: true, reserved: 0, active: false, terminal: true },
    },
  ]);
});

test("an end gives its slot to whoever is queued, in the commit that ends", async () => {
  const last = await at("promote", "queue");
  const waits = await on.propose({ name: "queue", version: "2" });
  expect(waits.phase).toBe("Queued");
  expect((await answer(last)).rollout.phase).toBe("Succeeded");
  await whole(last.rollout.id, "Succeeded");
  await whole(waits.id, "Verifying");
});

test("a rollout that is queued while the one before it succeeds is never forgotten, and no sweep is needed", async () => {
  for (let round = 0; round < 12; round += 1) {
    const name = `gap${round}`;
    const last = await at("promote", name);
    const [second] = await Promise.all([on.propose({ name, version: "2" }), answer(last)]);
    await on.until(second.id, ({ phase }) => phase === "Verifying", 1000);
    await whole(last.rollout.id, "Succeeded");
  }
});

test("an end whose endpoint somebody holds waits for it alone", async () => {
  const [held, free] = [await at("promote", "held"), await at("promote")];
  const letGo = await holding("SELECT FROM endpoints WHERE tenant = $1 AND name = 'held' FOR UPDATE", [TENANT]);
  const [first, second] = [answer(held), answer(free)];
  expect((await second).rollout.phase).toBe("Succeeded");
  expect((await on.rollout(held.rollout.id)).phase).toBe("Promoting");
  await letGo();
  expect((await first).rollout.phase).toBe("Succeeded");
  await whole(held.rollout.id, "Succeeded");
});

test("of two workers that answer the same job one is heard, and of one that answers twice the first", async () => {
  for (const type of ["verify", "snapshot", "promote"] as const) {
    const one = await at(type);
    const zombie = answerOf(me.id, one.job);
    await on.database.query("UPDATE jobs SET worker = $1, attempts = attempts + 1 WHERE id = $2", [
      ...[other.id, one.job.id],
    ]);
    const heir = answerOf(other.id, { ...one.job, attempts: one.job.attempts + 1 });
    const theirs = new AnswerCommits(on.parts);
    const results = await Promise.allSettled([
      answers.commit(zombie, one.rollout),
      theirs.commit(heir, one.rollout),
      theirs.commit(heir, one.rollout),
      new AnswerCommits(on.parts).commit(heir, one.rollout),
    ]);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(results[0]).toMatchObject({ status: "rejected", reason: expect.any(Fenced) });
    for (const result of results) if (result.status === "rejected") expect(result.reason).toBeInstanceOf(Fenced);
    const { sequence, phase } = await on.rollout(one.rollout.id);
    expect(sequence).toBe(one.rollout.sequence + 1);
    await whole(one.rollout.id, phase);
  }
});

test("a job that is taken over while its answer waits for the job's row is fenced, and its neighbour is stored", async () => {
  const [lost, kept] = [await at("provision"), await at("provision")];
  const { promise: letGo, resolve: go } = Promise.withResolvers<void>();
  const { promise: taken, resolve: isTaken } = Promise.withResolvers<void>();
  const takeover = on.database.transaction(async (tx) => {
    await tx.query("UPDATE jobs SET worker = $1, attempts = attempts + 1 WHERE id = $2", [other.id, lost.job.id]);
    isTaken();
    await letGo;
  });
  await taken;
  const [first, second] = [answer(lost), answer(kept)];
  const fenced = expect(first).rejects.toThrow(Fenced);
  await waitingStatement();
  go();
  await takeover;
  await fenced;
  expect((await second).rollout.phase).toBe("Shifting");
  await whole(lost.rollout.id, "Provisioning");
});

test("signals that come between a claim and its answer win, whatever the answer is of", async () => {
  const aborted = await at("verify");
  await on.signal(aborted.rollout.id, { type: "abort-requested", by: "olga" });
  const alarmed = await at("watch");
  await on.signal(alarmed.rollout.id, { type: "alarm", name: "ModelMonitorAlarm", message: "it drifts" });
  const back = await at("provision");
  await on.signal(back.rollout.id, { type: "rollback-requested", by: "olga" });
  const paused = await at("snapshot");
  await on.signal(paused.rollout.id, { type: "paused", by: "olga" });
  const late = [aborted, alarmed, back, paused].map(answer);
  const results = await Promise.allSettled(late);
  expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected", "fulfilled"]);
  for (const result of results) if (result.status === "rejected") expect(result.reason).toBeInstanceOf(Fenced);
  await whole(aborted.rollout.id, "Aborted");
  await whole(alarmed.rollout.id, "RollingBack");
  await whole(back.rollout.id, "RollingBack");
  await whole(paused.rollout.id, "Paused");
});

test("a pause gives up the snapshot that is being taken, and whoever resumes takes it again", async () => {
  for (const know of [true, false]) {
    const one = await at("snapshot");
    await on.signal(one.rollout.id, { type: "paused", by: "olga" });
    const before = transactions;
    const { rollout } = await answer(know ? { ...one, rollout: await on.rollout(one.rollout.id) } : one);
    expect({ phase: rollout.phase, longWays: transactions - before }).toEqual({
      phase: "Paused",
      longWays: know ? 0 : 1,
    });
    await whole(rollout.id, "Paused");
    await on.signal(rollout.id, { type: "resumed", by: "olga" });
    const [again] = await claimJobs(on.database, { worker: me.id, host: "here", effects: 1, watches: 0 });
    if (again === undefined) throw new Error("the snapshot is taken again");
    expect((await answer(again)).next?.command.type).toBe("gate");
    const { rowCount } = await on.database.query("SELECT FROM snapshots WHERE rollout = $1", [rollout.id]);
    expect(rowCount).toBe(1);
  }
});

test("answers and signals of thirty rollouts at once leave every history whole", async () => {
  const all: Begun[] = [];
  while (all.length < 30) all.push(await begun());
  await Promise.all(
    all.flatMap((one, index) => [
      answer(one).catch((error: unknown) => expect(error).toBeInstanceOf(Fenced)),
      on.signal(one.rollout.id, index % 2 === 0 ? { type: "abort-requested", by: "o" } : { type: "paused", by: "o" }),
    ]),
  );
  for (const [index, { rollout }] of all.entries()) {
    // A pause that comes after the answer finds a command out, and is remembered until that is done.
    const { pauseRequested } = await on.rollout(rollout.id);
    const paused = pauseRequested ? "Snapshotting" : "Paused";
    await whole(rollout.id, index % 2 === 0 ? "Aborted" : paused);
  }
});

test("a statement that is cancelled goes the long way with all that it was sent with", async () => {
  const [one, two] = [await at("gate"), await at("promote")];
  const letGo = await holding("SELECT FROM jobs WHERE id = $1 FOR UPDATE", [one.job.id]);
  const commits = [answer(one), answer(two)];
  await on.database.query("SELECT pg_cancel_backend($1)", [await waitingStatement()]);
  expect((await commits[1])?.rollout.phase).toBe("Succeeded");
  await letGo();
  expect((await commits[0])?.rollout.phase).toBe("Provisioning");
  await whole(one.rollout.id, "Provisioning");
  await whole(two.rollout.id, "Succeeded");
});

test("a connection that is cut before the answer is heard of by all, and each may try again", async () => {
  const both = [await at("gate"), await at("shift")];
  const letGo = await holding("SELECT FROM jobs WHERE id = $1 FOR UPDATE", [both[0]?.job.id]);
  const lost = Promise.allSettled(both.map(answer));
  await on.database.query("SELECT pg_terminate_backend($1)", [await waitingStatement()]);
  for (const result of await lost)
    expect(result).toMatchObject({ status: "rejected", reason: { code: "database-unavailable", retryable: true } });
  await letGo();
  for (const one of both) expect((await answer(one)).accepted).toBe(true);
  for (const { rollout } of both) await whole(rollout.id, (await on.rollout(rollout.id)).phase);
});

test("a commit whose answer was lost is not done again, and the job that followed is found by its worker", async () => {
  const { database } = on;
  const deaf = instead(database, {
    together: async (statements) => {
      await database.together(statements);
      throw new StoreError("database-unavailable", "the answer was lost", { retryable: true });
    },
  });
  const one = await at("snapshot");
  const lost = new AnswerCommits({ ...on.parts, database: deaf }).commit(answerOf(me.id, one.job), one.rollout);
  await expect(lost).rejects.toMatchObject({ code: "database-unavailable" });
  await expect(answer(one)).rejects.toThrow(Fenced);
  expect((await on.rollout(one.rollout.id)).sequence).toBe(one.rollout.sequence + 1);
  await whole(one.rollout.id, "Snapshotting");
  await database.query("UPDATE jobs SET claimed_at = now() - interval '3 seconds' WHERE rollout = $1", [
    one.rollout.id,
  ]);
  expect(await releaseJobs(database, me.id, [])).toBeGreaterThanOrEqual(1);
});

test("an answer that cannot be stored fails alone", async () => {
  const [bad, good] = [await at("provision"), await at("provision")];
  const unstorable: Answer = answerOf(me.id, bad.job, {
    ...{ type: "command-failed", command: "provision", message: "a byte that no text may hold: \0" },
  });
  const [first, second] = await Promise.allSettled([answers.commit(unstorable, bad.rollout), answer(good)]);
  expect(first).toMatchObject({ status: "rejected", reason: { code: "22P05" } });
  expect(second).toMatchObject({ status: "fulfilled", value: { rollout: { phase: "Shifting" } } });
  await whole(bad.rollout.id, "Provisioning");
  await whole(good.rollout.id, "Shifting");
});

test("whoever listens and throws takes no answer from anybody, of this batch or the next", async () => {
  const parts = {
    ...on.parts,
    onCommitted: () => {
      throw new Error("a counter that fails");
    },
  };
  const mine = new AnswerCommits(parts);
  const [one, two] = [await begun(), await begun()];
  const both = await Promise.all([one, two].map(({ job, rollout }) => mine.commit(answerOf(me.id, job), rollout)));
  const [first] = both;
  if (first?.next === undefined) throw new Error("the next job was wanted");
  expect((await mine.commit(answerOf(me.id, first.next), first.rollout)).accepted).toBe(true);
  const third = await begun();
  expect((await commit(parts, answerOf(me.id, third.job))).accepted).toBe(true);
  expect(on.logged.filter(({ event }) => event === "commit-not-counted").length).toBeGreaterThanOrEqual(4);
});

test("a log that throws ends no worker's commits for ever", async () => {
  const { log } = on.parts;
  let broken = true;
  const info: typeof log.info = (event, facts) => {
    if (broken) throw new Error("the disk is full");
    log.info(event, facts);
  };
  const mine = new AnswerCommits({ ...on.parts, log: { ...log, info } });
  const [one, two] = [await begun(), await begun()];
  expect((await mine.commit(answerOf(me.id, one.job), one.rollout)).accepted).toBe(true);
  broken = false;
  expect((await mine.commit(answerOf(me.id, two.job), two.rollout)).accepted).toBe(true);
});

test("whoever waits for a freed slot's lock holds up no other answer", async () => {
  const stuck = instead(on.database, { query: () => new Promise(() => undefined) });
  const mine = new AnswerCommits({ ...on.parts, database: stuck });
  const [last, next] = [await at("promote"), await at("promote")];
  expect((await mine.commit(answerOf(me.id, last.job), last.rollout)).rollout.phase).toBe("Succeeded");
  expect((await mine.commit(answerOf(me.id, next.job), next.rollout)).rollout.phase).toBe("Succeeded");
});

test("a worker that was given up begins nothing more, though a job was just claimed for it", async () => {
  const acted: string[] = [];
  on.faults.plan = ({ method }) => void acted.push(method);
  const one = await begun();
  const runner: JobRunner = new JobRunner(me.id, {
    ...{ host: "here", effectSlots: 1, watchSlots: 1, onRetry: () => undefined, onFree: () => freed.resolve() },
    parts: { ...on.parts, onCommitted: () => runner.abandon() },
  });
  const freed = Promise.withResolvers<void>();
  runner.run(one);
  await freed.promise;
  await whole(one.rollout.id, "Snapshotting");
  expect({ acted, busy: runner.isBusy() }).toEqual({ acted: [], busy: false });
  on.faults.plan = () => undefined;
});
