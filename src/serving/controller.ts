import { createHash } from "node:crypto";
import { availableMemory } from "node:process";
import canonicalize from "canonicalize";
import { z } from "zod";
import { ArmWindow } from "../core/monitor/judge/arm-window.ts";
import { CanaryJudge } from "../core/monitor/judge/canary-judge.ts";
import { type Endpoint, type EndpointTable, type Guard, NO_ROUTES, servedNameOf, Variant } from "./endpoint.ts";
import type { Log } from "./log.ts";
import { describeEndpoint, observeEndpoint } from "./observe.ts";
import { type ControlAnswer, type ControlEffect, type ServedAt, type Version, versionSchema } from "./protocol.ts";
import { servingError } from "./serving-error.ts";
import { replicaSize } from "./sizes.ts";
import type { VariantState } from "./state-file.ts";
import { ReplicaPool } from "./supervisor/replica-pool.ts";

export interface ControllerOptions {
  endpoints: EndpointTable;
  readModel: (tenant: string, digest: string) => Promise<Uint8Array>;
  socketDir: string;
  stateFile: string;
  startMsMax: number;
  orphanMsMax: number;
  healthMs: number;
  healthMsMax: number;
  drainMsMax: number;
  log: Log;
  save: () => Promise<void>;
  url: () => string;
}

const SNAPSHOT_KIND = "continuum/local-endpoint/v1";
const snapshotSchema = z.object({
  kind: z.literal(SNAPSHOT_KIND),
  empty: z.boolean(),
  variants: z.array(versionSchema.extend({ percent: z.number(), role: z.enum(["stable", "candidate"]) })),
});
const MEBIBYTE = 1024 * 1024;
/** What the host keeps for everything that is no replica. */
const HOST_RESERVE_BYTES = 128 * MEBIBYTE;

/** Changes what serves, one effect at a time for each endpoint, and only ever forward in generations. */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #retiring = new Set<Promise<void>>();

  constructor(options: ControllerOptions) {
    this.#options = options;
  }

  /** Whether the host has the memory that these replicas may come to use, beside what the others may still come to use. */
  capacity(wanted: { instanceType: string; instanceCount: number }): ControlAnswer<"capacity"> {
    const neededBytes = replicaSize(wanted.instanceType).memoryBytesMax * wanted.instanceCount;
    let promisedBytes = 0;
    for (const { variant } of this.#options.endpoints.variants())
      promisedBytes += Math.max(0, variant.pool.memoryBytesMax - variant.pool.rssBytes);
    const freeBytes = availableMemory() - promisedBytes - HOST_RESERVE_BYTES;
    if (neededBytes <= freeBytes) return { ok: true };
    const needed = `${wanted.instanceCount} replicas of ${wanted.instanceType} may use ${mebibytes(neededBytes)} MiB`;
    const free = `this host has ${Math.max(0, mebibytes(freeBytes))} MiB left`;
    return { ok: false, code: "host-memory", reason: `${needed}; ${free}` };
  }

  snapshot(at: ServedAt): ControlAnswer<"snapshot"> {
    const endpoint = this.#find(at);
    const { stable, candidate } = endpoint?.routes ?? NO_ROUTES;
    const percent = endpoint?.percent ?? 0;
    const variants = [
      ...(stable === null ? [] : [{ ...stable.spec, role: "stable", percent: 100 - percent }]),
      ...(candidate === null ? [] : [{ ...candidate.spec, role: "candidate", percent }]),
    ];
    const empty = stable === null;
    const state = { kind: SNAPSHOT_KIND, ...at, generation: endpoint?.generation ?? 0, empty, variants };
    return { snapshot: canonicalize(state) ?? "", empty };
  }

  observe(at: ServedAt): ControlAnswer<"observe"> {
    return observeEndpoint(this.#find(at));
  }

  describe(at: ServedAt): ControlAnswer<"describe"> {
    return { endpoint: describeEndpoint(this.#find(at), this.#options.url()) };
  }

  provision(effect: ControlEffect, spec: Version): Promise<{ done: true }> {
    // Without a look at the keys: whoever asks again must wait until the replicas are there again.
    return this.#effect(effect, { once: false }, async (endpoint, abort) => {
      const { stable, candidate } = endpoint.routes;
      if (stable?.spec.variant === spec.variant) return startKnown(stable, abort);
      if (candidate !== null && sameVersion(candidate.spec, spec)) return startKnown(candidate, abort);
      if (candidate !== null) this.#withdraw(endpoint);
      this.#needMemory(spec);
      const fresh = this.makeVariant(endpoint, { spec, life: { requests: 0, errors: 0 }, replicas: [] });
      await this.#startOrStop(fresh, abort);
      endpoint.tripped = null;
      endpoint.guard = null;
      endpoint.routes = { stable: endpoint.routes.stable, candidate: fresh, probability: 0, judge: null };
    });
  }

  shift(effect: ControlEffect, shift: { percent: number; guard: Guard }): Promise<{ done: true }> {
    return this.#effect(effect, { once: true }, async (endpoint) => {
      const { routes } = endpoint;
      const { stable, candidate } = routes;
      if (candidate === null) throw servingError("not-available", "there is no candidate that could receive traffic");
      if (endpoint.tripped !== null && shift.percent > 0)
        throw servingError("tripped", `all traffic went back to stable: ${endpoint.tripped.cause}`);
      if (shift.percent > 0 && candidate.pool.healthy === 0)
        throw servingError("not-available", "the candidate has no healthy replica", { retryable: true });
      // With no version beside it the first one takes everything.
      const probability = stable === null && shift.percent > 0 ? 1 : shift.percent / 100;
      const stableSoFar = { ...(stable?.life ?? { requests: 0, errors: 0 }) };
      const judge = routes.judge ?? new CanaryJudge({ guard: shift.guard, stableSoFar });
      judge.guard = shift.guard;
      endpoint.guard = shift.guard;
      if (probability !== routes.probability) {
        candidate.window = new ArmWindow();
        if (stable !== null) stable.window = new ArmWindow();
      }
      endpoint.routes = { stable, candidate, probability, judge };
    });
  }

  promote(effect: ControlEffect): Promise<{ done: true }> {
    return this.#effect(effect, { once: true }, async (endpoint) => {
      const { stable, candidate } = endpoint.routes;
      if (candidate === null) throw servingError("not-available", "there is no candidate to promote");
      if (endpoint.tripped !== null)
        throw servingError("tripped", `all traffic went back to stable: ${endpoint.tripped.cause}`);
      if (candidate.pool.healthy === 0)
        throw servingError("not-available", "the candidate has no healthy replica", { retryable: true });
      endpoint.watchOver(candidate.window);
      endpoint.routes = { stable: candidate, candidate: null, probability: 0, judge: null };
      endpoint.guard = null;
      if (stable !== null) this.#retire(stable);
    });
  }

  rollback(effect: ControlEffect, snapshot: string): Promise<{ done: true }> {
    const wanted = readSnapshot(snapshot);
    return this.#effect(effect, { once: true }, async (endpoint, abort) => {
      if (wanted === null) return this.#clear(endpoint);
      const { stable } = endpoint.routes;
      if (stable !== null && sameVersion({ ...stable.spec, instanceCount: wanted.instanceCount }, wanted)) {
        this.#withdraw(endpoint);
        if (stable.spec.instanceCount !== wanted.instanceCount) await this.#resize(stable, wanted.instanceCount, abort);
        return;
      }
      await this.#restore(endpoint, wanted, abort);
    });
  }

  /** Brings a version back that no longer runs: up beside what serves, then all traffic to it in one step. */
  async #restore(endpoint: Endpoint, wanted: Version, abort: AbortSignal): Promise<void> {
    const { candidate, stable } = endpoint.routes;
    const running = candidate !== null && sameVersion(candidate.spec, wanted) ? candidate : null;
    if (running === null) this.#needMemory(wanted);
    const back =
      running ?? this.makeVariant(endpoint, { spec: wanted, life: { requests: 0, errors: 0 }, replicas: [] });
    await (running === null ? this.#startOrStop(back, abort) : back.pool.start(abort));
    endpoint.routes = { stable: back, candidate: null, probability: 0, judge: null };
    endpoint.guard = null;
    endpoint.watchOver(null);
    for (const old of [candidate, stable]) if (old !== null && old !== back) this.#retire(old);
  }

  scale(effect: ControlEffect, instanceCount: number): Promise<{ done: true }> {
    return this.#effect(effect, { once: false }, async (endpoint, abort) => {
      const { stable } = endpoint.routes;
      if (stable === null) throw servingError("no-such-endpoint", "nothing serves at this endpoint");
      await this.#resize(stable, instanceCount, abort);
    });
  }

  remove(effect: ControlEffect): Promise<{ done: true }> {
    return this.#effect(effect, { once: false }, async (endpoint) => this.#clear(endpoint));
  }

  /** A version that has no replica yet. */
  makeVariant(endpoint: Endpoint, state: VariantState): Variant {
    const { spec } = state;
    const pool: ReplicaPool = new ReplicaPool({
      ...this.#options,
      variant: spec.variant,
      servedName: endpoint.servedName,
      modelVersion: spec.modelVersion,
      size: replicaSize(spec.instanceType),
      wanted: spec.instanceCount,
      readModel: () => this.#readModel(endpoint.at.tenant, spec.artifactDigest),
      onChange: () => this.#poolChanged(endpoint, pool),
    });
    return new Variant({ spec, pool, life: { ...state.life } });
  }

  /** Waits until every version that was retired has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#retiring);
  }

  async #readModel(tenant: string, digest: string): Promise<Uint8Array> {
    const bytes = await this.#options.readModel(tenant, digest);
    const actual = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    // The store says what it has; what runs is decided by the digest that was approved.
    if (actual !== digest) throw servingError("bad-model", `the artifact is ${actual}, the plan says ${digest}`);
    return bytes;
  }

  /** The supervisor's part of the guard: a candidate that cannot be kept alive loses its traffic at once. */
  #poolChanged(endpoint: Endpoint, pool: ReplicaPool): void {
    const { candidate, judge } = endpoint.routes;
    const failure = pool.failure;
    if (candidate?.pool === pool && failure !== null && endpoint.guard?.onHealthCheckFailure === true) {
      const firstBadAtMs = judge?.firstErrorAtMs ?? null;
      if (endpoint.trip({ metric: "health", atMs: Date.now(), firstBadAtMs, cause: failure }))
        this.#options.log.error({ endpoint: endpoint.servedName, cause: failure }, "all traffic sent back to stable");
    }
    this.saveSoon();
  }

  /** Keeps the file near what is true where nobody waits for it. */
  saveSoon(): void {
    this.#options.save().catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log.error({ reason }, "the serving state could not be saved");
    });
  }

  #find(at: ServedAt): Endpoint | undefined {
    return this.#options.endpoints.get(at.tenant, `${at.environment}-${at.name}`);
  }

  async #effect(
    effect: ControlEffect,
    { once }: { once: boolean },
    run: (endpoint: Endpoint, abort: AbortSignal) => Promise<unknown>,
  ): Promise<{ done: true }> {
    const endpoint = this.#options.endpoints.getOrCreate(effect);
    refuseStale(endpoint, effect);
    if (effect.generation > endpoint.generation) {
      // What runs is of an older generation by now: nobody wants its end any more.
      endpoint.running?.abort();
      endpoint.generation = effect.generation;
    }
    const turn = endpoint.queue.then(async () => {
      refuseStale(endpoint, effect);
      // Done is not yet kept: the first call may have failed on just that.
      if (once && endpoint.doneKeys.includes(effect.idempotencyKey)) {
        await this.#options.save();
        return this.#journal(effect, KNOWN);
      }
      const abort = new AbortController();
      endpoint.running = abort;
      let outcome: unknown;
      try {
        outcome = await run(endpoint, abort.signal);
        endpoint.remember(effect.idempotencyKey);
      } finally {
        endpoint.running = null;
        await this.#options.save();
      }
      this.#journal(effect, outcome);
    });
    endpoint.queue = turn.catch(() => undefined);
    await turn;
    return { done: true };
  }

  /** What was done, once it is kept: whoever doubts an order of things finds the target's own account of it here. */
  #journal(effect: ControlEffect, outcome: unknown): void {
    const { tenant, generation, idempotencyKey } = effect;
    const fields = { tenant, endpoint: servedNameOf(effect), effect: idempotencyKey, generation };
    this.#options.log.info(fields, outcome === KNOWN ? "effect known" : "effect done");
  }

  async #startOrStop(variant: Variant, abort: AbortSignal): Promise<void> {
    try {
      await variant.pool.start(abort);
      if (abort.aborted) throw servingError("superseded", "a newer effect on the endpoint replaced this one");
    } catch (error) {
      this.#retire(variant);
      throw error;
    }
  }

  async #resize(variant: Variant, instanceCount: number, abort: AbortSignal): Promise<void> {
    const more = instanceCount - variant.pool.wanted;
    if (more > 0) this.#needMemory({ ...variant.spec, instanceCount: more });
    await variant.pool.scale(instanceCount, abort);
    variant.spec = { ...variant.spec, instanceCount };
  }

  #needMemory(wanted: { instanceType: string; instanceCount: number }): void {
    const capacity = this.capacity(wanted);
    if (!capacity.ok) throw servingError("host-memory", capacity.reason);
  }

  #withdraw(endpoint: Endpoint): void {
    const { stable, candidate } = endpoint.routes;
    endpoint.routes = { stable, candidate: null, probability: 0, judge: null };
    endpoint.guard = null;
    if (candidate !== null) this.#retire(candidate);
  }

  #clear(endpoint: Endpoint): void {
    const { stable, candidate } = endpoint.routes;
    endpoint.routes = NO_ROUTES;
    endpoint.guard = null;
    endpoint.tripped = null;
    endpoint.watch = null;
    for (const variant of [stable, candidate]) if (variant !== null) this.#retire(variant);
  }

  /** Answers what is in flight and ends, behind whoever asked for it. */
  #retire(variant: Variant): void {
    const stopping = variant.pool.stop(this.#options.drainMsMax).finally(() => this.#retiring.delete(stopping));
    this.#retiring.add(stopping);
  }
}

/** What an effect answers that found everything as it wants it. */
const KNOWN = "known";

/** It may have lost replicas since. */
async function startKnown({ pool }: Variant, abort: AbortSignal): Promise<typeof KNOWN> {
  await pool.start(abort);
  return KNOWN;
}

function refuseStale(endpoint: Endpoint, effect: ControlEffect): void {
  if (effect.generation >= endpoint.generation) return;
  throw servingError(
    "stale-generation",
    `generation ${effect.generation} is older than ${endpoint.generation}, the newest that was seen`,
    { details: { generation: effect.generation, newest: endpoint.generation } },
  );
}

function sameVersion(a: Version, b: Version): boolean {
  return canonicalize(a) === canonicalize(b);
}

/** The version that served when the snapshot was taken; null when none did. */
function readSnapshot(text: string): Version | null {
  const parsed = snapshotSchema.safeParse(parseJson(text));
  if (!parsed.success) throw servingError("bad-request", "the snapshot is none of a local endpoint");
  const stable = parsed.data.variants.find((variant) => variant.role === "stable");
  if (stable === undefined) return null;
  const { role: _role, percent: _percent, ...version } = stable;
  return version;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function mebibytes(bytes: number): number {
  return Math.floor(bytes / MEBIBYTE);
}
