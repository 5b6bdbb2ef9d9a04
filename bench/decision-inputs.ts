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

/**
 * Plans as people and agents write them, over every environment. Each of about ten parts deviates from what its
 * environment asks with the given chance, to either side of the limits.
 */
export function decideInputs(count: number, deviation: number): DecideInput[] {
  const random = seededRandom(7);
  const prices = value(parsePriceTable(text("prices.json")));
  const settings = value(parseSettings(text("settings.json")));
  const types = [...Object.keys(prices.usdPerHour), "ml.unknown.large"];
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const usually = <T>(usual: T, others: readonly T[]): T => (random() < deviation ? pick(others) : usual);
  return Array.from({ length: count }, (_, index) => {
    const environment = pick(ENVIRONMENTS);
    const production = environment === "production";
    const monitor = {
      ...{ baseline: "s3://models/base.csv", dataDrift: {} },
      ...{ modelQuality: { label: "churned" }, bias: { facet: "gender" } },
    };
    const plan = withDefaults({
      apiVersion: "continuum/v1",
      kind: "DeploymentPlan",
      metadata: { name: `model-${index % 50}`, labels: { team: "growth" } },
      spec: {
        environment,
        model: { name: "churn", version: `1.${index}.0`, artifact: `store:sha256:${"a".repeat(64)}` },
        compute: {
          instanceType: usually("ml.m5.large", types),
          instanceCount: usually(production ? 2 : 1, [1, 3, 5, 20, 70]),
        },
        ...usually({}, [{ budget: { maxUsdPerHour: 0.1 } }, { budget: { maxUsdPerHour: 5 } }]),
        rollout: { strategy: pick(STRATEGIES), stepPercent: usually(10, [25]), bakeSeconds: usually(60, [0, 400]) },
        rollback: {
          alarms: usually(["ModelMonitorAlarm", "DataDriftAlarm"], [["ModelMonitorAlarm"], []]),
          onHealthCheckFailure: usually(true, [false]),
        },
        ...usually<{ monitor?: typeof monitor }>(production ? { monitor } : {}, [{}, { monitor }]),
      },
    });
    const facts: Facts = {
      ...{ gate: "propose", source: "server" },
      principal: { kind: pick(["human", "agent", "service"] as const) },
      environmentMicroUsdPerHour: usually(0, [1_000_000, 14_900_000, 49_900_000]),
      endpointMicroUsdPerHour: usually(0, [230_000]),
      breaker: { state: usually<"closed" | "open">("closed", ["open"]), failures: 0, limit: 3 },
      namesAreOwn: true,
    };
    return { plan, planDigest: planDigest(plan), facts, prices, settings };
  });
}
