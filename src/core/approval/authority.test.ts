import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { breaksGlass, unmetNeeds } from "../rollout/quorum.ts";
import type { Approval, ApprovalNeed } from "../rollout/rollout.ts";
import { needOf } from "../rollout/testing/rollouts.ts";
import { holdsRole, requirementFor, whyNotDecide } from "./authority.ts";

const ann = { id: "ann", kind: "human" as const, roles: ["approver"] };
const production = [needOf("approver", { mfa: true, signed: true }), needOf("budget-owner", { mfa: true })];

describe("who may decide", () => {
  test("is neither the proposer nor who answers for it, and no program", () => {
    expect(whyNotDecide(ann, { id: "robot", owner: "olga" })).toBeNull();
    expect(whyNotDecide(ann, { id: "ann", owner: null })).toMatchObject({ code: "own-plan" });
    expect(whyNotDecide(ann, { id: "robot", owner: "ann" })).toMatchObject({ code: "own-plan" });
    for (const kind of ["agent", "service"] as const) {
      expect(whyNotDecide({ ...ann, kind }, { id: "olga", owner: null })).toMatchObject({ code: "humans-only" });
    }
  });

  test("holds the role; an admin holds every one but break-glass", () => {
    expect(holdsRole(["admin"], "approver")).toBe(true);
    expect(holdsRole(["admin"], "break-glass")).toBe(false);
    expect(holdsRole(["approver"], "budget-owner")).toBe(false);
  });

  test("gives the open need of the role that is wanted, or of one that is held", () => {
    const at = { needs: production, approvals: [] };
    expect(requirementFor(ann, at, undefined)).toEqual({ role: "approver", mfa: true, signed: true });
    expect(requirementFor(ann, at, "budget-owner")).toMatchObject({ code: "forbidden" });
    expect(requirementFor({ roles: ["approver", "budget-owner"] }, at, "budget-owner")).toEqual({
      ...{ role: "budget-owner", mfa: true, signed: false },
    });
  });

  test("breaks the glass by the named role alone, always signed and with MFA, and never unasked", () => {
    const at = { needs: [needOf("approver")], approvals: [] };
    expect(requirementFor({ roles: ["admin"] }, at, "break-glass")).toMatchObject({ code: "forbidden" });
    expect(requirementFor({ roles: ["break-glass"] }, at, undefined)).toMatchObject({ code: "forbidden" });
    expect(requirementFor({ roles: ["break-glass"] }, at, "break-glass")).toEqual({
      ...{ role: "break-glass", mfa: true, signed: true },
    });
  });
});

const roles = fc.constantFrom("approver" as const, "budget-owner" as const, "break-glass" as const);
const approval = fc.record({
  ...{ approver: fc.constantFrom("ann", "bob", "cyd"), role: roles, mfa: fc.boolean(), signed: fc.boolean() },
  atMs: fc.constant(0),
}) satisfies fc.Arbitrary<Approval>;
const need = fc.record({
  ...{ role: fc.constantFrom("approver" as const, "budget-owner" as const), count: fc.integer({ min: 1, max: 2 }) },
  ...{ mfa: fc.boolean(), signed: fc.boolean() },
}) satisfies fc.Arbitrary<ApprovalNeed>;

describe("a quorum, over any needs and approvals", () => {
  test("is complete by one broken glass, and without one only by as many people as it asks for", () => {
    fc.assert(
      fc.property(
        fc.array(need, { minLength: 1, maxLength: 3 }),
        fc.array(approval, { maxLength: 5 }),
        (needs, given) => {
          const complete = unmetNeeds(needs, given).length === 0;
          if (given.some(breaksGlass)) expect(complete).toBe(true);
          else if (complete) {
            const people = new Set(given.filter(({ role }) => role !== "break-glass").map(({ approver }) => approver));
            expect(people.size).toBeGreaterThanOrEqual(needs.reduce((sum, { count }) => sum + count, 0));
          }
        },
      ),
    );
  });

  test("is not completed by a broken glass without its signature or its second factor", () => {
    const weak = approval.filter((one) => !breaksGlass(one)).map((one) => ({ ...one, role: "break-glass" as const }));
    fc.assert(
      fc.property(fc.array(need, { minLength: 1, maxLength: 3 }), fc.array(weak, { maxLength: 4 }), (needs, given) => {
        const blind = given.filter((one) => !breaksGlass(one));
        expect(unmetNeeds(needs, blind)).toHaveLength(needs.length);
      }),
    );
  });
});
