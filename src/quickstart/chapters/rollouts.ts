import type { Environment, PlanInput } from "../../core/plan/schema.ts";
import { ended, follow, type Rollout, seconds } from "../follow.ts";
import { LATENCY_RATIO_MAX } from "../plans.ts";
import { expectThat, type Models, type Stage } from "../stage.ts";
import { ask, Traffic, type TrafficSummary } from "../traffic.ts";
import type { Dataset } from "../training/dataset.ts";
import { submit } from "./proposing.ts";

const CONNECTIONS = 4;
const REQUESTS_PER_SECOND = 400;

/** The first version: nothing serves yet, so it takes all traffic at once and is judged on health and warm-up. */
export async function deployFirst(stage: Stage, plan: PlanInput, models: Models): Promise<string> {
  const { narrator } = stage;
  narrator.chapter("Version 1.0.0 goes to development");
  const startedAtMs = Date.now();
  const rollout = await follow(stage, await submit(stage, plan));
  expectThat(rollout.phase === "Succeeded", `expected Succeeded, got ${ended(rollout)}`);
  const url = await invokeUrl(stage, "development");
  narrator.say(`serving after ${seconds(Date.now() - startedAtMs)} at ${url}`);
  await showPredictions(stage, url, { sample: models.trained.split.holdout, version: models.v1.version });
  return url;
}

/** A canary under continuous traffic: the split is seen in the answers, it is promoted, and no request fails. */
export async function promoteCanary(stage: Stage, url: string, models: Models): Promise<void> {
  const { narrator } = stage;
  narrator.chapter("Version 2.0.0 as a canary, under continuous traffic");
  narrator.say(
    `(its plan accepts ${LATENCY_RATIO_MAX} times stable's latency: this machine may have more to do than this)`,
  );
  const traffic = startTraffic(stage, url, { bodies: csvRows(models.trained.split.holdout) });
  try {
    const rollout = await follow(stage, await submit(stage, models.v2.plan), {
      live: () => splitLine(traffic.summary()),
      onBakeEnd: (percent, sinceMs) =>
        narrator.say(`  answers in the ${percent} % step: ${splitLine(traffic.summary(sinceMs))}`),
    });
    expectThat(rollout.phase === "Succeeded", `expected Succeeded, got ${ended(rollout)}`);
  } finally {
    await traffic.stop();
  }
  const summary = traffic.summary();
  narrator.say(`${summary.requests} requests during the rollout, ${summary.failed} failed: ${splitLine(summary)}`);
  expectThat(summary.failed === 0, `expected no request to fail, ${summary.failed} did`);
  expectThat(
    (summary.byVersion.get("2.0.0") ?? 0) > 0 && (summary.byVersion.get("1.0.0") ?? 0) > 0,
    "expected both versions in the answers",
  );
}

/** A broken version: it loads and passes its own tests, fails on part of the traffic, and is rolled back unasked. */
export async function rollBackBroken(stage: Stage, url: string, models: Models): Promise<void> {
  const { narrator } = stage;
  narrator.chapter("Version 3.0.0 is broken, and nobody knows yet");
  const traffic = startTraffic(stage, url, { bodies: csvRows(models.trained.split.holdout) });
  let rollout: Rollout;
  try {
    rollout = await follow(stage, await submit(stage, models.v3.plan), {
      live: () => splitLine(traffic.summary()),
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
  } finally {
    await traffic.stop();
  }
  expectThat(rollout.phase === "RolledBack", `expected RolledBack, got ${ended(rollout)}`);
  const touched = traffic.answers.filter(({ status, version }) => status !== 200 || version === "3.0.0");
  const bad = traffic.answers.filter(({ status }) => status !== 200);
  const firstBad = bad[0];
  const lastTouched = touched.at(-1);
  expectThat(firstBad !== undefined && lastTouched !== undefined, "expected the broken version to fail some requests");
  const summary = traffic.summary();
  narrator.say(`why: ${rollout.reason?.message ?? "no reason was given"}`);
  narrator.say(`${touched.length} of ${summary.requests} requests reached 3.0.0, ${bad.length} of them got an error`);
  narrator.say(
    `from the first bad answer to the last answer of 3.0.0: ${lastTouched.atMs - firstBad.atMs} ms; nobody was asked`,
  );
  await sayServing(stage, url, { body: csvRows(models.trained.split.holdout)[0] ?? "", version: models.v2.version });
}

/** Which version answers now. */
export async function sayServing(
  stage: Stage,
  url: string,
  { body, version }: { body: string; version: string },
): Promise<void> {
  const after = await ask({ url, token: stage.invokeToken, body });
  expectThat(
    after.status === 200 && after.version === version,
    `expected ${version} to serve, got ${after.version} (${after.status})`,
  );
  stage.narrator.say(`now serving: ${after.version}`);
}

export async function invokeUrl(stage: Stage, environment: Environment): Promise<string> {
  const endpoint = await stage.api.call("endpoints.get", {
    params: { environment, target: "local", name: "tumours" },
  });
  expectThat(endpoint.invokeUrl !== null, "expected the endpoint to say where it is invoked");
  return endpoint.invokeUrl;
}

export async function showPredictions(
  stage: Stage,
  url: string,
  { sample, version }: { sample: Dataset; version: string },
): Promise<void> {
  const rows = csvRows(sample);
  stage.narrator.say("five real patients from the rows that no model was trained on:");
  for (const index of [...rowsOf(sample, 1).slice(0, 3), ...rowsOf(sample, 0).slice(0, 2)]) {
    const answer = await ask({ url, token: stage.invokeToken, body: rows[index] ?? "" });
    expectThat(answer.status === 200, `expected a prediction, got ${answer.status}: ${answer.body}`);
    expectThat(answer.version === version, `expected ${version} to answer, got ${answer.version}`);
    const truth = sample.labels[index] === 1 ? "malignant" : "benign";
    stage.narrator.say(`  row ${String(index).padStart(3)}  ${answer.body}  the truth: ${truth}`);
  }
}

function rowsOf(sample: Dataset, label: number): number[] {
  return sample.labels.flatMap((value, index) => (value === label ? [index] : []));
}

export function startTraffic(
  stage: Stage,
  url: string,
  asks: { bodies: readonly string[] } | { nextBody(): string },
): Traffic {
  return new Traffic({
    url,
    token: stage.invokeToken,
    ...asks,
    connections: CONNECTIONS,
    ratePerSecond: REQUESTS_PER_SECOND,
  });
}

export function csvRows(sample: Dataset): string[] {
  return sample.rows.map((row) => Array.from(row).join(","));
}

export function splitLine(summary: TrafficSummary): string {
  const parts = [...summary.byVersion].filter(([version]) => version !== "").toSorted(([a], [b]) => a.localeCompare(b));
  return parts
    .map(([version, count]) => `${version}: ${count} (${((100 * count) / summary.requests).toFixed(1)} %)`)
    .join(", ");
}
