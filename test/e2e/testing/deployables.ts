import { createHash, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { signStatement } from "../../../src/core/evidence/sign.ts";
import { generateSigningKey, type SigningKey } from "../../../src/core/evidence/signing-key.ts";
import { buildTestResult } from "../../../src/core/evidence/test-result.ts";
import type { PlanInput } from "../../../src/core/plan/schema.ts";
import { ask } from "../../../src/quickstart/traffic.ts";
import { sumModel } from "../../../src/serving/testing/test-models.ts";
import type { ApiClient } from "../../../src/surfaces/cli/client.ts";
import { followRollout, type RolloutDetail } from "../../../src/surfaces/cli/follow-rollout.ts";

const REPORT = '<testsuite tests="1"><testcase name="adds up"/></testsuite>';

/** A key that the server trusts for test results. */
export async function trustedKey(admin: ApiClient): Promise<SigningKey> {
  const key = generateSigningKey(randomBytes);
  await admin.call("keys.import", { body: { purpose: "tests", publicKey: key.publicKey.spkiPem } });
  return key;
}

/** Imports a small real model, by default one that adds its three features and `bias`; answers its digest. */
export async function importModel(
  client: ApiClient,
  model: { bias: number } | { bytes: Uint8Array },
  evidence?: SigningKey,
): Promise<string> {
  const bytes = "bytes" in model ? model.bytes : sumModel(model);
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  await client.call("artifacts.put", { params: { digest }, body: bytes });
  if (evidence === undefined) return digest;
  const result = buildTestResult({ junit: Buffer.from(REPORT), subjects: [{ name: "model.onnx", digest }] });
  if (!result.ok) throw new Error(result.problem.message);
  const bundle = JSON.parse(signStatement(result.value.statement, evidence));
  await client.call("evidence.add", { body: { bundle } });
  return digest;
}

type Spec = PlanInput["spec"];

/** A plan of development that the policy allows; what a test is about is said by it. */
export function planOf(
  name: string,
  model: { version: string; artifact: string },
  changes: Partial<Omit<Spec, "model">> = {},
): PlanInput {
  return {
    apiVersion: "continuum/v1",
    kind: "DeploymentPlan",
    metadata: { name },
    spec: {
      environment: "development",
      model: { name, version: model.version, artifact: `store:${model.artifact}` },
      compute: { instanceType: "ml.m5.large" },
      rollback: { alarms: ["ModelMonitorAlarm", "DataDriftAlarm"] },
      ...changes,
      rollout: { bakeSeconds: 0, deadlineSeconds: 60, ...changes.rollout },
    },
  };
}

export function submit(client: ApiClient, plan: PlanInput, supersede = false): Promise<RolloutDetail> {
  return client.call("plans.submit", { body: { plan, supersede } });
}

export function rollout(client: ApiClient, id: string): Promise<RolloutDetail> {
  return client.call("rollouts.get", { params: { id } });
}

/** Waits for the end, over lost connections. */
export function ended(client: ApiClient, id: string): Promise<RolloutDetail> {
  return followRollout({ client, id, onEvent: () => undefined });
}

/** The rollout once it is as asked; its end before that is an error that says why. */
export async function until(
  client: ApiClient,
  id: string,
  is: (rollout: RolloutDetail) => boolean,
  timeoutMs = 30_000,
): Promise<RolloutDetail> {
  const endMs = Date.now() + timeoutMs;
  for (;;) {
    const now = await rollout(client, id);
    if (is(now)) return now;
    if (now.terminal || Date.now() > endMs)
      throw new Error(`${id} is ${now.phase} at ${now.weightPercent} %: ${JSON.stringify([now.reason, now.refusals])}`);
    await sleep(50);
  }
}

export async function deploy(client: ApiClient, plan: PlanInput): Promise<RolloutDetail> {
  return ended(client, (await submit(client, plan)).id);
}

/** Where a deployed endpoint of development is invoked, once it answers the installation's token. */
export async function invocable(on: { servingUrl: string; invokeToken: string }, name: string): Promise<string> {
  const url = `${on.servingUrl}/endpoints/development-${name}/invocations`;
  for (const endMs = Date.now() + 10_000; ; await sleep(50)) {
    const { status } = await ask({ url, token: on.invokeToken, body: "1,2,3\n" });
    if (status === 200) return url;
    if (Date.now() > endMs) throw new Error(`${url} answers ${status}`);
  }
}
