import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Predict } from "../onnx/classifier-session.ts";
import { openClassifier } from "../onnx/classifier-session.ts";
import type { Dataset } from "./dataset.ts";
import { junitXml, reportPassed, type TestReport } from "./junit.ts";
import { MODEL_TEST_LIMITS, runModelTests, testTrainedModel } from "./model-tests.ts";
import { trainModels } from "./train-models.ts";

const csvText = readFileSync(new URL("../../../examples/quickstart/data/breast-cancer.csv", import.meta.url), "utf8");
const models = trainModels(csvText, 7);

/** One column, which is the probability itself. */
const sample: Dataset = {
  featureNames: ["score"],
  labelName: "label",
  rows: [0.1, 0.2, 0.3, 0.7, 0.8, 0.9].map((score) => Float32Array.of(score)),
  labels: [0, 0, 0, 1, 1, 1],
};

const honest: Predict = async (rows) => {
  const probabilities = rows.map((row) => row[0] ?? Number.NaN);
  return { probabilities, labels: probabilities.map((probability) => (probability > 0.5 ? 1 : 0)) };
};

function runWith(predict: Predict): Promise<TestReport> {
  return runModelTests({ suite: "s", predict, sample, limits: MODEL_TEST_LIMITS, properties: {} });
}

function troubles(report: TestReport): string[] {
  return report.cases.flatMap(({ name, outcome }) => (outcome.kind === "passed" ? [] : [`${outcome.kind}: ${name}`]));
}

describe("testTrainedModel", () => {
  it.each(["v1", "v2", "v3"] as const)("passes %s, as its authors saw it pass", async (version) => {
    const report = await testTrainedModel(models[version]);
    expect(troubles(report)).toEqual([]);
    expect(reportPassed(report)).toBe(true);
    expect(report.properties["model.sha256"]).toBe(createHash("sha256").update(models[version].onnx).digest("hex"));
  });

  it("would have found v3's defect on the whole hold-out", async () => {
    const report = await testTrainedModel({ ...models.v3, testSample: models.split.holdout });
    expect(reportPassed(report)).toBe(false);
    expect(troubles(report)).toContain("error: answers every row once");
    expect(junitXml(report)).toContain("indices element out of data bounds");
  });

  it("reports a model that was trained on the wrong labels", async () => {
    const flipped = csvText.replace(/,([01])$/gm, (_, label) => `,${1 - Number(label)}`);
    const session = await openClassifier(trainModels(flipped, 7).v2.onnx);
    const report = await runModelTests({
      suite: "flipped",
      predict: session.predict,
      sample: models.v2.testSample,
      limits: MODEL_TEST_LIMITS,
      properties: {},
    });
    await session.close();
    expect(troubles(report)).toEqual([
      "failure: is right on at least 85 % of the sample",
      "failure: ranks with an AUC of at least 0.95",
      "failure: grows more certain on the way from the mean negative to the mean positive row",
    ]);
  });
});

describe("runModelTests", () => {
  it("passes a good model", async () => {
    expect(troubles(await runWith(honest))).toEqual([]);
  });

  it("finds answers that are missing", async () => {
    const report = await runWith(async (rows) => honest(rows.slice(1)));
    expect(troubles(report)).toContain("failure: answers every row once");
    expect(troubles(report)).toContain("failure: answers a row of zeros and the mean row");
  });

  it("finds probabilities outside 0 to 1, that are no numbers, and labels that do not follow", async () => {
    const name = "failure: gives probabilities from 0 to 1 and the label that follows from them";
    for (const wrong of [1.5, Number.NaN]) {
      const report = await runWith(async (rows) => ({ ...(await honest(rows)), probabilities: rows.map(() => wrong) }));
      expect(troubles(report)).toContain(name);
    }
    const labelled = await runWith(async (rows) => ({ ...(await honest(rows)), labels: rows.map(() => 0) }));
    expect(troubles(labelled)).toEqual([name]);
  });

  it("finds answers that change from call to call or with the batch", async () => {
    let calls = 0;
    const drifting = await runWith(async (rows) => {
      calls += 1;
      const { probabilities, labels } = await honest(rows);
      return { probabilities: probabilities.map((probability) => probability - calls * 1e-4), labels };
    });
    expect(troubles(drifting)).toContain("failure: gives the same answer twice");
    const batchBound = await runWith(async (rows) => {
      const { probabilities, labels } = await honest(rows);
      return { probabilities: probabilities.map((probability) => probability - rows.length * 1e-4), labels };
    });
    expect(troubles(batchBound)).toContain("failure: gives a row the same answer alone and in a batch");
  });

  it("finds a dip on the way between the classes", async () => {
    const report = await runWith(async (rows) => {
      const probabilities = rows.map((row) => {
        const score = row[0] ?? 0;
        return score > 0.45 && score < 0.55 ? 0 : score;
      });
      return { probabilities, labels: probabilities.map((probability) => (probability > 0.5 ? 1 : 0)) };
    });
    expect(troubles(report)).toContain(
      "failure: grows more certain on the way from the mean negative to the mean positive row",
    );
  });
});
