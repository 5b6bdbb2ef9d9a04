import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { RoleMessage, StartedMessage } from "../src/quickstart/installation.ts";
import { sumModel } from "../src/serving/testing/test-models.ts";
import { startEmbedded } from "../src/store/embedded/embedded.ts";
import { createApiClient } from "../src/surfaces/cli/client.ts";
import { deploy, importModel, planOf, submit, trustedKey } from "../test/e2e/testing/deployables.ts";
import { builtProgram } from "./built-program.ts";
import {
  type BenchOptions,
  cpuPercent,
  endWithUs,
  type Figure,
  type Measurement,
  median,
  must,
  processTree,
  pssMebibytes,
  scratchFolder,
  until,
} from "./measure.ts";
import { waitingAtRest } from "./waiting.ts";

const POSTGRESQL = "bare PostgreSQL, the same binaries and settings";

/** `continuum start` as a user of the package runs it: from an empty disk to ready, at rest, and with a plan. */
export const measureInstallation: Measurement = async (options) => {
  const bare = await bareDatabase(options.quick ? 1 : 4);
  const program = await builtProgram();
  const cold: number[] = [];
  try {
    for (let round = 0; round < (options.quick ? 0 : 4); round += 1) {
      await withInstallation(program.main, async ({ coldMs }) => void cold.push(coldMs));
    }
    const ofOne = await withInstallation(program.main, async (installation) => {
      cold.push(installation.coldMs);
      return [...(await atRest(installation, options, bare)), await planToServing(installation, options)];
    });
    const coldStart: Figure = {
      ...{ name: "cold start to ready, empty disk", value: median(cold) / 1000, unit: "s", aim: { below: 3 } },
      ...{ peer: `${POSTGRESQL}: initdb to ready`, peerValue: bare.coldMs / 1000 },
    };
    const waiting = await withInstallation(program.main, (installation) => waitingAtRest(installation, options));
    return [coldStart, ...ofOne, ...waiting];
  } finally {
    program.remove();
  }
};

interface BareDatabase {
  coldMs: number;
  pssMebibytes: number;
  cpuPercent: number;
}

async function bareDatabase(rounds: number): Promise<BareDatabase> {
  const coldMs: number[] = [];
  let [pss, cpu] = [0, 0];
  for (let round = 0; round < rounds; round += 1) {
    const folder = await scratchFolder("bare");
    const startMs = performance.now();
    const server = await startEmbedded({ dataDir: folder.path });
    const mark = endWithUs(server.pid);
    coldMs.push(performance.now() - startMs);
    if (round === rounds - 1) {
      const pids = processTree(server.pid);
      await sleep(1000);
      cpu = await cpuPercent(pids, 3);
      pss = pssMebibytes(pids);
    }
    await server.stop();
    mark.ended();
    rmSync(server.clusterDir, { recursive: true, force: true, maxRetries: 5 });
    folder.remove();
  }
  return { coldMs: median(coldMs), pssMebibytes: pss, cpuPercent: cpu };
}

export interface Installation {
  coldMs: number;
  started: StartedMessage;
  token: string;
}

async function withInstallation<T>(main: string, work: (installation: Installation) => Promise<T>): Promise<T> {
  const folder = await scratchFolder("installation");
  const logFile = join(folder.path, "log");
  const startMs = performance.now();
  const child = launch(main, { folder: folder.path, logFile });
  let outside: string[] = [];
  try {
    const started = await readiness(child, logFile);
    const coldMs = performance.now() - startMs;
    outside = started.outside;
    const token = /shown this once: (ctm_\S+)/.exec(readFileSync(logFile, "utf8"))?.[1];
    must(token !== undefined, "the first start prints a token");
    return await work({ coldMs, started, token });
  } finally {
    await ended(child);
    for (const path of outside) rmSync(path, { recursive: true, force: true, maxRetries: 5 });
    folder.remove();
  }
}

function launch(main: string, { folder, logFile }: { folder: string; logFile: string }): ChildProcess {
  const log = openSync(logFile, "a", 0o600);
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("CONTINUUM_"));
  const ports = { CONTINUUM_API_PORT: "0", CONTINUUM_SERVING_PORT: "0", CONTINUUM_WORKER_OPS_PORT: "0" };
  try {
    return spawn(process.execPath, [main, "start"], {
      cwd: folder,
      env: { ...Object.fromEntries(inherited), HOME: folder, CONTINUUM_DATA_DIR: join(folder, "data"), ...ports },
      stdio: ["ignore", log, log, "ipc"],
    });
  } finally {
    closeSync(log);
  }
}

function readiness(child: ChildProcess, logFile: string): Promise<StartedMessage> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) =>
      reject(new Error(`start ended with ${code}: ${readFileSync(logFile, "utf8").slice(-2000)}`)),
    );
    let started: StartedMessage | undefined;
    child.on("message", (message: RoleMessage | StartedMessage) => {
      // The monitor comes last, and its memory counts with the others'.
      if (message?.type === "role") started?.processes.push(message);
      if (message?.type !== "ready") return;
      started = message;
      resolve(message);
    });
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await exited;
}

/** PostgreSQL is no child of the supervisor's, so the trees of all that were announced are joined. */
function everyProcess({ started }: Installation): number[] {
  return [...new Set(started.processes.flatMap(({ pid }) => processTree(pid)))];
}

async function atRest(installation: Installation, { quick, say }: BenchOptions, bare: BareDatabase): Promise<Figure[]> {
  await sleep(quick ? 2000 : 15_000); // What starting took is collected and given back by then.
  const pids = everyProcess(installation);
  const cpu = await cpuPercent(pids, quick ? 3 : 20);
  const roots = installation.started.processes.map(({ name, pid }) => {
    const own = name === "supervisor" ? [pid] : processTree(pid);
    return `${name} ${pssMebibytes(own).toFixed(0)}`;
  });
  say(`MiB: ${roots.join(", ")}`);
  return [
    {
      ...{
        name: "memory (PSS) of the whole stack at rest",
        value: pssMebibytes(pids),
        unit: "MiB",
        aim: { below: 250 },
      },
      ...{ peer: POSTGRESQL, peerValue: bare.pssMebibytes },
    },
    {
      ...{ name: "memory: CPU of the whole stack at rest", value: cpu, unit: "%", aim: { below: 1 } },
      ...{ peer: POSTGRESQL, peerValue: bare.cpuPercent },
    },
  ];
}

/** From the submission of an allowed plan over HTTP to the first answer of its model. */
async function planToServing(installation: Installation, { quick }: BenchOptions): Promise<Figure> {
  const { started, token } = installation;
  const admin = createApiClient({ url: started.url, token });
  const { secret } = await admin.call("tokens.create", {
    body: { principal: "traffic", kind: "service", roles: ["invoker"] },
  });
  const key = await trustedKey(admin);
  const samples: number[] = [];
  const loads: number[] = [];
  for (let round = 0; round < (quick ? 2 : 8); round += 1) {
    const name = `served-${round}`;
    const artifact = await importModel(admin, { bias: round }, key);
    // Pushed tokens and a first deployment are not what is measured: the second endpoint is the first that counts.
    if (round === 0) {
      const { phase, reason } = await deploy(admin, planOf("warm-up", { version: "1.0.0", artifact }));
      must(phase === "Succeeded", `the first deployment succeeds (${phase}: ${reason?.message})`);
    }
    const startMs = performance.now();
    await submit(admin, planOf(name, { version: "1.0.0", artifact }));
    const url = `${started.servingUrl}/endpoints/development-${name}/invocations`;
    const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json" };
    const body = JSON.stringify({ instances: [[1, 2, 3]] });
    await until(`${name} answers`, async () => (await fetch(url, { method: "POST", headers, body })).ok, {
      everyMs: 2,
    });
    samples.push(performance.now() - startMs);
    loads.push(await bareReplica(sumModel({ bias: round })));
  }
  return {
    ...{ name: "cold start of a plan: submitted to first answer", value: median(samples), unit: "ms" },
    ...{ peer: "a Node process that loads the same model", peerValue: median(loads), aim: { below: 1500 } },
  };
}

/** What no control plane can save: a process that starts, loads the library and the model, and infers once. */
async function bareReplica(model: Uint8Array): Promise<number> {
  const program = `import { InferenceSession, Tensor } from "onnxruntime-node";
    const session = await InferenceSession.create(Buffer.from(process.argv[1], "base64"));
    await session.run({ features: new Tensor("float32", [1, 2, 3], [1, 3]) });
    process.exit(0);`;
  const startMs = performance.now();
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, Buffer.from(model).toString("base64")], {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    stdio: ["ignore", "inherit", "inherit"],
  });
  const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
  must(code === 0, "a bare process loads the model");
  return performance.now() - startMs;
}
