import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countingApprovals, unmetNeeds } from "./quorum.ts";
import type { Approval, ApprovalNeed } from "./rollout.ts";
import { needOf } from "./testing/rollouts.ts";

const approvalOf = (approver: string, change: Partial<Approval> = {}): Approval => ({
  approver,
  role: "approver",
  mfa: false,
  signed: false,
  atMs: 0,
  ...change,
});

const role = fc.constantFrom("approver" as const, "budget-owner" as const);
const needs = fc.array(
  fc.record({ role, count: fc.integer({ min: 1, max: 2 }), mfa: fc.boolean(), signed: fc.boolean() }),
  {
    maxLength: 3,
  },
);
const approvals = fc.array(
  fc.record({
    approver: fc.constantFrom("a", "b", "c", "d"),
    role,
    mfa: fc.boolean(),
    signed: fc.boolean(),
    atMs: fc.constant(0),
  }),
  { maxLength: 5 },
);

/** The most places that can be filled, by trying every assignment. */
function bestByTrying(places: ApprovalNeed[], people: Approval[]): number {
  const [first, ...rest] = people;
  if (first === undefined) return 0;
  const without = bestByTrying(places, rest);
  return places.reduce((best, need, at) => {
    if (need.role !== first.role || (need.mfa && !first.mfa) || (need.signed && !first.signed)) return best;
    return Math.max(best, 1 + bestByTrying(places.toSpliced(at, 1), rest));
  }, without);
}

describe("the quorum", () => {
  it("does not waste a signed approval on a need that asks for no signature", () => {
    const both = [needOf("approver", { mfa: true }), needOf("approver", { signed: true })];
    const given = [approvalOf("ann", { mfa: true, signed: true }), approvalOf("bob", { mfa: true })];
    expect(unmetNeeds(both, given)).toEqual([]);
  });

  it("says how many are left of each need", () => {
    const left = unmetNeeds([needOf("approver", { count: 3 }), needOf("budget-owner")], [approvalOf("ann")]);
    expect(left).toEqual([needOf("approver", { count: 2 }), needOf("budget-owner")]);
  });

  it("fills as many places as any assignment could, and each person fills one", () => {
    fc.assert(
      fc.property(needs, approvals, (wanted, given) => {
        const people = given.filter((one, index) => given.findIndex((a) => a.approver === one.approver) === index);
        const places = wanted.flatMap((need) => Array.from({ length: need.count }, () => need));
        const best = bestByTrying(places, people);
        expect(countingApprovals(wanted, given)).toBe(best);
        const left = unmetNeeds(wanted, given).reduce((sum, need) => sum + need.count, 0);
        expect(left).toBe(places.length - best);
      }),
    );
  });
});
