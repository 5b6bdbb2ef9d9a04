import { expect, test } from "vitest";
import type { DriftDecision } from "../../core/monitor/drift/drift-decision.ts";
import { monitorSettings } from "../../core/plan/monitor-settings.ts";
import type { Plan } from "../../core/plan/schema.ts";
import { orSilent } from "./silent-drift.ts";

const plan = { spec: { environment: "development", monitor: { dataDrift: { windows: 3, windowSeconds: 300 } } } };
const { dataDrift } = monitorSettings(plan as unknown as Plan);

test("OK of windows of long ago is no answer, whether nobody asks or nothing is captured", () => {
  if (dataDrift === null) throw new Error("the plan asks for drift");
  const of = (state: DriftDecision["state"], seconds: number, settings = dataDrift) =>
    orSilent({ state, reason: "as it was", figures: [] }, { settings, newestMs: 0, nowMs: seconds * 1000 });
  expect(of("OK", 900).state).toBe("OK");
  expect(of("OK", 901)).toMatchObject({
    state: "INSUFFICIENT_DATA",
    reason: "no row came for 901 s; before that as it was",
  });
  // An alarm of a version that nobody asks any more is no less an alarm.
  expect(of("ALARM", 901).state).toBe("ALARM");
  const quick = { ...dataDrift, windowSeconds: 1 };
  expect([of("OK", 600, quick).state, of("OK", 601, quick).state]).toEqual(["OK", "INSUFFICIENT_DATA"]);
});
