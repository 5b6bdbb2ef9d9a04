import type { SendHandle } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { chmod, lstat, mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { CanaryJudge } from "../core/monitor/judge/canary-judge.ts";
import { canaryJudgeStateSchema, serviceWatchStateSchema } from "../core/monitor/judge/judge-state.ts";
import { ServiceWatch } from "../core/monitor/judge/service-watch.ts";
import { type ControlHandlers, listenForControl, refuseWhenServed } from "./control-server.ts";
import { Controller } from "./controller.ts";
import { type Endpoint, EndpointTable, type Guard, type Variant } from "./endpoint.ts";
import type { Log } from "./log.ts";
import { Capture } from "./router/capture.ts";
import type { CaptureRules } from "./router/capture-fields.ts";
import { connectionsMax } from "./router/connections-max.ts";
import { CredentialTable } from "./router/credential-table.ts";
import { randomDraws } from "./router/draw.ts";
import { Router } from "./router/router.ts";
import type { RouterLimits } from "./router/router-limits.ts";
import { servingError } from "./serving-error.ts";
import { servingMetrics } from "./serving-metrics.ts";
import { type EndpointState, readState, type ServingState, StateWriter, type VariantState } from "./state-file.ts";

export interface ServingOptions {
  /** Where the control API listens; a unix socket of mode 0600. */
  controlSocket: string;
  host: string;
  /** 0 for any free port. */
  port: number;
  stateDir: string;
  captureDir: string;
  /** The plaintext of an artifact. Must work while the control plane and its database are down. */
  readModel: (tenant: string, digest: string) => Promise<Uint8Array>;
  log: Log;
  /** A socket that listens already, of the process before this one; `host` and `port` are the ones it has. */
  listener?: SendHandle;
  capture?: {
    enabled?: boolean;
    fileBytesMax?: number;
    keptBytesMax?: number;
    queueBytesMax?: number;
    flushMs?: number;
    /** What is kept of requests and answers. */
    rules?: CaptureRules;
  };
  limits?: Partial<RouterLimits>;
  supervision?: Partial<Supervision>;
  /** Of the program; clients are told it. */
  programVersion: string;
  /** Show the names of tenants, endpoints and versions on `/metrics` to whoever reaches the port. Default false. */
  metricsNamesForAll?: boolean;
  /** Uniform in [0, 1); only simulations give their own. */
  draw?: () => number;
}

export interface Supervision {
  /** Between two looks at a replica's memory and health. */
  healthMs: number;
  /** A replica that is silent for longer is killed. */
  healthMsMax: number;
  /** From the start of a replica to its warm-up's answer. */
  startMsMax: number;
  /** How long what is in flight may take when a replica retires. */
  drainMsMax: number;
  /** How long a replica waits for somebody to come back. */
  orphanMsMax: number;
}

export interface Serving {
  url: string;
  bootId: string;
  /** The listening socket, for whoever keeps it over the death of this process. */
  listener(): SendHandle;
  /** Ends in order: what is in flight is answered, then the replicas stop. */
  close(): Promise<void>;
  /** Lets go of everything at once and leaves the replicas running, as a crash would. For tests and upgrades. */
  abandon(): Promise<void>;
}

const DEFAULT_LIMITS: Omit<RouterLimits, "connectionsMax"> = {
  bodyBytesMax: 6 * 1024 * 1024,
  heldBytesMax: 256 * 1024 * 1024,
  inFlightMax: 2048,
  endpointInFlightMax: 1024,
  deadlineMs: 10_000,
};
const DEFAULT_SUPERVISION: Supervision = {
  healthMs: 500,
  healthMsMax: 15_000,
  startMsMax: 60_000,
  drainMsMax: 10_000,
  orphanMsMax: 15 * 60_000,
};
const DEFAULT_CAPTURE = {
  enabled: true,
  fileBytesMax: 64 * 1024 * 1024,
  keptBytesMax: 1024 * 1024 * 1024,
  queueBytesMax: 32 * 1024 * 1024,
  flushMs: 250,
};
const MEASURES_SAVE_MS = 5000;

/**
 * The data plane of one host: router, supervisor and replicas. Answers what it answered before as soon as it is up,
 * from its own state file, and needs nobody until something is to change.
 */
export async function runServing(options: ServingOptions): Promise<Serving> {
  const log = options.log;
  // Before anything is touched: two processes on one state would start every replica twice.
  await refuseWhenServed(options.controlSocket);
  const supervision = { ...DEFAULT_SUPERVISION, ...options.supervision };
  const stateDir = resolve(options.stateDir);
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const stateFile = join(stateDir, "serving.json");
  const socketDir = await privateSocketDir(stateDir);
  const state = await readState(stateFile);

  const bootId = randomUUID();
  const startedAtMs = Date.now();
  const endpoints = new EndpointTable();
  const credentials = new CredentialTable();
  credentials.replace(state.credentialsRevision, state.credentials);
  const writer = new StateWriter({ path: stateFile, state: () => currentState(endpoints, credentials) });
  const capture = new Capture({ ...DEFAULT_CAPTURE, ...options.capture, directory: resolve(options.captureDir), log });
  let url = "";
  let router: Router | null = null;
  const controller = new Controller({
    ...supervision,
    endpoints,
    readModel: options.readModel,
    socketDir,
    stateFile,
    log,
    save: () => writer.save(),
    url: () => url,
  });
  router = new Router({
    host: options.host,
    port: options.port,
    endpoints,
    credentials,
    capture,
    limits: { ...DEFAULT_LIMITS, connectionsMax: connectionsMax(), ...options.limits },
    draw: options.draw ?? randomDraws(),
    onAlarm: (endpoint, alarm) => {
      if (!endpoint.trip(alarm)) return;
      log.error({ endpoint: endpoint.servedName, cause: alarm.cause }, "all traffic sent back to stable");
      controller.saveSoon();
    },
    metrics: servingMetrics({
      ...{ endpoints, router: () => router, capture },
      namesForAll: options.metricsNamesForAll ?? false,
    }),
    ready: () => readiness(endpoints),
    programVersion: options.programVersion,
  });

  const running = router;
  const listen = async () => {
    url = await running.listen(options.listener);
    const status = () => ({ bootId, startedAtMs, url });
    const handlers = controlHandlers({ controller, credentials, endpoints, writer, status });
    return listenForControl({ socketPath: options.controlSocket, log, handlers });
  };
  await restore({ state, endpoints, controller, log });
  const control = await listen().catch(async (error: unknown) => {
    await running.close(0);
    for (const { variant } of endpoints.variants()) variant.pool.release();
    throw error;
  });
  await writer.save();
  // Counts change without an effect; a crash may lose the last seconds of them and nothing else.
  let keptAnswers = answersOf(endpoints);
  const measures = setInterval(() => {
    const answers = answersOf(endpoints);
    if (answers !== keptAnswers) controller.saveSoon();
    keptAnswers = answers;
  }, MEASURES_SAVE_MS);
  measures.unref();
  log.info({ url, bootId, endpoints: state.endpoints.length }, "serving");

  const stopTaking = async (drainMsMax: number) => {
    clearInterval(measures);
    await control.close();
    await running.close(drainMsMax);
    await capture.close();
  };
  return {
    url,
    bootId,
    listener: () => running.listener,
    close: async () => {
      await stopTaking(supervision.drainMsMax);
      await Promise.all([...endpoints.variants()].map(({ variant }) => variant.pool.stop(supervision.drainMsMax)));
      await controller.settled();
      await writer.save();
      await rm(socketDir, { recursive: true, force: true });
    },
    abandon: async () => {
      await stopTaking(0);
      await writer.save();
      for (const { variant } of endpoints.variants()) variant.pool.release();
    },
  };
}

/** How many answers all versions gave: what changes without an effect. */
function answersOf(endpoints: EndpointTable): number {
  let answers = 0;
  for (const { variant } of endpoints.variants()) answers += variant.life.requests;
  return answers;
}

function currentState(endpoints: EndpointTable, credentials: CredentialTable): ServingState {
  return {
    version: 1,
    credentialsRevision: credentials.revision,
    credentials: credentials.all,
    endpoints: [...endpoints.all()].map((endpoint) => endpoint.toState()),
  };
}

/** Brings back what served: replicas that still run are adopted, the others are started behind. */
async function restore(parts: {
  state: ServingState;
  endpoints: EndpointTable;
  controller: Controller;
  log: Log;
}): Promise<void> {
  await Promise.all(
    parts.state.endpoints.map(async (state) => {
      const endpoint = parts.endpoints.getOrCreate({
        tenant: state.tenant,
        environment: state.environment,
        name: state.name,
      });
      endpoint.generation = state.generation;
      endpoint.doneKeys = state.doneKeys;
      endpoint.tripped = state.tripped;
      endpoint.guard = state.guard;
      const [stable, candidate] = await Promise.all([
        adopt(parts.controller, endpoint, state.stable),
        adopt(parts.controller, endpoint, state.candidate),
      ]);
      const restored = { endpoint, state, log: parts.log };
      restoreRoutes(restored, { stable, candidate });
      restoreWatch(restored);
      stable?.pool.ensure();
      candidate?.pool.ensure();
    }),
  );
}

async function adopt(controller: Controller, endpoint: Endpoint, state: VariantState | null): Promise<Variant | null> {
  if (state === null) return null;
  const variant = controller.makeVariant(endpoint, state);
  await variant.pool.adopt(state.replicas);
  return variant;
}

interface Restored {
  endpoint: Endpoint;
  state: EndpointState;
  log: Log;
}

/**
 * The weights as they were. The judge of a rollout that was under way goes on with the evidence that it had when the
 * state was last kept; what came since counts for neither arm, which costs time and no validity. The verdict waits for
 * requests again, and a trip that happened stays.
 */
function restoreRoutes(
  parts: Restored,
  { stable, candidate }: { stable: Variant | null; candidate: Variant | null },
): void {
  const { endpoint, state } = parts;
  const guard = candidate === null ? null : state.guard;
  const stableSoFar = { ...(stable?.life ?? { requests: 0, errors: 0 }) };
  endpoint.routes = {
    stable,
    candidate,
    probability: state.percent / 100,
    judge: guard === null ? null : (keptJudge(parts, guard) ?? new CanaryJudge({ guard, stableSoFar })),
  };
}

/** Null where no evidence was kept, or none that this program reads: then it begins anew, and that is said. */
function keptJudge({ endpoint, state, log }: Restored, guard: Guard): CanaryJudge | null {
  const kept = canaryJudgeStateSchema.safeParse(state.judge);
  const judge = kept.success ? readKept(() => CanaryJudge.fromState(kept.data, { guard })) : null;
  if (judge === null)
    log.warn({ endpoint: endpoint.servedName }, "the evidence of the rollout under way cannot be read and begins anew");
  return judge;
}

/** A version that serves is looked after again, from a new baseline where none was kept. */
function restoreWatch({ endpoint, state }: Restored): void {
  if (endpoint.routes.stable === null) return;
  const kept = serviceWatchStateSchema.safeParse(state.watch);
  const watch = kept.success ? readKept(() => ServiceWatch.fromState(kept.data)) : null;
  if (watch === null) endpoint.watchOver(null);
  else endpoint.watch = watch;
}

/** Null for a state whose parts do not fit together, as of a program with other components. */
function readKept<Kept>(read: () => Kept): Kept | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function readiness(endpoints: EndpointTable): { ready: boolean; detail: string } {
  for (const endpoint of endpoints.all()) {
    const { stable } = endpoint.routes;
    if (stable !== null && stable.pool.healthy === 0)
      return { ready: false, detail: "a version that serves has no healthy replica" };
  }
  return { ready: true, detail: "every version that serves has a healthy replica" };
}

function controlHandlers(parts: {
  controller: Controller;
  credentials: CredentialTable;
  endpoints: EndpointTable;
  writer: StateWriter;
  status: () => { bootId: string; startedAtMs: number; url: string };
}): ControlHandlers {
  const { controller, credentials } = parts;
  return {
    status: () => ({
      ...parts.status(),
      pid: process.pid,
      credentialsRevision: credentials.revision,
      endpoints: [...parts.endpoints.all()].map((endpoint) => ({
        ...endpoint.at,
        generation: endpoint.generation,
        candidatePercent: endpoint.percent,
        tripped: endpoint.tripped,
      })),
    }),
    capacity: (request) => controller.capacity(request),
    snapshot: (at) => controller.snapshot(at),
    observe: (at) => controller.observe(at),
    describe: (at) => controller.describe(at),
    provision: ({ effect, candidate }) => controller.provision(effect, candidate),
    shift: ({ effect, percent, guard }) => controller.shift(effect, { percent, guard }),
    promote: ({ effect }) => controller.promote(effect),
    rollback: ({ effect, snapshot }) => controller.rollback(effect, snapshot),
    scale: ({ effect, instanceCount }) => controller.scale(effect, instanceCount),
    remove: ({ effect }) => controller.remove(effect),
    credentials: async (table) => {
      credentials.replace(table.revision, table.credentials);
      await parts.writer.save();
      return { revision: credentials.revision };
    },
  };
}

/**
 * A directory for the replicas' sockets that only this user can enter. The path of a unix socket may have about 100
 * bytes, so a deep state directory gets a short one of its own.
 */
async function privateSocketDir(stateDir: string): Promise<string> {
  const beside = join(stateDir, "s");
  const user = process.getuid?.() ?? 0;
  const short = join(tmpdir(), `continuum-${user}-${createHash("sha256").update(stateDir).digest("hex").slice(0, 12)}`);
  const directory = Buffer.byteLength(beside) <= 70 ? beside : short;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const found = await lstat(directory);
  // Somebody else may have made it first, in a directory that all users share.
  if (!found.isDirectory() || (process.getuid !== undefined && found.uid !== user))
    throw servingError("not-available", `${directory} belongs to somebody else`);
  await chmod(directory, 0o700);
  return directory;
}
