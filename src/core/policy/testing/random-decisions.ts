import { withDefaults } from "../../plan/defaults.ts";
import { ENVIRONMENTS, type PlanInput, RUNTIMES, STRATEGIES, TARGETS, WORKLOADS } from "../../plan/schema.ts";
import type { DecideInput, EvidenceKind, Facts, PolicySettings, PriceTable } from "../decision.ts";

/** Seeded plans and facts that crowd around every limit of the clauses. The same seed gives the same ones. */
export interface Ground {
  prices: PriceTable;
  settings: PolicySettings;
}

export type Random = () => number;

/** Mulberry32: small, seeded and good enough to spread over the cases. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function randomDecision(random: Random, ground: Ground): Omit<DecideInput, "planDigest"> {
  const pick = <T>(...of: readonly [T, ...T[]]): T => of[Math.floor(random() * of.length)] ?? of[0];
  const chance = (share: number) => random() < share;
  const prices = chance(0.7)
    ? ground.prices
    : chance(0.3)
      ? withoutSome(ground.prices, chance)
      : inRoundSums(ground.prices);
  const settings = chance(0.8) ? ground.settings : otherSettings(ground.settings, pick);
  const environment = pick(...ENVIRONMENTS);
  const usual = ["ml.m5.large", "ml.m5.xlarge", "ml.g5.12xlarge"] as const;
  const odd = [
    "ml.p4d.24xlarge",
    "ml.nothing",
    "ML.M5.LARGE",
    "toString",
    "__proto__",
    "constructor",
    "ml.m5.large ",
  ] as const;
  const priced = Object.keys(ground.prices.usdPerHour) as [string, ...string[]];
  const instanceType = chance(0.6) ? pick(...usual) : chance(0.8) ? pick(...priced) : pick(...odd);
  const price = (Object.hasOwn(prices.usdPerHour, instanceType) ? prices.usdPerHour[instanceType] : undefined) ?? 1;
  const spec: PlanInput["spec"] = {
    environment,
    model: {
      name: "churn",
      version: "1",
      artifact: `store:sha256:${"a".repeat(64)}`,
      ...(chance(0.3) && { image: `registry/churn@sha256:${"b".repeat(64)}` }),
    },
    compute: { instanceType, ...(chance(0.9) && { instanceCount: randomCount(random, pick, price) }) },
    ...(chance(0.25) && { target: pick(...TARGETS) }),
    ...(chance(0.2) && { runtime: pick(...RUNTIMES) }),
    ...(chance(0.2) && { workload: { kind: pick(...WORKLOADS) } }),
    ...(chance(0.2) && { budget: chance(0.1) ? {} : { maxUsdPerHour: randomOwnCap(random, pick, price) } }),
    ...(chance(0.7) && { rollout: randomRollout(pick, chance) }),
    ...(chance(0.9) && { rollback: randomRollback(pick, chance) }),
    ...(chance(0.7) && { monitor: randomMonitor(pick, chance) }),
    ...(chance(0.5) && { dryRun: chance(0.5) }),
  };
  const plan = withDefaults({ apiVersion: "continuum/v1", kind: "DeploymentPlan", metadata: { name: "churn" }, spec });
  const costMicro = Math.round(price * 1e6) * plan.spec.compute.instanceCount;
  return {
    plan,
    prices,
    settings,
    facts: randomFacts(random, pick, costMicro, environment === "production" ? 50e6 : 15e6),
  };
}

type Pick_ = <T>(...of: readonly [T, ...T[]]) => T;
type Chance = (share: number) => boolean;

/** Small counts, and those where one more instance crosses a limit of the clauses. */
function randomCount(random: Random, pick: Pick_, price: number): number {
  if (random() < 0.55) return pick(1, 1, 2, 2, 3, 4, 5, 8);
  const edge = Math.floor(pick(15, 30, 50, 100) / price) + pick(-1, 0, 0, 1);
  return Math.min(10_000, Math.max(1, edge));
}

function randomOwnCap(random: Random, pick: Pick_, price: number): number {
  const around = price * pick(1, 2, 3, 10) + pick(-1e-6, -4e-7, -1e-9, 0, 0, 4e-7, 1e-6);
  return random() < 0.7 ? around : pick(1e-9, 0.1, 14.99, 15, 30, 50, 100, 1e9);
}

function randomRollout(pick: Pick_, chance: Chance): PlanInput["spec"]["rollout"] {
  return {
    ...(chance(0.8) && { strategy: pick(...STRATEGIES) }),
    ...(chance(0.7) && { stepPercent: pick(1, 3, 10, 33, 34, 49, 50, 51, 99, 100) }),
    ...(chance(0.7) && { bakeSeconds: pick(0, 1, 6, 60, 299, 300, 301, 599, 600, 601) }),
    ...(chance(0.7) && { deadlineSeconds: pick(1, 60, 120, 599, 600, 601, 1200, 604_800) }),
  };
}

function randomRollback(pick: Pick_, chance: Chance): PlanInput["spec"]["rollback"] {
  const both = ["ModelMonitorAlarm", "DataDriftAlarm"];
  const many = (count: number) => Array.from({ length: count }, (_, index) => `Alarm${index}`);
  const rare = pick(
    [],
    ["DataDriftAlarm"],
    ["ModelMonitorAlarm"],
    ["modelmonitoralarm", "DataDriftAlarm"],
    many(30),
    many(31),
    many(32),
    ["DataDriftAlarm", "DataDriftAlarm", ...many(3)],
  );
  const alarms = chance(0.6) ? pick(both, both.toReversed(), [...both, "Own"]) : rare;
  return { ...(chance(0.9) && { alarms }), ...(chance(0.4) && { onHealthCheckFailure: chance(0.6) }) };
}

function randomMonitor(pick: Pick_, chance: Chance): NonNullable<PlanInput["spec"]["monitor"]> {
  return {
    ...(chance(0.85) && { baseline: "file:./baseline.csv" }),
    ...(chance(0.85) && { dataDrift: pick<Record<string, unknown>>({}, { psi: 0.2 }) }),
    ...(chance(0.85) && {
      modelQuality: pick<Record<string, unknown>>({ label: "y" }, { label: "y" }, {}, { label: "" }, { label: 3 }),
    }),
    ...(chance(0.85) && {
      bias: pick<Record<string, unknown>>({ facet: "g" }, { facet: "g" }, {}, { facet: " " }, { favoured: ["f"] }),
    }),
  };
}

const EVIDENCE = [
  "tests",
  "image-signature",
  "manifest-signature",
  "provenance",
  "encryption",
  "artifact-digest",
  "approver-signature",
  "baseline",
  "dry-run",
] as const satisfies readonly EvidenceKind[];

function randomFacts(random: Random, pick: Pick_, costMicro: number, capMicro: number): Facts {
  const chance = (share: number) => random() < share;
  const principal = { kind: pick("human", "agent", "service") } as const;
  if (chance(0.2)) return { gate: "propose", source: pick("shipped", "bundle"), principal };
  const running = pick(0, 0, costMicro, costMicro + 1, Math.floor(costMicro / 2), 14_000_000, 49_000_000, 99_000_000);
  const room = capMicro - Math.max(costMicro, running);
  const others = chance(0.5)
    ? 0
    : Math.max(0, pick(room - 1, room, room + 1, room - running, 14_900_000, 49_900_000, capMicro + 1));
  const evidence = Object.fromEntries(EVIDENCE.filter(() => chance(0.7)).map((kind) => [kind, true as const]));
  const who = () => ({
    role: pick<"approver" | "budget-owner">("approver", "budget-owner"),
    approver: pick("ada", "ben", "cid"),
    mfa: chance(0.7),
    signed: chance(0.7),
  });
  return {
    gate: pick("propose", "verify", "pre-provision"),
    source: "server",
    principal,
    environmentMicroUsdPerHour: others,
    endpointMicroUsdPerHour: running,
    breaker: { state: pick("closed", "closed", "closed", "open", "half-open"), failures: pick(0, 2, 3, 4), limit: 3 },
    namesAreOwn: chance(0.95),
    ...(chance(0.05) && { unknownNames: ["the artifact"] }),
    ...(chance(0.8) && { evidence }),
    ...(chance(0.8) && { approvals: Array.from({ length: pick(0, 1, 2, 3) }, who) }),
    ...(chance(0.6) && { snapshot: chance(0.7) }),
    ...(chance(0.1) && { restore: true }),
  };
}

function withoutSome(prices: PriceTable, chance: Chance): PriceTable {
  const kept = Object.entries(prices.usdPerHour).filter(() => chance(0.6));
  return { ...prices, usdPerHour: Object.fromEntries(kept) };
}

/** Prices of which some count costs $15, $30, $50 and $100 to the cent: no sum of the shipped ones does. */
function inRoundSums(prices: PriceTable): PriceTable {
  const round = { "ml.m5.large": 0.5, "ml.m5.xlarge": 1, "ml.g5.12xlarge": 10 };
  return { ...prices, usdPerHour: { ...prices.usdPerHour, ...round } };
}

function otherSettings(settings: PolicySettings, pick: Pick_): PolicySettings {
  const approvedProductionTypes = pick(
    [],
    ["ml.m5.large"],
    ["ml.unpriced"],
    ["ml.g5.48xlarge", "ml.m5.4xlarge"],
    ["ml.unpriced", "ml.g5.xlarge"],
  );
  return { ...settings, approvedProductionTypes };
}
