import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { signStatement } from "../../core/evidence/sign.ts";
import { generateSigningKey, type SigningKey } from "../../core/evidence/signing-key.ts";
import { buildTestResult } from "../../core/evidence/test-result.ts";
import { modelPlan } from "../plans.ts";
import { expectThat, type Models, type ReadyModel, type Stage } from "../stage.ts";
import { junitXml, reportPassed } from "../training/junit.ts";
import { testTrainedModel } from "../training/model-tests.ts";
import { type TrainedModel, trainModels } from "../training/train-models.ts";
import { short } from "./deciding.ts";

const DATA = new URL("../../../examples/quickstart/data/breast-cancer.csv", import.meta.url);
/** The models' own tests hold for this split of the data. */
const SEED = 7;

/** Trains, tests, signs and imports the five models. */
export async function prepareModels(stage: Stage): Promise<Models> {
  const { narrator } = stage;
  narrator.chapter("Five real models from a public data set, each tested and signed for");
  const startedAtMs = Date.now();
  const trained = trainModels(readFileSync(DATA, "utf8"), SEED);
  const { train, holdout } = trained.split;
  narrator.say(
    `breast-cancer.csv: ${train.rows.length + holdout.rows.length} rows, ${train.featureNames.length} features; trained on ${train.rows.length} in ${Date.now() - startedAtMs} ms`,
  );

  const key = generateSigningKey(stage.random);
  await stage.api.call("keys.import", { body: { purpose: "tests", publicKey: key.publicKey.spkiPem } });
  narrator.say("an administrator trusts one throwaway key for the purpose `tests`, and for nothing else");

  const ready: ReadyModel[] = [];
  for (const [version, model, bakeSeconds] of [
    ["1.0.0", trained.v1, 2],
    ["2.0.0", trained.v2, 4],
    ["3.0.0", trained.v3, 10],
    ["4.0.0", trained.v4, 6],
    ["5.0.0", trained.v5, 6],
  ] as const) {
    ready.push(await prepare(stage, { version, model, bakeSeconds, key }));
  }
  const [v1, v2, v3, v4, v5] = ready;
  expectThat(v1 !== undefined && v2 !== undefined && v3 !== undefined, "expected the first three models");
  expectThat(v4 !== undefined && v5 !== undefined, "expected five models");
  narrator.say("(3.0.0 has a real bug that its authors' own tests do not meet; watch it below)");
  return { trained, v1, v2, v3, v4, v5 };
}

async function prepare(
  stage: Stage,
  task: { version: string; model: TrainedModel; bakeSeconds: number; key: SigningKey },
): Promise<ReadyModel> {
  const { version, model, bakeSeconds, key } = task;
  const report = await testTrainedModel(model);
  expectThat(reportPassed(report), `the tests of ${model.name} failed`);
  const artifactDigest = `sha256:${createHash("sha256").update(model.onnx).digest("hex")}`;
  const stored = await stage.api.call("artifacts.put", { params: { digest: artifactDigest }, body: model.onnx });
  expectThat(stored.encrypted, "expected the stored artifact to be encrypted");
  const subjects = [{ name: `${model.name}.onnx`, digest: artifactDigest }];
  const result = buildTestResult({ junit: Buffer.from(junitXml(report), "utf8"), subjects });
  expectThat(result.ok, result.ok ? "" : result.problem.message);
  const bundle = JSON.parse(signStatement(result.value.statement, key));
  const evidence = await stage.api.call("evidence.add", { body: { bundle } });
  const { accuracy, auc } = model.metrics;
  stage.narrator.say(
    `${version}  ${model.name.padEnd(24)} ${(model.onnx.length / 1024).toFixed(1).padStart(5)} kB  accuracy ${accuracy.toFixed(3)}, AUC ${auc.toFixed(3)}; ` +
      `${report.cases.length} tests ${evidence.result}; artifact ${short(artifactDigest)}, encrypted`,
  );
  return { version, artifactDigest, plan: modelPlan(version, artifactDigest, { bakeSeconds }) };
}
