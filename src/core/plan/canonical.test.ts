import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson, canonicalPlan, planDigest } from "./canonical.ts";
import { withDefaults } from "./defaults.ts";
import { diffPlans } from "./diff.ts";
import { applyPatch } from "./patch.ts";
import type { Plan, PlanInput } from "./schema.ts";

const input: PlanInput = {
  apiVersion: "continuum/v1",
  kind: "DeploymentPlan",
  metadata: { name: "churn" },
  spec: {
    environment: "staging",
    model: { name: "churn", version: "1", artifact: `store:sha256:${"a".repeat(64)}` },
    compute: { instanceType: "ml.m5.large" },
  },
};

describe("canonicalJson", () => {
  it("writes the example of RFC 8785, section 3.2", () => {
    const text = String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`;
    expect(canonicalJson(JSON.parse(text))).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
  });

  it("sorts keys by UTF-16 code units, as the RFC's section 3.2.3 has it", () => {
    const keys = ["\u20ac", "\r", "\ufb33", "1", "\ud83d\ude00", "\u0080", "\u00f6"];
    const written = Object.keys(JSON.parse(canonicalJson(Object.fromEntries(keys.map((key) => [`k${key}`, 0])))));
    expect(written).toEqual(["k\r", "k1", "k\u0080", "k\u00f6", "k\u20ac", "k\ud83d\ude00", "k\ufb33"]);
  });

  it("does not depend on the order in which an object was built", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue()), (object) => {
        const turned = Object.fromEntries(Object.entries(object).reverse());
        expect(canonicalJson(turned)).toBe(canonicalJson(object));
        expect(canonicalJson(JSON.parse(canonicalJson(object)))).toBe(canonicalJson(object));
      }),
    );
  });
});

describe("withDefaults", () => {
  it("fills in the documented defaults and no others", () => {
    expect(withDefaults(input).spec).toEqual({
      ...input.spec,
      target: "local",
      runtime: "auto",
      workload: { kind: "inference" },
      compute: { instanceType: "ml.m5.large", instanceCount: 1 },
      rollout: { strategy: "canary", stepPercent: 10, bakeSeconds: 60, deadlineSeconds: 600 },
      rollback: { onHealthCheckFailure: true },
      dryRun: false,
    });
  });

  it("gives production two instances and a dry run", () => {
    const plan = withDefaults({ ...input, spec: { ...input.spec, environment: "production" } });
    expect(plan.spec.compute.instanceCount).toBe(2);
    expect(plan.spec.dryRun).toBe(true);
  });

  it("changes nothing the second time", () => {
    expect(withDefaults(withDefaults(input) as PlanInput)).toEqual(withDefaults(input));
  });
});

describe("planDigest", () => {
  const plan = withDefaults(input);

  it("is the same whether a default was written or left out, and whatever dryRun says", () => {
    const spelled: PlanInput = {
      ...input,
      spec: { ...input.spec, target: "local", rollout: { stepPercent: 10 }, dryRun: true },
    };
    expect(planDigest(withDefaults(spelled))).toBe(planDigest(plan));
    expect(new TextDecoder().decode(canonicalPlan(plan))).not.toContain("dryRun");
  });

  it("changes with everything else", () => {
    const other: Plan = { ...plan, spec: { ...plan.spec, compute: { ...plan.spec.compute, instanceCount: 2 } } };
    expect(planDigest(other)).not.toBe(planDigest(plan));
    expect(diffPlans(plan, other)).toEqual([{ path: "/spec/compute/instanceCount", before: 1, after: 2 }]);
  });

  it("is a stable vector, computed by another program", () => {
    expect(planDigest(plan)).toBe("sha256:2c2d48a71523131617d82f20de6b89fc6e2af90473c4f6027daa1d4aacc494db");
  });
});

describe("applyPatch", () => {
  const plan = withDefaults(input);

  it("adds, replaces and removes, and leaves the plan it was given", () => {
    const before = structuredClone(plan);
    const patched = applyPatch(plan, [
      { op: "add", path: "/spec/rollback/alarms", value: ["a"] },
      { op: "add", path: "/spec/rollback/alarms/-", value: "b" },
      { op: "remove", path: "/spec/rollback/alarms/0" },
      { op: "replace", path: "/spec/compute/instanceCount", value: 3 },
    ]);
    expect(patched).toMatchObject({
      ok: true,
      value: { spec: { rollback: { alarms: ["b"] }, compute: { instanceCount: 3 } } },
    });
    expect(plan).toEqual(before);
  });

  it.each([
    [{ op: "replace", path: "/spec/nothing", value: 1 } as const, "nothing to replace"],
    [{ op: "add", path: "/spec/nothing", value: 1 } as const, "unknown key"],
    [{ op: "add", path: "/spec/a/b", value: 1 } as const, "add its parent"],
    [{ op: "remove", path: "spec" } as const, "must be a JSON pointer"],
    [{ op: "add", path: "/spec/__proto__", value: {} } as const, "reserved"],
    [{ op: "replace", path: "/spec/compute/instanceCount", value: 0 } as const, "at least 1"],
  ])("refuses %j", (operation, message) => {
    const patched = applyPatch(plan, [operation]);
    expect(patched.ok ? "" : patched.problem.message).toContain(message);
  });
});
