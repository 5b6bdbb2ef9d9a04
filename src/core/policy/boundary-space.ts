import { type Attributes, isMoney, OPTIONAL_ATTRIBUTES, wordsOf } from "./attributes.ts";
import type { Policy } from "./policy.ts";

/** The points of the plan space at which some policies could change their answer. */
export interface BoundarySpace {
  /** The attributes that vary: those the policies read, and the environment. */
  reads: string[];
  /** How many points there are; `points` yields at most as many as were asked for, spread over the whole. */
  possible: number;
  points(): Generator<Attributes>;
}

export const POINTS_MAX = 10_000;

export function boundarySpace(policies: readonly Policy[], pointsMax = POINTS_MAX): BoundarySpace {
  if (policies.length === 0) return { reads: [], possible: 0, *points() {} };
  const reads = [...new Set(["environment", ...policies.flatMap((policy) => [...policy.reads])])].sort();
  const literals = new Set(policies.flatMap((policy) => [...policy.literals]));
  const values = reads.map((name) => valuesOf(name as keyof Attributes, literals));
  const possible = values.reduce((product, { length }) => product * length, 1);
  return { reads, possible, points: () => pointsOf(reads, values, { possible, pointsMax }) };
}

function* pointsOf(
  reads: readonly string[],
  values: readonly unknown[][],
  { possible, pointsMax }: { possible: number; pointsMax: number },
): Generator<Attributes> {
  // A stride that shares no factor with the sizes would be best; a prime one is near enough to spread the sample.
  const stride = possible <= pointsMax ? 1 : 7919;
  for (let count = 0; count < Math.min(possible, pointsMax); count++) {
    let rest = (count * stride) % possible;
    const chosen: Record<string, unknown> = {};
    values.forEach((choices, index) => {
      chosen[reads[index] ?? ""] = choices[rest % choices.length];
      rest = Math.floor(rest / choices.length);
    });
    yield pointAt(chosen);
  }
}

/** A point that breaks no shipped clause but for what was chosen; an absent value is left out, as Cedar wants it. */
function pointAt(chosen: Record<string, unknown>): Attributes {
  const environment = String(chosen["environment"]);
  const point = { ...QUIET, environment, instanceCount: environment === "production" ? 2 : 1, ...chosen };
  const present = Object.entries(point).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as unknown as Attributes;
}

const EVIDENCE = [...(wordsOf("verified") ?? [])];
const MONITOR_PARTS = [...(wordsOf("monitorParts") ?? [])];

const QUIET: Attributes = {
  gate: "propose",
  environment: "development",
  target: "local",
  runtime: "gpu",
  workload: "inference",
  strategy: "canary",
  labels: [],
  modelName: "model",
  modelVersion: "1",
  imageNamed: false,
  dryRun: false,
  instanceType: "ml.m5.large",
  instanceCount: 1,
  approvedTypes: ["ml.m5.large"],
  costMicroUsdPerHour: 230_000,
  environmentMicroUsdPerHour: 230_000,
  peakMicroUsdPerHour: 230_000,
  environmentPeakMicroUsdPerHour: 230_000,
  alarms: ["ModelMonitorAlarm", "DataDriftAlarm"],
  onHealthCheckFailure: true,
  monitorParts: MONITOR_PARTS,
  stepPercent: 10,
  deadlineSeconds: 600,
  bakeSecondsTotal: 120,
  namesAreOwn: true,
  unknownNames: [],
  breaker: "closed",
  breakerFailures: 0,
  breakerLimit: 3,
  verified: EVIDENCE,
  approved: true,
  approvedMfaSigned: true,
  budgetApproved: true,
  snapshot: "verified",
  restore: false,
};

/** The values of one attribute on both sides of everything it may be compared with. */
function valuesOf(name: keyof Attributes, literals: ReadonlySet<unknown>): unknown[] {
  const known = wordsOf(name);
  const quiet = QUIET[name];
  if (known !== undefined && !Array.isArray(quiet)) return [...known];
  if (typeof quiet === "boolean") return [true, false];
  if (Array.isArray(quiet)) return listValues(name, quiet, literals);
  if (typeof quiet === "string") return distinct([quiet, ...texts(literals), "something-else"]);
  const numbers = [...literals].filter((literal) => typeof literal === "number");
  // Money is compared with amounts of money, counts and seconds with small numbers: a limit tells them apart by size.
  const fitting = numbers.filter((number) => isMoney(name) === number >= 10_000);
  const around = fitting.flatMap((number) => [number - 1, number, number + 1]).filter((number) => number >= 0);
  const values = distinct<unknown>([quiet ?? 230_000, ...around]);
  return OPTIONAL_ATTRIBUTES.includes(name) ? [...values, undefined] : values;
}

/** Of a list: everything, nothing, and everything but one. */
function listValues(name: keyof Attributes, quiet: readonly string[], literals: ReadonlySet<unknown>): string[][] {
  const closed = name === "verified" || name === "monitorParts";
  const named = closed ? quiet.filter((member) => literals.has(member)) : texts(literals).slice(0, 8);
  const all = closed ? [...quiet] : distinct([...quiet, ...named]);
  const others = all.filter((member) => !named.includes(member));
  return [all, [...quiet], others, ...named.map((member) => all.filter((other) => other !== member)), []];
}

function texts(literals: ReadonlySet<unknown>): string[] {
  return [...literals].filter((literal) => typeof literal === "string");
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
