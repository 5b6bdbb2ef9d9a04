import { readPolicyFiles, shippedPolicyFolder } from "../src/config/policy-files.ts";
import type { Parsed } from "../src/core/error.ts";
import { planDigest } from "../src/core/plan/canonical.ts";
import { withDefaults } from "../src/core/plan/defaults.ts";
import { ENVIRONMENTS, STRATEGIES } from "../src/core/plan/schema.ts";
import type { DecideInput, Facts } from "../src/core/policy/decision.ts";
import { loadPolicySet, type PolicySet } from "../src/core/policy/load-policy-set.ts";
import { parseSettings } from "../src/core/policy/settings.ts";
import { parsePriceTable } from "../src/core/pricing/price-table.ts";
import { seededRandom } from "./measure.ts";

const files = readPolicyFiles(shippedPolicyFolder());
const text = (path: string) => files.find((file) => file.path === path)?.text ?? "";

export function shippedSet(): PolicySet {
  return value(loadPolicySet(files));
}

function value<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(`${parsed.problem.path}: ${parsed.problem.message}`);
  return parsed.value;
}

/** Plans as people and agents write them, over every environment and on both sides of most limits. */
export function decideInputs(count: number): DecideInput[] {
  const random = seededRandom(7);
  const prices = value(parsePriceTable(text("prices.json")));
  const settings = value(parseSettings(text("settings.json")));
  const types = [...Object.keys(prices.usdPerHour), "ml.unknown.large"];
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  return Array.from({ length: count }, (_, index) => {
    const plan = withDefaults({
      apiVersion: "continuum/v1",
      kind: "DeploymentPlan",
      metadata: { name: `model-${index % 50}`, ...(random() < 0.3 ? { labels: { team: "growth" } } : {}) },
      spec: {
        environment: pick(ENVIRONMENTS),
        model: { name: "churn", version: `1.${index}.0`, artifact: `store:sha256:${"a".repeat(64)}` },
        compute: { instanceType: pick(types), instanceCount: pick([1, 1, 2, 3, 5, 20, 70]) },
        ...(random() < 0.3 ? { budget: { maxUsdPerHour: pick([0.1, 5, 15]) } } : {}),
        rollout: { strategy: pick(STRATEGIES), stepPercent: pick([10, 25]), bakeSeconds: pick([0, 60, 400]) },
        rollback: {
          alarms: pick([["ModelMonitorAlarm", "DataDriftAlarm"], ["ModelMonitorAlarm"], []]),
          onHealthCheckFailure: random() < 0.9,
        },
        ...(random() < 0.6
          ? {
              monitor: {
                baseline: "s3://models/base.csv",
                dataDrift: {},
                modelQuality: { label: "churned" },
                bias: { facet: "gender" },
              },
            }
          : {}),
      },
    });
    const facts: Facts = {
      gate: "propose",
      source: "server",
      principal: { kind: pick(["human", "agent", "service"] as const) },
      environmentMicroUsdPerHour: pick([0, 1_000_000, 14_900_000, 49_900_000]),
      endpointMicroUsdPerHour: pick([0, 230_000]),
      breaker: { state: pick(["closed", "closed", "open"] as const), failures: 0, limit: 3 },
      namesAreOwn: true,
    };
    return { plan, planDigest: planDigest(plan), facts, prices, settings };
  });
}
