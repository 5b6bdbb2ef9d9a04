import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import type { PlanInput } from "../src/core/plan/schema.ts";
import { onnxModel } from "../src/quickstart/onnx/model.ts";
import { type Continuum, startContinuum } from "../test/e2e/testing/continuum.ts";
import { deploy, importModel, planOf, trustedKey } from "../test/e2e/testing/deployables.ts";
import { must, processTree, seededRandom, until } from "./measure.ts";

/** What the measurements of a running monitor share: a model of 30 features, its baseline, and an installation. */

export const FEATURES = 30;
const BASELINE_ROWS = 10_000;

export interface Installed {
  on: Continuum;
  artifacts: { served: string; same: string; baseline: string };
  monitorUrl: string;
  /** Of this role's process; undefined while it is none. */
  pidOf(role: string): number | undefined;
}

/** Continuum as `start` runs it, with two models that answer the same and the table that they were made from. */
export async function install(environment: Record<string, string> = {}): Promise<Installed> {
  const port = await freePort();
  const on = await startContinuum({
    environment: { CONTINUUM_MONITOR_OPS_PORT: String(port), CONTINUUM_LOG_LEVEL: "warn", ...environment },
  });
  try {
    const key = await trustedKey(on.admin);
    const artifacts = {
      served: await importModel(on.admin, { bytes: wideModel(0.5) }, key),
      same: await importModel(on.admin, { bytes: wideModel(0.500001) }, key),
      baseline: await importModel(on.admin, { bytes: baselineTable() }),
    };
    const pidOf = (role: string) =>
      on.started.processes.find(({ name }) => name === role)?.pid ?? roleOf(on.started.processes, role);
    return { on, artifacts, monitorUrl: `http://127.0.0.1:${port}`, pidOf };
  } catch (error) {
    await on.clear();
    throw error;
  }
}

/** The monitor starts after the others are ready, which is when they are announced. */
function roleOf(processes: Continuum["started"]["processes"], role: string): number | undefined {
  const supervisor = processes.find(({ name }) => name === "supervisor");
  return supervisor === undefined
    ? undefined
    : processTree(supervisor.pid).find((pid) => commandOf(pid).endsWith(role));
}

export function planFor(
  installed: Installed,
  name: string,
  options: { model: "served" | "same"; monitor?: NonNullable<PlanInput["spec"]["monitor"]>; rollout?: object },
): PlanInput {
  const { artifacts } = installed;
  const monitor = { baseline: `store:${artifacts.baseline}`, dataDrift: {}, ...options.monitor };
  return planOf(
    name,
    { version: options.model, artifact: artifacts[options.model] },
    { monitor, ...(options.rollout === undefined ? {} : { rollout: options.rollout }) },
  );
}

/** Deploys the model that is watched and answers where it is invoked, once that answers. */
export async function serve(installed: Installed, name: string, monitor = {}): Promise<string> {
  const { on } = installed;
  const { phase, reason } = await deploy(on.admin, planFor(installed, name, { model: "served", monitor }));
  must(phase === "Succeeded", `${name} is deployed (${phase}: ${reason?.message})`);
  const url = `${on.servingUrl}/endpoints/development-${name}/invocations`;
  const headers = { authorization: `Bearer ${on.invokeToken}`, "content-type": "application/json" };
  const body = instances(drawRow(seededRandom(3)));
  await until(`${name} answers`, async () => (await fetch(url, { method: "POST", headers, body })).ok);
  return url;
}

/** A number from the monitor's own page. */
export async function monitorMetric({ monitorUrl }: Installed, name: string): Promise<number> {
  const page = await (await fetch(`${monitorUrl}/metrics`)).text();
  const value = new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, "m").exec(page)?.[1];
  must(value !== undefined, `the monitor tells ${name}`);
  return Number(value);
}

export async function untilMonitored(installed: Installed, { endpoints }: { endpoints: number }): Promise<void> {
  const ready = () =>
    fetch(`${installed.monitorUrl}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until("the monitor is ready", ready);
  const watched = () => monitorMetric(installed, "continuum_monitor_endpoints");
  await until("the monitor watches", async () => (await watched()) >= endpoints);
}

/** Features in [0, 1), as the baseline has them; `shift` moves the first. */
export function drawRow(random: () => number, shift = 0): number[] {
  return Array.from({ length: FEATURES }, (_, at) => Number((random() + (at === 0 ? shift : 0)).toFixed(4)));
}

export const instances = (row: readonly number[]): string => JSON.stringify({ instances: [row] });

function baselineTable(): Uint8Array {
  const random = seededRandom(1);
  const header = Array.from({ length: FEATURES }, (_, at) => `feature_${at}`);
  const rows = Array.from({ length: BASELINE_ROWS }, () => drawRow(random).join(","));
  return Buffer.from(`${[header.join(","), ...rows].join("\n")}\n`);
}

/** The probability by the mean of the features. */
function wideModel(middle: number): Uint8Array {
  return onnxModel({
    name: "wide",
    inputs: [{ name: "features", type: "float", shape: ["N", FEATURES] }],
    outputs: [{ name: "probability", type: "float", shape: ["N", 1] }],
    nodes: [
      { operator: "MatMul", inputs: ["features", "weights"], outputs: ["mean"] },
      { operator: "Sub", inputs: ["mean", "middle"], outputs: ["over"] },
      { operator: "Sigmoid", inputs: ["over"], outputs: ["probability"] },
    ],
    initializers: [
      { name: "weights", type: "float", shape: [FEATURES, 1], values: Array(FEATURES).fill(1 / FEATURES) },
      { name: "middle", type: "float", shape: [1], values: [middle] },
    ],
    opset: { standard: 17 },
  });
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trimEnd();
  } catch {
    return "";
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port: 0 }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
