import { expect, test } from "vitest";
import type { QualitySettings } from "../../plan/monitor-settings.ts";
import { judgeQuality } from "./judge-quality.ts";
import { QualityTally } from "./quality-tally.ts";

const SETTINGS: QualitySettings = {
  ...{ label: "y", problem: "binary", positive: "1", prediction: null, probability: null, decisionThreshold: 0.5 },
  ...{ horizonSeconds: 0, labelledMin: 200, thresholds: { recall: 0.1, estimated_accuracy: 0.95 } },
};

/** Answers whose scores are right as often as they say, with or without their truth. */
function tallyOf(n: number, isLabelled: boolean): QualityTally {
  const tally = new QualityTally(SETTINGS);
  for (let at = 0; at < n; at += 1) {
    const answer = { predicted: null, value: null, score: at % 2 === 0 ? 0.4 : 0.6 };
    tally.addAnswer(answer);
    if (isLabelled) tally.addLabel(answer, at % 5 < (at % 2 === 0 ? 2 : 3) ? "1" : "0");
  }
  return tally;
}

test("an estimate without labels needs as many answers as a metric of labels does", () => {
  const baseline = tallyOf(2000, true);
  const stateOf = (n: number) => judgeQuality(tallyOf(n, false), { baseline, settings: SETTINGS, alpha: 0.01 }).state;
  expect([5, 60, 199].map(stateOf)).toEqual(Array(3).fill("INSUFFICIENT_DATA"));
  expect(stateOf(200)).toBe("ALARM");
});
