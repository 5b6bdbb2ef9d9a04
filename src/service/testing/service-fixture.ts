import { createHash, randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readPolicyFiles, shippedPolicyFolder } from "../../config/policy-files.ts";
import type { PrincipalKind, Role } from "../../contract/operation.ts";
import type { OperationInput, OperationName, OperationOutput } from "../../contract/operations.ts";
import { checkpointSigner } from "../../core/audit/checkpoint-signer.ts";
import { signStatement } from "../../core/evidence/sign.ts";
import { generateSigningKey, type SigningKey } from "../../core/evidence/signing-key.ts";
import { STATEMENT_TYPE, TEST_RESULT_TYPE } from "../../core/evidence/statement.ts";
import type { PlanInput } from "../../core/plan/schema.ts";
import type { PolicySettings, PriceTable } from "../../core/policy/decision.ts";
import { loadPolicySet } from "../../core/policy/load-policy-set.ts";
import { MemoryArchive } from "../../drivers/archive/memory/memory-archive.ts";
import { MemoryArtifacts } from "../../drivers/artifacts/memory/memory-artifacts.ts";
import { memoryImages } from "../../drivers/images/memory/memory-images.ts";
import type { AddressRules } from "../../drivers/notifications/webhook/address-rules.ts";
import { webhookNotifications } from "../../drivers/notifications/webhook/webhook-notifications.ts";
import { localSignatures } from "../../drivers/signatures/local/local-signatures.ts";
import { mockSignatures } from "../../drivers/signatures/mock/mock-signatures.ts";
import type { SimulatedBehaviour } from "../../drivers/target/simulated/simulated-fault.ts";
import { MemorySimulatedStore } from "../../drivers/target/simulated/simulated-store.ts";
import { SimulatedTarget } from "../../drivers/target/simulated/simulated-target.ts";
import { Worker } from "../../engine/worker.ts";
import type { Database } from "../../store/database.ts";
import { createTestDatabase } from "../../store/testing/test-database.ts";
import { bootstrap } from "../bootstrap.ts";
import { createService } from "../create-service.ts";
import type { ServiceParts } from "../handler.ts";
import type { Principal } from "../principal.ts";
import type { Service, ServiceAnswer } from "../service.ts";

/**
 * The whole service on a database of its own, with the shipped policy, an encrypted store in memory, and targets where
 * nothing real happens: the same simulation stands in for `local`, so that live rollouts can be followed to their end.
 */
export interface ServiceFixture {
  parts: ServiceParts;
  /** The same, over what a worker may see. */
  workerParts: ServiceParts;
  /** Of the database, for another connection to it. */
  url: string;
  /** As its owner sees it: everything. `parts.database` is what the API may see. */
  database: Database;
  service: Service;
  artifacts: MemoryArtifacts;
  /** The clock that everything but PostgreSQL's own reads; it runs, and can be moved. */
  clock: { offsetMs: number };
  /** How a version behaves under traffic, by model version; healthy when not named. */
  behaviour: Map<string, SimulatedBehaviour>;
  capacity: { reason: string | null };
  adminToken: string;
  /** A principal with its token, made on first use. */
  principal(id: string, kind: PrincipalKind, roles: Role[], owner?: string): Promise<Principal & { token: string }>;
  admin(): Promise<Principal>;
  call<N extends OperationName>(
    name: N,
    by: Principal,
    input?: Partial<OperationInput<N>>,
    more?: { idempotencyKey?: string },
  ): Promise<ServiceAnswer<N>>;
  /** Imports bytes, and test evidence for them unless told otherwise; answers the plan's reference. */
  artifact(content: string, how?: { evidence?: false; result?: "PASSED" | "FAILED" }): Promise<string>;
  worker(): Promise<Worker>;
  /** The rollout once it is in one of the phases. */
  until(id: string, phases: string[], ms?: number): Promise<OperationOutput<"rollouts.get">>;
  close(): Promise<void>;
}

export async function serviceFixture(): Promise<ServiceFixture> {
  const on = await createTestDatabase({ max: 12 });
  const { database } = on;
  // As in a running program: the service sees what the API may see, and workers what workers may.
  const seen = { api: on.openAs("api", { max: 12 }), worker: on.openAs("worker", { max: 8 }) };
  const artifacts = new MemoryArtifacts();
  const clock = { offsetMs: 0 };
  const behaviour: ServiceFixture["behaviour"] = new Map();
  const capacity: ServiceFixture["capacity"] = { reason: null };
  const parts = engineParts({ database: seen.api, artifacts, clock, behaviour, capacity });
  const workerParts = { ...parts, database: seen.worker };
  const made = await bootstrap({ ...parts, database });
  if (made === undefined) throw new Error("a fresh database has no principals");
  const service = createService(parts);
  const workers: Worker[] = [];
  const key = generateSigningKey(randomBytes);
  const authenticated = async (token: string): Promise<Principal & { token: string }> => {
    const principal = await service.authenticate(token);
    if (principal === undefined) throw new Error("the token is not known");
    return { ...principal, token };
  };
  const call: ServiceFixture["call"] = (name, by, input = {}, more = {}) =>
    service.call(name, {
      principal: by,
      input: { params: {}, query: {}, body: {}, ...input } as never,
      requestId: randomUUID(),
      ...more,
    });
  const fixture: ServiceFixture = {
    ...{
      parts,
      workerParts,
      url: on.url,
      database,
      service,
      artifacts,
      clock,
      behaviour,
      capacity,
      call,
      adminToken: made.token,
    },
    admin: () => authenticated(made.token),
    principal: async (principal, kind, roles, owner) => {
      const body = { principal, kind, roles, ...(owner === undefined ? {} : { owner }) };
      return authenticated((await call("tokens.create", await fixture.admin(), { body })).secret);
    },
    artifact: (content, how = {}) => importArtifact(fixture, key, content, how),
    worker: async () => {
      const worker = new Worker({ parts: workerParts, host: "here" });
      await worker.start();
      workers.push(worker);
      return worker;
    },
    until: (id, phases, ms = 15_000) => until(fixture, id, phases, ms),
    close: async () => {
      await Promise.all(workers.map((worker) => worker.stop(2000)));
      await on.close();
    },
  };
  return fixture;
}

/** Tests receive on loopback. */
const LOOPBACK: AddressRules = {
  ...{ internalHosts: new Set(["127.0.0.1"]), plainHttpHosts: new Set(["127.0.0.1"]), ports: new Set([443]) },
};

function engineParts(
  from: Pick<ServiceFixture, "database" | "artifacts" | "clock" | "behaviour" | "capacity">,
): ServiceParts {
  const policySet = loadPolicySet(readPolicyFiles(shippedPolicyFolder()));
  if (!policySet.ok) throw new Error(policySet.problem.message);
  const nowMs = () => Date.now() + from.clock.offsetMs;
  const target = () =>
    new SimulatedTarget({
      store: new MemorySimulatedStore(),
      nowMs,
      behaviour: ({ modelVersion }) => from.behaviour.get(modelVersion) ?? HEALTHY,
      sleep: (ms) => sleep(ms),
    });
  const local = target();
  local.capacity = async () => {
    const { reason } = from.capacity;
    return reason === null ? { ok: true } : { ok: false, code: "host-memory", reason };
  };
  const quiet = () => undefined;
  return {
    ...{ database: from.database, artifacts: from.artifacts, policySet: policySet.value, nowMs },
    images: memoryImages(),
    signatures: { live: localSignatures, simulated: mockSignatures },
    targets: new Map([
      ["simulated", target()],
      ["local", local],
    ]),
    prices: shipped<PriceTable>("prices.json"),
    defaultSettings: shipped<PolicySettings>("settings.json"),
    log: { info: quiet, warn: quiet, error: quiet },
    people: { relyingParty: () => RELYING_PARTY, session: { idleSeconds: 1800, absoluteSeconds: 43_200 } },
    checkpoints: {
      signer: async () => checkpointSigner({ current: Buffer.alloc(32, 3) }),
      ...{ archives: [new MemoryArchive()], witnessKeys: [], intervalMs: 60_000 },
    },
    bundles: { secret: async () => Buffer.alloc(32, 2), validDays: 7 },
    // Nobody answers there: what a token is compared with needs the issuer alone.
    workloadIssuer: {
      ...{
        issuer: "https://issuer.test",
        jwksUrl: "http://127.0.0.1:9/jwks",
        audience: "continuum",
        tenant: "default",
      },
    },
    groundTruth: { captureKey: async () => Buffer.alloc(32, 7) },
    webhooks: { notifications: webhookNotifications({ rules: LOOPBACK }), sealingKey: async () => Buffer.alloc(32, 1) },
  };
}

/** Where browsers would find the fixture. */
export const RELYING_PARTY = { origin: "https://continuum.example", id: "continuum.example" };

const HEALTHY: SimulatedBehaviour = { outcome: "pass", errorRate: 0, latencyMs: 2, trips: false };
export const BROKEN: SimulatedBehaviour = { outcome: "fail", errorRate: 0.5, latencyMs: 2, trips: true };

function shipped<T>(file: string): T {
  return JSON.parse(readFileSync(join(shippedPolicyFolder(), file), "utf8")) as T;
}

async function importArtifact(
  fixture: ServiceFixture,
  key: SigningKey,
  content: string,
  how: { evidence?: false; result?: "PASSED" | "FAILED" },
): Promise<string> {
  const admin = await fixture.admin();
  const bytes = Buffer.from(content);
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  await fixture.call("artifacts.put", admin, { params: { digest }, body: bytes });
  if (how.evidence === false) return `store:${digest}`;
  const body = { purpose: "tests" as const, publicKey: key.publicKey.spkiPem };
  await fixture.call("keys.import", admin, { body });
  const bundle = testEvidence(key, digest, how.result ?? "PASSED");
  await fixture.call("evidence.add", admin, { body: { bundle } });
  return `store:${digest}`;
}

/** A signed statement that the tests of the artifact ended so. */
export function testEvidence(key: SigningKey, digest: string, result: "PASSED" | "FAILED"): Record<string, unknown> {
  const statement = {
    _type: STATEMENT_TYPE,
    subject: [{ name: "model", digest: { sha256: digest.slice("sha256:".length) } }],
    predicateType: TEST_RESULT_TYPE,
    predicate: { result, configuration: [], passedTests: [], failedTests: [] },
  };
  return JSON.parse(signStatement(statement as never, key)) as Record<string, unknown>;
}

async function until(fixture: ServiceFixture, id: string, phases: string[], ms: number) {
  const admin = await fixture.admin();
  for (const endMs = Date.now() + ms; ; await sleep(10)) {
    const found = await fixture.call("rollouts.get", admin, { params: { id } });
    if (phases.includes(found.phase)) return found;
    if (Date.now() > endMs) throw new Error(`${id} stands in ${found.phase}: ${JSON.stringify(found.reason)}`);
  }
}

export interface TestPlan {
  name?: string;
  environment?: "development" | "staging" | "production";
  target?: "local" | "simulated" | "braket";
  artifact: string;
  version?: string;
  instanceType?: string;
  instanceCount?: number;
  dryRun?: boolean;
  image?: string;
}

/** A plan that the policy has nothing against, with no bake, so that a test waits for nothing but the engine. */
export function planOf(plan: TestPlan): PlanInput {
  const { name = "churn", environment = "development", target = "local", version = "1.0.0" } = plan;
  const production = environment === "production";
  return {
    apiVersion: "continuum/v1",
    kind: "DeploymentPlan",
    metadata: { name },
    spec: {
      ...{ environment, target },
      model: { name, version, artifact: plan.artifact, ...(plan.image === undefined ? {} : { image: plan.image }) },
      compute: {
        instanceType: plan.instanceType ?? "ml.m5.large",
        instanceCount: plan.instanceCount ?? (production ? 2 : 1),
      },
      rollout: { bakeSeconds: 0 },
      rollback: { alarms: ["ModelMonitorAlarm", "DataDriftAlarm"] },
      ...(production
        ? {
            monitor: {
              baseline: plan.artifact,
              dataDrift: {},
              modelQuality: { label: "churned", problem: "binary" },
              bias: { facet: "gender", favoured: ["f"] },
            },
          }
        : {}),
      ...(plan.dryRun === undefined ? {} : { dryRun: plan.dryRun }),
    },
  };
}
