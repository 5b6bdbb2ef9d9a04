import type { PlanInput } from "../../../../src/core/plan/schema.ts";
import type { Random } from "../../../faults/random.ts";
import { planOf } from "../deployables.ts";
import type { Tenant } from "./tenants.ts";

/** What is to happen to a rollout beside the troubles. */
export type Fate = "left alone" | "paused" | "aborted" | "superseding" | "promoted" | "rejected" | "approved";

export interface Start {
  tenant: Tenant;
  plan: PlanInput;
  fate: Fate;
  /** From the beginning of the round. */
  atMs: number;
}

export const LOCAL_NAMES = ["churn", "fraud"];
const SIMULATED_NAMES = ["prices", "ranking", "demand"];
const STRATEGIES = ["all-at-once", "canary", "linear"] as const;
/** So many of a round's 60 are real models on the local target, and so many wait for an approval. */
const LOCAL = 24;
const WAITING = 6;
export const STARTS = 60;

/** One round: 60 plans of all strategies over two tenants and ten endpoints, spread over `spreadMs`. */
export function startsOf(
  round: number,
  { tenants, random, spreadMs }: { tenants: Tenant[]; random: Random; spreadMs: number },
): Start[] {
  return Array.from({ length: STARTS }, (_, index) => {
    const tenant = random.pick(tenants);
    const version = `${round}.${index}.0`;
    const atMs = random.integer(0, spreadMs);
    if (index < LOCAL) return { tenant, atMs, ...localStart(tenant, version, random) };
    if (index < LOCAL + WAITING) return { tenant, atMs, ...waitingStart(tenant, `${version}-${index}`, random) };
    return { tenant, atMs, ...simulatedStart(tenant, version, random) };
  });
}

function localStart(tenant: Tenant, version: string, random: Random): Pick<Start, "plan" | "fate"> {
  const broken = random.chance(0.2);
  const model = broken
    ? { version: `broken-${version}`, artifact: tenant.broken }
    : { version, artifact: random.pick(tenant.good) };
  const rollout = {
    strategy: random.pick(STRATEGIES),
    stepPercent: random.pick([34, 50]),
    bakeSeconds: 1,
    deadlineSeconds: 60,
  };
  const plan = planOf(random.pick(LOCAL_NAMES), model, { rollout });
  // Nobody promotes by hand what fails before his eyes.
  const fates: Fate[] = ["left alone", "left alone", "left alone", "paused", "aborted", "superseding"];
  return { plan, fate: random.pick(broken ? fates : [...fates, "promoted"]) };
}

/** Three instances in staging need an approver; whatever he says, no effect comes of it. */
function waitingStart(tenant: Tenant, version: string, random: Random): Pick<Start, "plan" | "fate"> {
  const plan = planOf(
    "waiting",
    { version, artifact: random.pick(tenant.good) },
    { environment: "staging", compute: { instanceType: "ml.m5.large", instanceCount: 3 } },
  );
  return { plan, fate: random.pick<Fate>(["approved", "approved", "rejected", "aborted"]) };
}

function simulatedStart(tenant: Tenant, version: string, random: Random): Pick<Start, "plan" | "fate"> {
  const rollout = {
    strategy: random.pick(STRATEGIES),
    stepPercent: random.pick([10, 25, 50]),
    bakeSeconds: random.integer(0, 2),
    deadlineSeconds: 60,
  };
  const plan = planOf(
    random.pick(SIMULATED_NAMES),
    { version, artifact: random.pick(tenant.good) },
    { target: "simulated", environment: random.pick(["development", "staging"]), dryRun: random.chance(0.05), rollout },
  );
  const fates: Fate[] = ["left alone", "left alone", "left alone", "paused", "aborted", "superseding"];
  return { plan, fate: random.pick(fates) };
}
