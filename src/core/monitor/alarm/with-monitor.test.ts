import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Plan } from "../../plan/schema.ts";
import type { MetricVerdict, Verdict } from "../verdict.ts";
import { type MonitorPart, withMonitor } from "./with-monitor.ts";

const PASS: Verdict = {
  outcome: "pass",
  metrics: [{ metric: "errors", outcome: "pass", message: "fine", observed: 0, limit: 0.01 }],
};
const BASELINE = `store:sha256:${"b".repeat(64)}`;
const DRIFT: Plan["spec"]["monitor"] = { baseline: BASELINE, dataDrift: {} };
const LABELLED: Plan["spec"]["monitor"] = { modelQuality: { label: "churned" }, bias: { facet: "age" } };

function planWith(monitor: Plan["spec"]["monitor"], more: { alarms?: string[]; predictions?: "rollback" } = {}): Plan {
  const { alarms = ["DataDriftAlarm", "ModelMonitorAlarm"], predictions } = more;
  return {
    apiVersion: "continuum/v1",
    kind: "DeploymentPlan",
    metadata: { name: "churn" },
    spec: {
      ...{
        environment: "development",
        target: "local",
        runtime: "gpu",
        workload: { kind: "inference" },
        dryRun: false,
      },
      model: { name: "churn", version: "1", artifact: `store:sha256:${"a".repeat(64)}` },
      compute: { instanceType: "ml.m5.large", instanceCount: 1 },
      rollout: {
        ...{ strategy: "canary", stepPercent: 10, bakeSeconds: 60, deadlineSeconds: 600 },
        ...(predictions === undefined ? {} : { judgement: { onPredictionShift: predictions } }),
      },
      rollback: { alarms, onHealthCheckFailure: true },
      ...(monitor === undefined ? {} : { monitor }),
    },
  };
}

const FIRST = { why: "there is no version before it", failureCounts: true };

type Metric = "drift" | "predictions" | "quality" | "bias";
const metric = (name: Metric, outcome: MetricVerdict["outcome"]): MetricVerdict => ({
  ...{ metric: name, outcome, message: `${name} ${outcome}`, observed: 0.3, limit: 0.1 },
});

function judged(plan: Plan, metrics: MetricVerdict[] | null, more: Partial<MonitorPart> = {}, verdict = PASS): Verdict {
  return withMonitor(verdict, { plan, metrics, suppressed: new Set(), withoutSay: null, ...more });
}
const partOf = (verdict: Verdict, name: Metric) => verdict.metrics.find((one) => one.metric === name)?.message;

describe("the monitor's part in a verdict", () => {
  test("is none where the plan has no monitor", () => {
    expect(judged(planWith(undefined), [metric("drift", "fail")])).toBe(PASS);
  });

  test("says what is not configured, and that decides nothing", () => {
    const verdict = judged(planWith(DRIFT), [metric("drift", "pass")]);
    expect(verdict.outcome).toBe("pass");
    expect(partOf(verdict, "quality")).toBe("not configured: the plan names no label");
    expect(partOf(verdict, "bias")).toBe("not configured: the plan names no facet");
    expect(partOf(judged(planWith({ dataDrift: {} }), []), "drift")).toBe("not configured: the plan names no baseline");
    const alone = judged(planWith(DRIFT), null);
    expect([alone.outcome, partOf(alone, "drift")]).toEqual(["pass", "not configured: no monitor looks at it"]);
  });

  test.each<[Metric, MetricVerdict["outcome"], Plan, Partial<MonitorPart>, Verdict["outcome"]]>([
    ["drift", "fail", planWith(DRIFT), {}, "fail"],
    ["drift", "fail", planWith(DRIFT, { alarms: ["ModelMonitorAlarm"] }), {}, "pass"],
    ["drift", "fail", planWith(DRIFT), { suppressed: new Set(["DataDriftAlarm"]) }, "pass"],
    ["drift", "fail", planWith(DRIFT), { suppressed: new Set(["ModelMonitorAlarm"]) }, "fail"],
    ["drift", "inconclusive", planWith(DRIFT), {}, "inconclusive"],
    ["drift", "error", planWith(DRIFT), {}, "error"],
    ["drift", "inconclusive", planWith(DRIFT), { withoutSay: FIRST }, "pass"],
    ["drift", "fail", planWith(DRIFT), { withoutSay: FIRST }, "fail"],
    ["drift", "fail", planWith(DRIFT), { withoutSay: { why: "restored", failureCounts: false } }, "pass"],
    ["quality", "fail", planWith(LABELLED), {}, "fail"],
    ["quality", "inconclusive", planWith(LABELLED), {}, "pass"],
    ["quality", "error", planWith(LABELLED), {}, "error"],
    ["quality", "error", planWith(LABELLED), { withoutSay: FIRST }, "pass"],
    ["bias", "inconclusive", planWith(LABELLED), {}, "pass"],
    ["bias", "error", planWith(LABELLED), {}, "error"],
    [
      "quality",
      "inconclusive",
      planWith({ modelQuality: { label: "churned", horizonSeconds: 30 } }),
      {},
      "inconclusive",
    ],
    ["quality", "inconclusive", planWith({ modelQuality: { label: "churned", horizonSeconds: 60 } }), {}, "pass"],
  ])("%s %s counts as it should (case %#)", (name, outcome, plan, more, expected) => {
    const verdict = judged(plan, [metric(name, outcome)], more);
    expect(verdict.outcome).toBe(expected);
    if (expected === "pass") expect(partOf(verdict, name)).toContain(`${name} ${outcome} (takes no part: `);
  });

  test("of answers is told, and acted on where the plan says so", () => {
    const metrics = [metric("drift", "pass"), metric("predictions", "fail")];
    expect(judged(planWith(DRIFT), metrics).outcome).toBe("pass");
    expect(judged(planWith(DRIFT, { predictions: "rollback" }), metrics).outcome).toBe("fail");
  });

  test("is too little data while nothing was measured", () => {
    const verdict = judged(planWith(DRIFT), []);
    expect(verdict).toMatchObject({ outcome: "inconclusive", metrics: [{ metric: "drift" }, {}, {}, {}] });
  });

  test("never makes a verdict better, and the worst stands first", () => {
    const outcome = fc.constantFrom("pass", "fail", "inconclusive", "error");
    const rank = ["fail", "error", "inconclusive", "pass"];
    fc.assert(
      fc.property(outcome, outcome, outcome, fc.boolean(), (base, drift, quality, first) => {
        const verdict = { outcome: base, metrics: [{ ...metric("drift", base), metric: "errors" as const }] };
        const plan = planWith({ ...DRIFT, ...LABELLED });
        const metrics = [metric("drift", drift), metric("quality", quality)];
        const whole = judged(plan, metrics, { withoutSay: first ? { ...FIRST, failureCounts: false } : null }, verdict);
        expect(rank.indexOf(whole.outcome)).toBeLessThanOrEqual(rank.indexOf(base));
        expect(whole.metrics[0]?.outcome).toBe(whole.outcome);
        if (first) expect(whole.outcome).toBe(base);
      }),
    );
  });
});
