import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { readPolicyFiles, shippedPolicyFolder } from "../../config/policy-files.ts";
import type { Parsed } from "../error.ts";
import { planDigest } from "../plan/canonical.ts";
import { withDefaults } from "../plan/defaults.ts";
import { applyPatch } from "../plan/patch.ts";
import { ENVIRONMENTS, type Plan, type PlanInput, RUNTIMES, STRATEGIES } from "../plan/schema.ts";
import { parsePriceTable } from "../pricing/price-table.ts";
import type { Attributes } from "./attributes.ts";
import { cedar } from "./cedar.ts";
import { decide } from "./decide.ts";
import type { DecideInput, Facts } from "./decision.ts";
import { evaluate } from "./evaluate.ts";
import { foresee } from "./foresee.ts";
import { gatherAttributes, isAllDueNow } from "./gather-attributes.ts";
import { loadPolicySet } from "./load-policy-set.ts";
import { refusalsOf } from "./obligations.ts";
import type { PolicySet } from "./policy.ts";
import { refusals } from "./refusals.ts";
import { parseSettings } from "./settings.ts";

const files = readPolicyFiles(shippedPolicyFolder());
const text = (path: string) => files.find((file) => file.path === path)?.text ?? "";

function value<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(`${parsed.problem.path}: ${parsed.problem.message}`);
  return parsed.value;
}

const set = value(loadPolicySet(files));
const settings = value(parseSettings(text("settings.json")));
const prices = value(parsePriceTable(text("prices.json")));

const SERVER: Facts = {
  gate: "propose",
  source: "server",
  principal: { kind: "human" },
  environmentMicroUsdPerHour: 0,
  endpointMicroUsdPerHour: 0,
  breaker: { state: "closed", failures: 0, limit: 3 },
  namesAreOwn: true,
};

function planOf(spec: Partial<PlanInput["spec"]> = {}): Plan {
  return withDefaults({
    apiVersion: "continuum/v1",
    kind: "DeploymentPlan",
    metadata: { name: "churn" },
    spec: {
      environment: "development",
      model: { name: "churn", version: "1", artifact: `store:sha256:${"a".repeat(64)}` },
      compute: { instanceType: "ml.m5.large" },
      rollback: { alarms: ["ModelMonitorAlarm", "DataDriftAlarm"] },
      ...spec,
    },
  });
}

function inputOf(plan: Plan, facts: Partial<Facts> = {}): DecideInput {
  return { plan, planDigest: planDigest(plan), facts: { ...SERVER, ...facts }, prices, settings };
}

const ask = (plan: Plan, facts: Partial<Facts> = {}) => decide(set, inputOf(plan, facts));

describe("decide", () => {
  it("says what was decided, about what, and by which policies", () => {
    const plan = planOf();
    expect(ask(plan)).toMatchObject({
      decision: "allow",
      planDigest: planDigest(plan),
      policyDigest: set.digest,
      simulation: false,
      risk: "low",
      verification: "basic",
      runtime: "gpu",
      cost: { usdPerHour: 0.115, peakUsdPerHour: 0.115, notional: true, asOf: "2026-11-01" },
      unchecked: [],
    });
    expect(ask(planOf({ target: "sagemaker" })).cost.notional).toBe(false);
  });

  it("gives each environment its risk and its level of verification", () => {
    expect(ask(planOf({ environment: "staging" }))).toMatchObject({ risk: "medium", verification: "enhanced" });
    expect(ask(planOf({ environment: "production" }))).toMatchObject({ risk: "high", verification: "full" });
  });

  it("never calls an unknown price free", () => {
    const decision = ask(planOf({ compute: { instanceType: "ml.z9.large" } }));
    expect(decision).toMatchObject({ decision: "deny", cost: { usdPerHour: null, peakUsdPerHour: null } });
  });

  it("finds no price in an object's prototype", () => {
    expect(ask(planOf({ compute: { instanceType: "constructor" } })).cost.usdPerHour).toBeNull();
    expect(ask(planOf({ compute: { instanceType: "__proto__" } })).cost.usdPerHour).toBeNull();
  });

  it("merges what several clauses ask into one obligation", () => {
    const { obligations } = ask(planOf({ environment: "production" }));
    expect(obligations).toContainEqual({
      kind: "approval",
      role: "approver",
      count: 1,
      mfa: true,
      signed: true,
      clauses: ["AO-7", "CP-1"],
      status: "missing",
    });
    expect(obligations).toContainEqual({ kind: "snapshot", clauses: ["CP-11"], status: "missing" });
  });

  it("names every obligation's clause among the findings", () => {
    for (const environment of ENVIRONMENTS) {
      const { findings, obligations } = ask(planOf({ environment }));
      const speaking = findings.map(({ clause }) => clause);
      for (const obligation of obligations) expect(speaking).toEqual(expect.arrayContaining(obligation.clauses));
    }
  });

  it("writes money so that a reader sees which side of the limit it is on", () => {
    const plan = planOf({ environment: "staging", compute: { instanceType: "ml.m5.xlarge", instanceCount: 66 } });
    const finding = ask(plan).findings.find(({ clause }) => clause === "AO-5");
    expect(finding?.message).toBe(
      "The staging environment may cost at most $15.00 an hour; with this plan it costs $15.18",
    );
  });

  it("says which cap bound when several are broken", () => {
    const plan = planOf({ environment: "staging", compute: { instanceType: "ml.m5.xlarge", instanceCount: 500 } });
    const finding = ask(plan).findings.find(({ clause }) => clause === "CP-2");
    expect(finding?.message).toContain("the strictest cap here is AO-5's $15.00");
  });
});

describe("a simulated plan", () => {
  const plan = planOf({
    target: "simulated",
    environment: "production",
    compute: { instanceType: "ml.m5.large", instanceCount: 1 },
  });

  it("is compliant, and carries the truth", () => {
    const decision = ask(plan);
    expect(decision).toMatchObject({
      decision: "allow",
      simulation: true,
      report: "COMPLIANT",
      findings: [],
      fix: [],
      obligations: [],
    });
    const real = ask({ ...plan, spec: { ...plan.spec, target: "local" } });
    const { decision: outcome, findings, obligations, fix } = real;
    expect(decision.live).toEqual({ decision: outcome, findings, obligations, fix });
    expect(outcome).toBe("deny");
  });

  it("is refused at no gate", () => {
    expect(refusals(ask(plan, { gate: "pre-provision" }))).toEqual([]);
  });
});

describe("what cannot be evaluated", () => {
  it.each([
    ["the environment's sum", { environmentMicroUsdPerHour: undefined }, "staging", "AO-5"],
    ["the environment's sum in production", { environmentMicroUsdPerHour: undefined }, "production", "AO-6"],
    ["who owns the names", { namesAreOwn: undefined }, "development", "P5"],
    ["the breaker", { breaker: undefined }, "development", "P7"],
  ] as const)("is denied on the server: %s", (_name, missing, environment, clause) => {
    const facts = { ...SERVER, ...missing } as unknown as Facts;
    const decision = decide(set, { ...inputOf(planOf({ environment })), facts });
    expect(decision.decision).toBe("deny");
    expect(decision.findings.find((finding) => finding.clause === clause)?.message).toContain("could not be evaluated");
  });

  it("is denied when Cedar refuses the question", () => {
    for (const sum of [Number.NaN, 0.5, 1e30, Number.POSITIVE_INFINITY, -1e30]) {
      const broken = inputOf(planOf({ environment: "staging" }), { environmentMicroUsdPerHour: sum });
      expect(decide(set, broken)).toMatchObject({ decision: "deny" });
    }
    const unknown: PolicySet = { ...set, handle: "nowhere" };
    expect(decide(unknown, inputOf(planOf()))).toMatchObject({ decision: "deny", findings: [{ clause: "CP-7" }] });
  });

  it("is denied when a policy errors, which Cedar itself would let pass", () => {
    const overflow = `@id("ACME-1")\n@level("deny")\n@reason("Too much")\n@source("acme#rules")
forbid (principal, action in Action::"deploy", resource) when { context.instanceCount * 9007199254740991 * 9007199254740991 > 5 };`;
    const own = value(loadPolicySet(files, { own: [{ path: "a.cedar", text: overflow }] }));
    const decision = decide(own, inputOf(planOf({ compute: { instanceType: "ml.m5.large", instanceCount: 2 } })));
    expect(decision.decision).toBe("deny");
    expect(decision.findings[0]).toMatchObject({ clause: "ACME-1", level: "deny", document: "own" });
  });

  it("counts an approval of nobody as none", () => {
    const facts: Partial<Facts> = { gate: "verify", approvals: [], evidence: {} };
    expect(refusals(ask(planOf({ environment: "production" }), facts)).map(({ clause }) => clause)).toContain("AO-7");
  });

  it("says what was looked at and refused", () => {
    const facts: Partial<Facts> = {
      gate: "verify",
      evidence: { encryption: true },
      evidenceProblems: { tests: "its result is FAILED" },
    };
    expect(refusals(ask(planOf(), facts))).toEqual([
      { clause: "CP-5", message: expect.stringContaining("its result is FAILED") },
    ]);
  });
});

describe("a user's own policies", () => {
  it("are heard by the joint fix", () => {
    const stricter = `@id("ACME-1")\n@level("deny")\n@reason("At least {limit}")\n@source("acme#rules")
@path("/spec/compute/instanceCount")\n@observed("instanceCount")\n@limit("4")\n@fix("count-at-least")
forbid (principal, action in Action::"deploy", resource)
when { context.environment == Environment::"production" && context.instanceCount < 4 };`;
    const own = value(loadPolicySet(files, { own: [{ path: "a.cedar", text: stricter }] }));
    const plan = planOf({ environment: "production", compute: { instanceType: "ml.m5.large", instanceCount: 1 } });
    expect(decide(own, inputOf(plan)).fix).toEqual([{ op: "replace", path: "/spec/compute/instanceCount", value: 4 }]);
  });
});

/** Plans that break many things in many ways. */
const anyPlan: fc.Arbitrary<Plan> = fc
  .record(
    {
      environment: fc.constantFrom(...ENVIRONMENTS),
      runtime: fc.constantFrom(...RUNTIMES),
      compute: fc.record({
        instanceType: fc.constantFrom(...Object.keys(prices.usdPerHour), "ml.z9.large"),
        instanceCount: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 10_000 })),
      }),
      budget: fc.option(fc.record({ maxUsdPerHour: fc.double({ min: 0.01, max: 200, noNaN: true }) }), {
        nil: undefined,
      }),
      alarms: fc.option(fc.subarray(["ModelMonitorAlarm", "DataDriftAlarm", "OwnAlarm"]), { nil: undefined }),
      many: fc.boolean(),
      onHealthCheckFailure: fc.boolean(),
      strategy: fc.constantFrom(...STRATEGIES),
      bakeSeconds: fc.integer({ min: 0, max: 700 }),
      monitor: fc.boolean(),
    },
    { requiredKeys: ["environment", "compute", "many", "onHealthCheckFailure", "strategy", "bakeSeconds", "monitor"] },
  )
  .map(({ alarms, many, onHealthCheckFailure, strategy, bakeSeconds, monitor, budget, runtime, ...rest }) =>
    planOf({
      ...rest,
      ...(runtime && { runtime }),
      ...(budget && { budget }),
      rollback: {
        ...(alarms && {
          alarms: [...alarms, ...(many ? Array.from({ length: 29 }, (_, index) => `Alarm${index}`) : [])],
        }),
        onHealthCheckFailure,
      },
      rollout: { strategy, bakeSeconds },
      ...(monitor && {
        monitor: { baseline: "s3://a/b", dataDrift: {}, modelQuality: { label: "y" }, bias: { facet: "g" } },
      }),
    }),
  );

const anyFacts: fc.Arbitrary<Partial<Facts>> = fc.record({
  environmentMicroUsdPerHour: fc.constantFrom(0, 14_000_000, 14_900_000, 49_900_000, 60_000_000),
  endpointMicroUsdPerHour: fc.constantFrom(0, 230_000, 20_000_000),
});

describe("two reasons of one clause", () => {
  it("are both told when both caps are broken, the lower one first", () => {
    const plan = planOf({
      environment: "staging",
      compute: { instanceType: "ml.m5.large", instanceCount: 10 },
      budget: { maxUsdPerHour: 1 },
    });
    const { findings } = ask(plan, { environmentMicroUsdPerHour: 14_500_000 });
    expect(findings.filter(({ clause, level }) => clause === "AO-5" && level === "deny")).toMatchObject([
      { observed: 1.15, limit: 1 },
      { observed: 15.65, limit: 15 },
    ]);
  });

  it("do not keep another clause from being healed when the one gives way to the other", () => {
    const plan = planOf({ environment: "staging", compute: { instanceType: "ml.nothing", instanceCount: 2 } });
    const { fix } = ask(plan, { endpointMicroUsdPerHour: 99_000_000 });
    expect(fix).toEqual([{ op: "replace", path: "/spec/compute/instanceType", value: "ml.m5.large" }]);
  });

  it("leave a plan's own cap as it was written when it lies between two micro-dollars", () => {
    const of = (maxUsdPerHour: number) => ask(planOf({ budget: { maxUsdPerHour } })).decision;
    expect([of(0.1149996), of(0.115), of(0.1150004)]).toEqual(["deny", "allow", "allow"]);
  });
});

describe("the joint fix, over random plans", () => {
  it("leaves nothing that it could have fixed, breaks nothing else, and is stable", () => {
    fc.assert(
      fc.property(anyPlan, anyFacts, (plan, facts) => {
        const before = ask(plan, facts);
        const patched = value(applyPatch(plan, before.fix));
        const after = ask(patched, facts);
        // Counted in clauses: one may deny for two reasons, as when two caps are broken.
        const denies = (decision: typeof before) => [
          ...new Set(decision.findings.filter(({ level }) => level === "deny").map(({ clause }) => clause)),
        ];
        expect(after.fix).toEqual([]);
        expect(denies(before)).toEqual(expect.arrayContaining(denies(after)));
        if (before.fix.length > 0) expect(denies(after).length).toBeLessThan(denies(before).length);
        if (before.decision !== "deny") expect(before.fix).toEqual([]);
        expect(planDigest(plan)).toBe(before.planDigest);
      }),
      { numRuns: 150 },
    );
  });

  it("finds a fix wherever trying every count and allowed type finds one", () => {
    const few = anyPlan.filter((plan) => plan.spec.compute.instanceCount <= 6 && plan.spec.runtime === "auto");
    fc.assert(
      fc.property(few, anyFacts, (plan, facts) => {
        const before = ask(plan, facts);
        const left = computeDenials(ask(value(applyPatch(plan, before.fix)), facts));
        if (left === 0) return;
        const typeMayChange = before.findings.some(
          ({ clause, level }) => level === "deny" && ["AO-1", "AO-2", "AO-11"].includes(clause),
        );
        const types = typeMayChange ? Object.keys(prices.usdPerHour) : [plan.spec.compute.instanceType];
        for (const instanceType of types) {
          for (const instanceCount of [1, 2, 3, 4, 5, 6]) {
            const other = { ...plan, spec: { ...plan.spec, compute: { instanceType, instanceCount } } };
            expect(computeDenials(ask(other, facts))).toBeGreaterThan(0);
          }
        }
      }),
      { numRuns: 25 },
    );
  });
});

const COMPUTE = new Set(["AO-1", "AO-2", "AO-4", "AO-5", "AO-6", "AO-11", "CP-2"]);

function computeDenials(decision: ReturnType<typeof ask>): number {
  return decision.findings.filter(({ clause, level }) => level === "deny" && COMPUTE.has(clause)).length;
}

describe("what a search foresees", () => {
  const gates = fc.constantFrom<Facts["gate"]>("propose", "verify", "pre-provision", "run");
  const proofs = fc.record({
    gate: gates,
    evidence: fc
      .subarray(["tests", "encryption", "provenance", "manifest-signature"])
      .map((kinds) => Object.fromEntries(kinds.map((kind) => [kind, true as const]))),
    snapshot: fc.boolean(),
    breaker: fc.record({
      state: fc.constantFrom<"closed" | "open" | "half-open">("closed", "open", "half-open"),
      failures: fc.nat(5),
      limit: fc.constant(3),
    }),
    unknownNames: fc.constantFrom<string[]>([], ["other"]),
  });

  it("is what Cedar says, for the shipped set", () => {
    fc.assert(
      fc.property(anyPlan, anyFacts, proofs, (plan, money, proof) => {
        const input = inputOf(plan, { ...money, ...proof });
        for (const asking of ["listing", "all", "now"] as const) expectForeseen(set, gatherAttributes(input, asking));
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    'context.approvedTypes.containsAny(["ml.g5.xlarge"]) && context.labels.isEmpty()',
    "if context.dryRun then context.instanceCount <= 2 else context.instanceCount >= 3",
    '!(context.alarms == ["OwnAlarm"]) || context.alarms != ["ModelMonitorAlarm", "DataDriftAlarm"]',
    "context has ownCapMicroUsdPerHour && context.ownCapMicroUsdPerHour < 5000000",
    '[Environment::"staging", Environment::"production"].contains(context.environment) && principal is Human',
    'principal is Agent || context.runtime == Runtime::"hybrid"',
  ])("is what Cedar says of %s", (condition) => {
    const own = value(loadPolicySet(files, { own: [{ path: "a.cedar", text: ownForbid(condition) }] }));
    expect(own.policies.get("ACME-1")?.whatIf).toBeDefined();
    fc.assert(
      fc.property(anyPlan, (plan) => expectForeseen(own, gatherAttributes(inputOf(plan), "listing"))),
      { numRuns: 30 },
    );
  });

  it.each(['context.modelName like "ch*"', "context.runtime != context.workload && !context.restore"])(
    "is asked of Cedar where only Cedar knows: %s",
    (condition) => {
      const own = value(loadPolicySet(files, { own: [{ path: "a.cedar", text: ownForbid(condition) }] }));
      expect(own.policies.get("ACME-1")?.whatIf).toBeUndefined();
      expectForeseen(own, gatherAttributes(inputOf(planOf()), "listing"));
    },
  );
});

function ownForbid(condition: string): string {
  const notes = `@id("ACME-1")\n@level("deny")\n@reason("No")\n@source("acme#rules")`;
  return `${notes}\nforbid (principal, action in Action::"deploy", resource) when { ${condition} };`;
}

function expectForeseen(policies: PolicySet, attributes: Attributes): void {
  const ids = (list: { id: string }[]) => list.map(({ id }) => id);
  expect(ids(foresee(policies, "human", attributes))).toEqual(ids(evaluate(policies, "human", attributes).forbidding));
}

describe("a gate", () => {
  const facts = fc.record<Facts>(
    {
      ...{ gate: fc.constantFrom("verify", "pre-provision", "run"), source: fc.constantFrom("server", "shipped") },
      ...{ principal: fc.constant({ kind: "service" as const }), namesAreOwn: fc.constant(true) },
      ...{ environmentMicroUsdPerHour: fc.constant(0), endpointMicroUsdPerHour: fc.constant(0) },
      breaker: fc.constant(SERVER.breaker),
      snapshot: fc.boolean(),
      evidence: fc.dictionary(fc.constantFrom("tests", "encryption", "artifact-digest", "dry-run"), fc.boolean()),
      approvals: fc.array(
        fc.record({
          ...{ role: fc.constantFrom("approver" as const, "budget-owner" as const), mfa: fc.boolean() },
          ...{ approver: fc.constantFrom("ann", "bob"), signed: fc.boolean() },
        }),
        { maxLength: 3 },
      ),
    },
    { requiredKeys: ["gate", "source", "principal"] },
  );
  const input = fc
    .tuple(fc.constantFrom(...ENVIRONMENTS), facts)
    .map(([environment, known]) => ({ ...inputOf(planOf({ environment })), facts: known }));

  it("refuses what is missing by now, though it is not asked a second time where all is due by then", () => {
    fc.assert(
      fc.property(input, (one) => {
        const asked = evaluate(set, "service", gatherAttributes(one, "now"));
        expect(decide(set, one).refusals).toEqual(refusalsOf(asked.forbidding, one.facts));
      }),
      { numRuns: 150 },
    );
  });

  it("knows where the two questions are one", () => {
    fc.assert(
      fc.property(input, (one) => {
        const same = isDeepStrictEqual(gatherAttributes(one, "all"), gatherAttributes(one, "now"));
        expect(isAllDueNow(one.facts)).toBe(same);
      }),
    );
  });

  it("asks Cedar once less where all is due by then", () => {
    const counted = vi.spyOn(cedar, "statefulIsAuthorized");
    const questions = (known: Partial<Facts>) => {
      counted.mockClear();
      ask(planOf({ environment: "production" }), { ...known, evidence: { tests: true } });
      return counted.mock.calls.length;
    };
    expect(questions({ gate: "verify" }) - questions({ gate: "pre-provision" })).toBe(1);
    expect(questions({ gate: "verify", snapshot: true })).toBe(questions({ gate: "run" }));
    counted.mockRestore();
  });
});

describe("speed", () => {
  it("answers within a few milliseconds even on a busy machine", () => {
    const input = inputOf(planOf({ environment: "production" }), { source: "shipped" });
    const millis = Array.from({ length: 200 }, () => {
      const start = performance.now();
      decide(set, input);
      return performance.now() - start;
    }).sort((a, b) => a - b);
    expect(millis[100]).toBeLessThan(20);
  });
});
