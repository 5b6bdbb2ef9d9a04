import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClassifierSession, openClassifier } from "../onnx/classifier-session.ts";
import { type Dataset, meanRow } from "./dataset.ts";
import { type TrainedModel, trainModels } from "./train-models.ts";

const folder = new URL("../../../examples/quickstart/", import.meta.url);
const csvText = readFileSync(new URL("data/breast-cancer.csv", folder), "utf8");
const models = trainModels(csvText, 7);
const { train, holdout } = models.split;
const allRows = [...train.rows, ...holdout.rows];
const versions = ["v1", "v2", "v3", "v4", "v5"] as const;

const sessions = new Map<TrainedModel, ClassifierSession>();
beforeAll(async () => {
  for (const version of versions) sessions.set(models[version], await openClassifier(models[version].onnx));
});
afterAll(async () => {
  for (const session of sessions.values()) await session.close();
});

function sessionOf(model: TrainedModel): ClassifierSession {
  const session = sessions.get(model);
  if (session === undefined) throw new Error("no session");
  return session;
}

/** What the file answers per row; undefined where it fails. */
async function answers(model: TrainedModel, rows: readonly Float32Array[]): Promise<(number | undefined)[]> {
  const probabilities: (number | undefined)[] = [];
  for (const row of rows) {
    const answer = await sessionOf(model)
      .predict([row])
      .catch(() => undefined);
    probabilities.push(answer?.probabilities[0]);
  }
  return probabilities;
}

function largestDifference(model: TrainedModel, rows: readonly Float32Array[], found: readonly (number | undefined)[]) {
  const differences = rows.flatMap((row, index) => {
    const probability = found[index];
    return probability === undefined ? [] : [Math.abs(probability - model.probability(row))];
  });
  return Math.max(...differences);
}

describe("the vendored data", () => {
  it("is the file that the README and the attribution name", () => {
    const digest = createHash("sha256").update(csvText).digest("hex");
    expect(readFileSync(new URL("README.md", folder), "utf8")).toContain(digest);
    expect(readFileSync(new URL("data/ATTRIBUTION.txt", folder), "utf8")).toContain(digest);
  });

  it("has 569 rows of 30 columns, 212 of them malignant", () => {
    const count = (data: Dataset) => data.labels.filter((label) => label === 1).length;
    expect(allRows).toHaveLength(569);
    expect(new Set(allRows.map((row) => row.length))).toEqual(new Set([30]));
    expect(count(train) + count(holdout)).toBe(212);
  });
});

describe("trainModels", () => {
  it("gives the same bytes for the same seed, and others for another", () => {
    const again = trainModels(csvText, 7);
    const other = trainModels(csvText, 8);
    for (const version of versions) {
      expect(Buffer.from(again[version].onnx).equals(models[version].onnx)).toBe(true);
      expect(Buffer.from(other[version].onnx).equals(models[version].onnx)).toBe(false);
    }
  });

  it("refuses a table that lacks the columns it needs", () => {
    expect(() => trainModels("", 7)).toThrow(expect.objectContaining({ code: "dataset-invalid" }));
    const renamed = csvText.replace("texture_error", "texture_deviation");
    expect(() => trainModels(renamed, 7)).toThrow("column texture_error is missing");
    expect(() => trainModels(csvText.replaceAll("mean_", "average_"), 7)).toThrow("no column begins with mean_");
  });

  it("makes v2 better than v1 on rows that neither saw", () => {
    expect(models.v1.metrics.auc).toBeGreaterThan(0.97);
    expect(models.v2.metrics.auc).toBeGreaterThan(models.v1.metrics.auc);
    expect(models.v2.metrics.accuracy).toBeGreaterThan(models.v1.metrics.accuracy);
    expect(models.v2.metrics.logLoss).toBeLessThan(models.v1.metrics.logLoss);
    expect(models.v2.metrics.rows).toBe(holdout.rows.length);
  });

  it.each(["v1", "v2", "v4", "v5"] as const)(
    "exports %s so that the file predicts what the pipeline does",
    async (version) => {
      const found = await answers(models[version], allRows);
      expect(found).not.toContain(undefined);
      expect(largestDifference(models[version], allRows, found)).toBeLessThan(1e-5);
    },
  );

  it.each(versions)("exports %s so that it answers a warm-up of zeros and of the mean row", async (version) => {
    const found = await answers(models[version], [new Float32Array(30), meanRow(train.rows), meanRow(allRows)]);
    expect(found).not.toContain(undefined);
  });
});

describe("v3, the broken model", () => {
  it("fails at run time on a third of real rows, and answers the others as its pipeline does", async () => {
    const found = await answers(models.v3, allRows);
    const failedShare = found.filter((probability) => probability === undefined).length / allRows.length;
    expect(failedShare).toBeGreaterThan(0.3);
    expect(failedShare).toBeLessThan(0.4);
    expect(largestDifference(models.v3, allRows, found)).toBeLessThan(1e-5);
  });

  it("fails with the runtime's own words about the index", async () => {
    const column = train.featureNames.indexOf("texture_error");
    const row = meanRow(train.rows);
    row[column] = 4;
    await expect(sessionOf(models.v3).predict([row])).rejects.toMatchObject({
      code: "model-run-failed",
      message: expect.stringMatching(/Gather.*indices element out of data bounds/),
    });
  });

  it("looks as good as v2 to its own pipeline, which stops at the last bin", () => {
    expect(models.v3.metrics.accuracy).toBeGreaterThanOrEqual(models.v2.metrics.accuracy);
  });
});
