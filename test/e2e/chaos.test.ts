import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { Random } from "../faults/random.ts";
import { Crowd, patiently } from "./testing/chaos/crowd.ts";
import { Diary } from "./testing/chaos/diary.ts";
import {
  brokenJournal,
  type JournalEntry,
  keepSimulatedJournal,
  localJournal,
  simulatedJournal,
  unknownToTargets,
} from "./testing/chaos/effect-journal.ts";
import { PatientTraffic } from "./testing/chaos/patient-traffic.ts";
import { brokenHistories, openRollouts, phaseCounts, unlikeWanted } from "./testing/chaos/records.ts";
import { LOCAL_NAMES, STARTS, startsOf } from "./testing/chaos/starts.ts";
import { makeTenants, openOwnDatabase, type Tenant } from "./testing/chaos/tenants.ts";
import { Trouble } from "./testing/chaos/trouble.ts";
import { type Continuum, startContinuum } from "./testing/continuum.ts";
import { deploy, invocable, planOf } from "./testing/deployables.ts";

// One installation of real processes, 60 plans and as many competing starts of the same plans, clients that ask all the
// time, and somebody who kills and freezes whatever there is. `npm run chaos` does it for an hour (CHAOS_MINUTES);
// without that it is one round. CHAOS_SEED repeats what was chosen at random; what the system makes of it may differ.

const asked = process.env.npm_lifecycle_event === "chaos";
const minutes = Number(process.env.CHAOS_MINUTES ?? (asked ? 60 : 0));
const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
const SPREAD_MS = 20_000;
const ALL_ENDED_MS_MAX = 90_000;
const SETTLED_MS_MAX = 30_000;
const RATE_PER_SECOND = 60;
/** Of each round; what is under way then must still come to its end. */
const TROUBLED_MS = 35_000;

test(`rollouts, effects and clients survive it when processes are killed and frozen (CHAOS_SEED=${seed})`, {
  timeout: 240_000 + minutes * 60_000 * 1.2,
}, async () => {
  const on = await startContinuum();
  const diary = new Diary();
  try {
    const run = await prepare(on, diary);
    const endMs = Date.now() + minutes * 60_000;
    try {
      for (let round = 1; round === 1 || Date.now() < endMs; round += 1) await playRound(run, round);
      await expectClientsServed(run);
    } finally {
      await run.trouble.stop();
      await Promise.all(run.traffic.map((one) => one.stop()));
      await run.database.close();
    }
    expect(await on.stop()).toEqual({ code: 0, left: [] });
    console.log(`chaos, seed ${seed}: ${diary.summary}; ${run.story.join("; ")}`);
    console.log(diary.lines.filter((line) => line.includes(" round ")).join("\n"));
  } catch (error) {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const where = diary.keep({ seed, logFile: on.logFile, why });
    throw new Error(`CHAOS_SEED=${seed}, see ${where}\n${why}\n${diary.lines.slice(-60).join("\n")}`, { cause: error });
  } finally {
    await on.clear();
  }
});

interface Run {
  on: Continuum;
  diary: Diary;
  random: Random;
  tenants: Tenant[];
  database: Database;
  traffic: PatientTraffic[];
  trouble: Trouble;
  story: string[];
}

async function prepare(on: Continuum, diary: Diary): Promise<Run> {
  const random = new Random(seed);
  const database = await openOwnDatabase(on);
  await keepSimulatedJournal(database);
  const tenants = await makeTenants(on, database);
  const traffic: PatientTraffic[] = [];
  for (const tenant of tenants) {
    const names = LOCAL_NAMES.map(async (name) => {
      const plan = planOf(name, { version: "0.0.0", artifact: tenant.good[0] ?? "" });
      const { phase } = await deploy(tenant.agents[0], plan);
      expect(phase).toBe("Succeeded");
      const url = await invocable({ servingUrl: on.servingUrl, invokeToken: tenant.invokeToken }, name);
      const bodies = ["1,2,3\n", "5,5,5\n"];
      return { url, token: tenant.invokeToken, bodies, connections: 4, ratePerSecond: RATE_PER_SECOND };
    });
    for (const options of await Promise.all(names)) traffic.push(new PatientTraffic(options));
  }
  const trouble = new Trouble({
    ...{ processes: on.processes, random: new Random(seed + 1), diary },
    ...{ databaseKillAtMs: random.integer(6_000, 18_000), databaseKillEveryMs: 300_000, pauseMs: 1_500 },
  });
  return { on, diary, random, tenants, database, traffic, trouble, story: [] };
}

/** 60 plans and their competitors to their ends, and then everything that must be true. */
async function playRound(run: Run, round: number): Promise<void> {
  const { on, diary, random, tenants, database, trouble, story } = run;
  diary.write("round", `${round}`);
  const crowd = new Crowd({ random, diary });
  trouble.resume();
  const peace = setTimeout(() => void trouble.pause(), TROUBLED_MS);
  await crowd.play(startsOf(round, { tenants, random, spreadMs: SPREAD_MS }));
  expect(crowd.wrong).toEqual([]);
  expect(crowd.joined + crowd.apart).toBe(STARTS);
  diary.write("round", `${round}: everybody has said what they had to say`);
  await allEnded(run);
  diary.write("round", `${round}: all rollouts have ended`);
  clearTimeout(peace);
  await trouble.pause();
  expect(await patiently(() => brokenHistories(database))).toEqual([]);
  const entries: JournalEntry[] = [...localJournal(on.log()), ...(await simulatedJournal(database))];
  expect(brokenJournal(entries)).toEqual([]);
  expect(await unknownToTargets(database, entries)).toEqual([]);
  for (const { admin } of tenants)
    expect(await patiently(() => admin.call("audit.verify", {}))).toMatchObject({ ok: true, problem: null });
  expect(faultsOfOurs(on.log())).toEqual([]);
  await settled(run);
  diary.write("round", `${round}: everything is looked through`);
  expect(run.traffic.flatMap(({ badAnswers }) => badAnswers)).toEqual([]);
  story.push(
    `round ${round}: ${JSON.stringify(await phaseCounts(database))}, ${entries.length} effects, ` +
      `${crowd.joined} of ${STARTS} competing starts joined`,
  );
}

async function allEnded({ database, tenants }: Run): Promise<void> {
  for (const endMs = Date.now() + ALL_ENDED_MS_MAX; ; await sleep(250)) {
    const open = await openRollouts(database).catch(() => undefined);
    if (open?.length === 0) return;
    // Whoever was asked for an approval and gave none says no at last; whoever paused and could not resume tries again.
    for (const { tenant, id, phase } of open ?? []) {
      const admin = tenants.find(({ name }) => name === tenant)?.admin;
      const verb = phase === "Paused" ? "resume" : phase === "AwaitingApproval" ? "abort" : undefined;
      if (verb !== undefined)
        await admin?.call(`rollouts.${verb}`, { params: { id }, body: {} }).catch(() => undefined);
    }
    if (Date.now() > endMs) expect(open, "these never ended").toEqual([]);
  }
}

/** What no trouble from outside explains: the program itself calls it a bug. */
function faultsOfOurs(log: string): string[] {
  const words = /"msg":"job-(given-back|abandoned)"|broken invariant|unhandled|uncaught|TypeError|ReferenceError/i;
  return log.split("\n").filter((line) => words.test(line));
}

/** What serves is what succeeded last, nothing runs beside it, and no replica is left that nobody knows. */
async function settled({ on, database, tenants }: Run): Promise<void> {
  const wrong = async () => [
    ...(await unlikeWanted(database, tenants)),
    ...on.processes.unknownReplicas().map((pid) => `replica ${pid} is nobody's`),
  ];
  await expect.poll(wrong, { timeout: SETTLED_MS_MAX, interval: 500 }).toEqual([]);
}

async function expectClientsServed({ traffic, story, diary }: Run): Promise<void> {
  await Promise.all(traffic.map((one) => one.stop()));
  const sum = (of: (one: PatientTraffic) => number) => traffic.reduce((total, one) => total + of(one), 0);
  expect(traffic.flatMap(({ badAnswers }) => badAnswers)).toEqual([]);
  expect(sum(({ bad }) => bad)).toBe(0);
  expect(sum(({ requests }) => requests)).toBeGreaterThan(1_000);
  // One in which nothing was killed or frozen proves nothing.
  expect(diary.count("SIGKILL")).toBeGreaterThanOrEqual(4);
  expect(diary.count("SIGSTOP")).toBeGreaterThanOrEqual(1);
  expect(diary.lines.filter((line) => line.includes("postgresql"))).not.toEqual([]);
  const longest = Math.max(...traffic.map(({ waitedMsMax }) => waitedMsMax));
  story.push(
    `${sum(({ requests }) => requests)} requests, ${sum(({ retried }) => retried)} sent again (longest ${longest} ms), ` +
      `${sum(({ brokenShare }) => brokenShare)} failed by broken canaries`,
  );
}
