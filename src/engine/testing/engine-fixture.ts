import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readPolicyFiles, shippedPolicyFolder } from "../../config/policy-files.ts";
import type { Plan } from "../../core/plan/schema.ts";
import type { PolicySettings, PriceTable } from "../../core/policy/decision.ts";
import { loadPolicySet } from "../../core/policy/load-policy-set.ts";
import { isTerminal } from "../../core/rollout/phases.ts";
import type { Rollout } from "../../core/rollout/rollout.ts";
import { MemoryArtifacts } from "../../drivers/artifacts/memory/memory-artifacts.ts";
import { memoryImages } from "../../drivers/images/memory/memory-images.ts";
import { localSignatures } from "../../drivers/signatures/local/local-signatures.ts";
import { mockSignatures } from "../../drivers/signatures/mock/mock-signatures.ts";
import type { FaultPlan, SimulatedBehaviour } from "../../drivers/target/simulated/simulated-fault.ts";
import { SimulatedTarget } from "../../drivers/target/simulated/simulated-target.ts";
import { type Database, openDatabase } from "../../store/database.ts";
import { SimulatedStateTable } from "../../store/queries/simulated-state.ts";
import { createTestDatabase, type TestDatabase } from "../../store/testing/test-database.ts";
import { type Committed, type EventBody, signal } from "../commit.ts";
import type { Actor, EngineParts } from "../engine.ts";
import { type Proposal, propose } from "../proposal.ts";
import { loadRollout } from "../rollout-rows.ts";
import { Worker, type WorkerOptions } from "../worker.ts";

/** An engine on a database of its own, with the real policy set and the simulated target. */

export const TENANT = "acme";
export const ROBOT: Actor = { id: "robot", kind: "agent", owner: "olga" };
export const OLGA: Actor = { id: "olga", kind: "human" };

export interface EngineFixture {
  parts: EngineParts;
  url: string;
  database: Database;
  /** What was logged, newest last. */
  logged: { event: string; facts: Record<string, unknown> }[];
  /** How a version behaves under traffic, by model version; healthy when not named. */
  behaviour: Map<string, SimulatedBehaviour>;
  /** Consulted before each call of the target. */
  faults: { plan: FaultPlan };
  propose(plan: Partial<TestPlan>, how?: Pick<Proposal, "supersede">): Promise<Rollout>;
  signal(rolloutId: string, event: EventBody, cause?: string): Promise<Committed>;
  rollout(id: string): Promise<Rollout>;
  /** The rollout once it is so; fails after `ms`, saying where it stands. */
  until(id: string, is: (rollout: Rollout) => boolean, ms?: number): Promise<Rollout>;
  ended(id: string, ms?: number): Promise<Rollout>;
  events(id: string): Promise<{ sequence: number; type: string; phase: string; cause: string }[]>;
  worker(options?: Partial<WorkerOptions>): Promise<Worker>;
  close(): Promise<void>;
}

interface TestPlan {
  name: string;
  version: string;
  environment: Plan["spec"]["environment"];
  rollout: Partial<Plan["spec"]["rollout"]>;
  dryRun: boolean;
  alarms: string[];
  monitor: Plan["spec"]["monitor"];
}

/** `url` names a database of the caller's, migrated and empty, instead of a fresh one. */
export async function engineFixture(options: { max?: number; url?: string } = {}): Promise<EngineFixture> {
  const max = options.max ?? 8;
  const on = options.url === undefined ? await createTestDatabase({ max }) : await ownDatabase(options.url, max);
  await seed(on.database);
  const logged: EngineFixture["logged"] = [];
  const behaviour = new Map<string, SimulatedBehaviour>();
  const faults: EngineFixture["faults"] = { plan: () => undefined };
  // As in a running program, the engine sees what a worker may; a database of the caller's has no such login.
  const seen = on.openAs("worker", { max });
  const parts = engineParts(seen, { logged, behaviour, faults });
  const workers: Worker[] = [];
  const rollout = async (id: string): Promise<Rollout> => {
    const found = await loadRollout(on.database, { tenant: TENANT, rolloutId: id });
    if (found === undefined) throw new Error(`there is no rollout ${id}`);
    return found;
  };
  const until: EngineFixture["until"] = async (id, is, ms = 15_000) => {
    for (const endMs = Date.now() + ms; ; await sleep(10)) {
      const found = await rollout(id);
      if (is(found)) return found;
      if (Date.now() > endMs) throw new Error(`${id} stands in ${found.phase}: ${JSON.stringify(found.reason)}`);
    }
  };
  return {
    ...{ parts, url: on.url, database: on.database, logged, behaviour, faults, rollout, until },
    propose: async (plan, how = {}) =>
      (await propose(parts, { tenant: TENANT, actor: ROBOT, plan: simulatedPlan(plan), ...how })).rollout,
    signal: (rolloutId, event, cause = `test/${Math.random()}`) =>
      signal(parts, { tenant: TENANT, rolloutId, event, actor: OLGA, cause }),
    ended: (id, ms) => until(id, ({ phase }) => isTerminal(phase), ms),
    events: (id) => events(on.database, id),
    worker: async (more = {}) => {
      const worker = new Worker({ parts, host: "here", ...more });
      await worker.start();
      workers.push(worker);
      return worker;
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.stop(2000)));
      await on.close();
    },
  };
}

export function engineParts(
  database: Database,
  seen: Pick<EngineFixture, "logged" | "behaviour" | "faults">,
): EngineParts {
  const policySet = loadPolicySet(readPolicyFiles(shippedPolicyFolder()));
  if (!policySet.ok) throw new Error(policySet.problem.message);
  const simulated = new SimulatedTarget({
    store: new SimulatedStateTable(database),
    nowMs: Date.now,
    behaviour: ({ modelVersion }) => seen.behaviour.get(modelVersion) ?? HEALTHY,
    faults: (call) => seen.faults.plan(call),
    sleep: (ms) => sleep(ms),
  });
  const log = (event: string, facts = {}) => void seen.logged.push({ event, facts });
  return {
    ...{ database, policySet: policySet.value, artifacts: new MemoryArtifacts(), nowMs: Date.now },
    images: memoryImages(),
    signatures: { live: localSignatures, simulated: mockSignatures },
    targets: new Map([["simulated", simulated]]),
    prices: shipped<PriceTable>("prices.json"),
    defaultSettings: shipped<PolicySettings>("settings.json"),
    log: { info: log, warn: log, error: log },
  };
}

const HEALTHY: SimulatedBehaviour = { outcome: "pass", errorRate: 0, latencyMs: 2, trips: false };
export const BROKEN: SimulatedBehaviour = { outcome: "fail", errorRate: 0.5, latencyMs: 2, trips: true };

function shipped<T>(file: string): T {
  return JSON.parse(readFileSync(join(shippedPolicyFolder(), file), "utf8")) as T;
}

export async function seed(database: Database): Promise<void> {
  await database.query("INSERT INTO tenants (tenant) VALUES ($1)", [TENANT]);
  await database.query(
    "INSERT INTO principals (tenant, id, kind, owner, roles) VALUES ($1, 'robot', 'agent', 'olga', '{}')",
    [TENANT],
  );
}

/** Short by default: no bake, so that a test waits for nothing but the engine. */
export function simulatedPlan(plan: Partial<TestPlan> = {}): Plan {
  const {
    name = "churn",
    version = "1.0.0",
    environment = "development",
    dryRun = false,
    alarms = ["ModelMonitorAlarm", "DataDriftAlarm"],
  } = plan;
  return {
    apiVersion: "continuum/v1",
    kind: "DeploymentPlan",
    metadata: { name },
    spec: {
      ...{ environment, target: "simulated", runtime: "gpu", workload: { kind: "inference" }, dryRun },
      model: { name, version, artifact: `store:sha256:${"a".repeat(64)}` },
      compute: { instanceType: "ml.m5.large", instanceCount: 1 },
      rollout: { strategy: "canary", stepPercent: 10, bakeSeconds: 0, deadlineSeconds: 600, ...plan.rollout },
      rollback: { alarms, onHealthCheckFailure: true },
      ...(plan.monitor === undefined ? {} : { monitor: plan.monitor }),
    },
  };
}

async function events(database: Database, rollout: string) {
  const { rows } = await database.query<{ sequence: number; type: string; phase: string; cause: string }>(
    "SELECT sequence, type, phase, cause FROM rollout_events WHERE tenant = $1 AND rollout = $2 ORDER BY sequence",
    [TENANT, rollout],
  );
  return rows;
}

async function ownDatabase(
  url: string,
  max: number,
): Promise<Pick<TestDatabase, "url" | "database" | "openAs" | "close">> {
  const database = await openDatabase(url, { max });
  return { url, database, openAs: () => database, close: () => database.close() };
}
