import { type Attributes, isMoney } from "./attributes.ts";
import { type BoundarySpace, boundarySpace, POINTS_MAX } from "./boundary-space.ts";
import type { Decision } from "./decision.ts";
import { evaluate } from "./evaluate.ts";
import { foresee } from "./foresee.ts";
import type { Policy, PolicySet } from "./policy.ts";

export interface PolicyDiff {
  before: string;
  after: string;
  changes: PolicyChange[];
  /** One example of each kind of difference that the change makes to decisions, the gravest first. */
  witnesses: Witness[];
  /** How many questions were put to both sets, and how many there would have been. */
  asked: number;
  possible: number;
}

export interface PolicyChange {
  id: string;
  clause: string;
  change: "added" | "removed" | "changed" | "reworded";
}

export interface Witness {
  /** The attributes that the changed policies read, with money in USD; everything else breaks nothing. */
  when: Record<string, unknown>;
  before: Outcome;
  after: Outcome;
  /** Policies that speak after and did not before, and the other way round. */
  gained: string[];
  lost: string[];
}

type Outcome = Decision["decision"];

/**
 * What a change of policies does. The space of plans is projected on the attributes that changed policies read, with
 * the values on both sides of every limit in either version; each point is put to both sets, and every kind of
 * transition is shown by one point.
 */
export function diffPolicySets(before: PolicySet, after: PolicySet): PolicyDiff {
  const changes = changesOf(before, after);
  const speaking = changes.filter(({ change }) => change !== "reworded");
  const changed = speaking.flatMap(({ id }) => [before.policies.get(id), after.policies.get(id)]);
  const policies = changed.filter((policy) => policy !== undefined);
  const space = boundarySpace(policies, pointsFor(before, after));
  const { witnesses, asked } = explore(before, after, space);
  return { before: before.digest, after: after.digest, changes, witnesses, asked, possible: space.possible };
}

/** Each question goes through every policy of both sets: with very many of them fewer are put, so that nobody waits. */
const WORK_MAX = 1_000_000;

function pointsFor(before: PolicySet, after: PolicySet): number {
  return Math.min(POINTS_MAX, Math.ceil(WORK_MAX / (before.policies.size + after.policies.size)));
}

function changesOf(before: PolicySet, after: PolicySet): PolicyChange[] {
  const ids = new Set([...before.policies.keys(), ...after.policies.keys()]);
  return [...ids].flatMap((id) => {
    const old = before.policies.get(id);
    const now = after.policies.get(id);
    const change = kindOf(old, now);
    return change === undefined ? [] : [{ id, clause: (now ?? old)?.clause ?? id, change }];
  });
}

function kindOf(old: Policy | undefined, now: Policy | undefined): PolicyChange["change"] | undefined {
  if (old === undefined) return "added";
  if (now === undefined) return "removed";
  if (old.meaning !== now.meaning) return "changed";
  return old.text === now.text ? undefined : "reworded";
}

function explore(before: PolicySet, after: PolicySet, space: BoundarySpace): { witnesses: Witness[]; asked: number } {
  if (space.reads.length === 0 && space.possible === 0) return { witnesses: [], asked: 0 };
  const found = new Map<string, Witness>();
  let asked = 0;
  for (const point of space.points()) {
    asked += 1;
    if (!mayDiffer(before, after, point)) continue;
    const old = speaking(before, point);
    const now = speaking(after, point);
    const gained = now.ids.filter((id) => !old.ids.includes(id));
    const lost = old.ids.filter((id) => !now.ids.includes(id));
    if (gained.length === 0 && lost.length === 0) continue;
    const kind = JSON.stringify([old.outcome, now.outcome, gained, lost]);
    if (found.has(kind)) continue;
    found.set(kind, { when: shownPoint(space.reads, point), before: old.outcome, after: now.outcome, gained, lost });
  }
  const witnesses = [...found.values()].sort((a, b) => gravity(b) - gravity(a));
  return { witnesses, asked };
}

/** Most points are the same to both sets; foreseeing that is cheap, and what differs is put to Cedar. */
function mayDiffer(before: PolicySet, after: PolicySet, point: Attributes): boolean {
  const ids = (set: PolicySet) => foresee(set, "human", point).map(({ id }) => id);
  return ids(before).join() !== ids(after).join();
}

function speaking(set: PolicySet, point: Attributes): { outcome: Outcome; ids: string[] } {
  const { forbidding, failures } = evaluate(set, "human", point);
  const levels = new Set(forbidding.map(({ level }) => level));
  const denied = levels.has("deny") || failures.length > 0;
  const outcome = denied ? "deny" : levels.has("approval") ? "needs-approval" : "allow";
  return { outcome, ids: forbidding.map(({ id }) => id) };
}

/** A plan that newly passes matters more than one that newly does not; no change of the outcome matters least. */
function gravity({ before, after }: Witness): number {
  const rank: Record<Outcome, number> = { deny: 0, "needs-approval": 1, allow: 2 };
  const step = rank[after] - rank[before];
  return step > 0 ? 10 + step : -step;
}

function shownPoint(reads: readonly string[], point: Attributes): Record<string, unknown> {
  const shown = reads.map((name) => {
    const value = point[name as keyof Attributes];
    return [
      name.replace("MicroUsdPerHour", "UsdPerHour"),
      isMoney(name) && typeof value === "number" ? value / 1e6 : (value ?? null),
    ];
  });
  return Object.fromEntries(shown);
}
