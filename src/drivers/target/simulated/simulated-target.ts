import canonicalize from "canonicalize";
import { ContinuumError } from "../../../core/error.ts";
import type { AlarmEvaluation } from "../../../core/monitor/alarm/evaluation.ts";
import type { Verdict } from "../../../core/monitor/verdict.ts";
import type { Plan } from "../../../core/plan/schema.ts";
import type {
  Effect,
  EndpointStatus,
  Guard,
  Observation,
  Target,
  TargetErrorCode,
  TenantEndpoint,
  VariantStats,
  VersionSpec,
} from "../target.ts";
import type { BehaviourOf, FaultPlan, SimulatedBehaviour, SimulatedFault, SimulatedMethod } from "./simulated-fault.ts";
import type { SimulatedEndpoint, SimulatedStore } from "./simulated-store.ts";

export interface SimulatedTargetOptions {
  store: SimulatedStore;
  /** Milliseconds since 1970, from the simulation's own clock. */
  nowMs: () => number;
  /** How versions behave; by default every one is healthy. */
  behaviour?: BehaviourOf;
  faults?: FaultPlan;
  /** Waits on the simulation's own clock; needed by `delay` faults. */
  sleep?: (milliseconds: number) => Promise<void>;
}

const SNAPSHOT_KIND = "continuum/simulated-endpoint/v1";
/** Requests that pass between two looks, of both versions together. */
const REQUESTS_A_LOOK = 1000;
const DONE_KEYS_MAX = 64;
const HEALTHY: SimulatedBehaviour = { outcome: "pass", errorRate: 0, latencyMs: 2, trips: false };

/**
 * A target where nothing real happens, with every promise of the port kept: for trying a plan, and for the seeded
 * simulation of the engine, which makes it fail, delay, lie and lose answers.
 */
export class SimulatedTarget implements Target {
  readonly name = "simulated";
  readonly simulated = true;
  readonly #options: SimulatedTargetOptions;
  /** Calls of one process take turns, so that a load and the save that follows are one step. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: SimulatedTargetOptions) {
    this.#options = options;
  }

  async capacity(_plan: Plan): Promise<{ ok: true } | { ok: false; code: "host-memory"; reason: string }> {
    const fault = await this.#before("capacity", undefined);
    if (fault?.kind === "lie") return { ok: false, code: "host-memory", reason: "simulated: no memory is left" };
    return { ok: true };
  }

  async snapshot(at: TenantEndpoint): Promise<{ bytes: Uint8Array; empty: boolean }> {
    await this.#before("snapshot", at);
    const { stable, generation } = await this.#read(at);
    const state = {
      kind: SNAPSHOT_KIND,
      simulated: true,
      endpoint: at.endpoint,
      empty: stable === null,
      generation,
      stable,
    };
    return { bytes: Buffer.from(canonicalize(state) ?? "", "utf8"), empty: stable === null };
  }

  provision(effect: Effect, candidate: VersionSpec): Promise<void> {
    return this.#effect("provision", effect, (state) => {
      if (state.stable?.variant === candidate.variant || state.candidate?.variant === candidate.variant) return state;
      return { ...state, candidate, candidatePercent: 0, guard: null, tripped: null, looks: 0 };
    });
  }

  shift(effect: Effect, shift: { percent: number; guard: Guard }): Promise<void> {
    return this.#effect("shift", effect, (state) => {
      if (state.candidate === null) throw targetError("not-available", "simulated: there is no candidate to shift to");
      if (state.tripped !== null && shift.percent > 0)
        throw targetError("tripped", `simulated: all traffic went back to stable: ${state.tripped.cause}`);
      // With no version beside it the first one takes everything.
      const percent = state.stable === null && shift.percent > 0 ? 100 : shift.percent;
      const looks = percent === state.candidatePercent ? state.looks : 0;
      return { ...state, candidatePercent: percent, guard: shift.guard, looks };
    });
  }

  async observe(at: TenantEndpoint): Promise<Observation> {
    const fault = await this.#before("observe", at);
    const state = await this.#locked(async () => {
      const before = await this.#read(at);
      if (before.candidate === null) return before;
      const after = this.#traffic({ ...before, looks: before.looks + 1 });
      await this.#options.store.save(keyOf(at), after);
      return after;
    });
    const observation = this.#observed(state);
    return fault?.kind === "lie" ? { ...observation, verdict: opposite(observation.verdict) } : observation;
  }

  promote(effect: Effect): Promise<void> {
    return this.#effect("promote", effect, (state) => {
      if (state.candidate === null) throw targetError("not-available", "simulated: there is no candidate to promote");
      if (state.tripped !== null)
        throw targetError("tripped", `simulated: all traffic went back to stable: ${state.tripped.cause}`);
      return { ...state, stable: state.candidate, candidate: null, candidatePercent: 0, guard: null };
    });
  }

  rollback(effect: Effect, snapshot: Uint8Array): Promise<void> {
    return this.#effect("rollback", effect, (state) => {
      const stable = readSnapshot(snapshot);
      return { ...state, stable, candidate: null, candidatePercent: 0, guard: null };
    });
  }

  scale(effect: Effect, instanceCount: number): Promise<void> {
    return this.#effect("scale", effect, (state) => {
      if (state.stable === null) throw targetError("no-such-endpoint", "simulated: nothing serves at this endpoint");
      return { ...state, stable: { ...state.stable, instanceCount } };
    });
  }

  remove(effect: Effect): Promise<void> {
    return this.#effect("remove", effect, (state) => ({
      ...state,
      stable: null,
      candidate: null,
      candidatePercent: 0,
      guard: null,
    }));
  }

  async describe(at: TenantEndpoint): Promise<EndpointStatus | undefined> {
    await this.#before("describe", at);
    const state = await this.#read(at);
    const { stable, candidate } = this.#observed(state);
    const variants: EndpointStatus["variants"] = [];
    if (stable !== null && state.stable !== null)
      variants.push({
        ...stable,
        percent: 100 - state.candidatePercent,
        artifactDigest: state.stable.artifactDigest,
        role: "stable",
      });
    if (candidate !== null && state.candidate !== null)
      variants.push({
        ...candidate,
        percent: state.candidatePercent,
        artifactDigest: state.candidate.artifactDigest,
        role: "candidate",
      });
    if (variants.length === 0) return undefined;
    const alarms = this.#alarms(state);
    return { generation: state.generation, variants, invokeUrl: null, simulated: true, ...(alarms && { alarms }) };
  }

  /** Of the version that serves, where its behaviour names any. */
  #alarms({ stable, looks }: SimulatedEndpoint): AlarmEvaluation[] | undefined {
    if (stable === null) return undefined;
    return this.#behaviour(stable, looks).alarms?.map(({ alarm, state }) => ({
      ...{ alarm, state, atMs: this.#options.nowMs(), reason: `simulated: ${alarm} is set to ${state}`, figures: [] },
    }));
  }

  async #effect(
    method: SimulatedMethod,
    effect: Effect,
    apply: (state: SimulatedEndpoint) => SimulatedEndpoint,
  ): Promise<void> {
    const fault = await this.#before(method, effect);
    if (fault?.kind === "lie") return;
    await this.#locked(async () => {
      const state = await this.#read(effect);
      if (effect.generation < state.generation)
        throw targetError(
          "stale-generation",
          `simulated: generation ${effect.generation} is older than ${state.generation}`,
        );
      const fenced = { ...state, generation: effect.generation };
      // The generation holds even when the effect is refused: an older one must not come after it.
      if (fenced.generation !== state.generation) await this.#options.store.save(keyOf(effect), fenced);
      if (state.doneKeys.includes(effect.idempotencyKey)) return;
      const doneKeys = [...state.doneKeys, effect.idempotencyKey].slice(-DONE_KEYS_MAX);
      await this.#options.store.save(keyOf(effect), { ...apply(fenced), doneKeys });
    });
    if (fault?.kind === "lose-answer") throw targetError("unreachable", `simulated: the answer of ${method} was lost`);
  }

  /** Applies what the fault does to the caller before anything happens. */
  async #before(method: SimulatedMethod, at: TenantEndpoint | undefined): Promise<SimulatedFault | undefined> {
    const fault = this.#options.faults?.({ method, at });
    if (fault?.kind === "delay") await this.#options.sleep?.(fault.milliseconds);
    if (fault?.kind === "time-out") throw targetError("unreachable", `simulated: ${method} was not answered in time`);
    if (fault?.kind === "fail")
      throw new ContinuumError("not-available", `simulated: ${method} failed`, { retryable: fault.retryable });
    return fault;
  }

  #locked<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #read(at: TenantEndpoint): Promise<SimulatedEndpoint> {
    const state = await this.#options.store.load(keyOf(at));
    return state ?? emptyEndpoint();
  }

  #behaviour(version: VersionSpec, looks: number): SimulatedBehaviour {
    return this.#options.behaviour?.(version, looks) ?? HEALTHY;
  }

  /** A version that trips loses its traffic at the first look that sees it fail. */
  #traffic(state: SimulatedEndpoint): SimulatedEndpoint {
    const { candidate, stable } = state;
    if (candidate === null || stable === null || state.candidatePercent === 0 || state.tripped !== null) return state;
    const behaviour = this.#behaviour(candidate, state.looks);
    if (!behaviour.trips || behaviour.outcome !== "fail") return state;
    const counts = this.#stats(candidate, state.candidatePercent, state.looks);
    const tripped = {
      atMs: this.#options.nowMs(),
      firstBadAtMs: this.#options.nowMs(),
      candidateRequests: counts.requests,
      candidateErrors: counts.errors,
      cause: "simulated: the candidate fails",
    };
    return { ...state, candidatePercent: 0, tripped };
  }

  #observed(state: SimulatedEndpoint): Observation {
    const { stable, candidate, candidatePercent, looks, tripped } = state;
    return {
      stable: stable === null ? null : this.#stats(stable, 100 - candidatePercent, looks),
      candidate: candidate === null ? null : this.#stats(candidate, candidatePercent, looks),
      candidatePercent,
      verdict: this.#verdict(state),
      tripped,
    };
  }

  #stats(version: VersionSpec, percent: number, looks: number): VariantStats {
    const { errorRate, latencyMs } = this.#behaviour(version, looks);
    const requests = Math.round((REQUESTS_A_LOOK * looks * percent) / 100);
    return {
      variant: version.variant,
      modelVersion: version.modelVersion,
      requests,
      errors: Math.round(requests * errorRate),
      latencyMs: requests === 0 ? { p50: null, p99: null } : { p50: latencyMs, p99: latencyMs * 3 },
      replicas: { wanted: version.instanceCount, healthy: version.instanceCount },
    };
  }

  #verdict(state: SimulatedEndpoint): Verdict {
    if (state.tripped !== null)
      return verdict("errors", "fail", `simulated: all traffic went back to stable: ${state.tripped.cause}`);
    if (state.candidate === null || state.candidatePercent === 0)
      return verdict("traffic", "inconclusive", "simulated: there is no candidate that receives traffic");
    const behaviour = this.#behaviour(state.candidate, state.looks);
    return verdict("errors", behaviour.outcome, `simulated: the version is set to ${behaviour.outcome}`);
  }
}

/** The key under which an endpoint is stored; the parts cannot run into each other. */
export function keyOf({ tenant, endpoint }: TenantEndpoint): string {
  return JSON.stringify([tenant, endpoint.environment, endpoint.name]);
}

function emptyEndpoint(): SimulatedEndpoint {
  return {
    generation: 0,
    doneKeys: [],
    stable: null,
    candidate: null,
    candidatePercent: 0,
    guard: null,
    tripped: null,
    looks: 0,
  };
}

function verdict(metric: Verdict["metrics"][number]["metric"], outcome: Verdict["outcome"], message: string): Verdict {
  return { outcome, metrics: [{ metric, outcome, message, observed: null, limit: null }] };
}

function opposite(told: Verdict): Verdict {
  const outcome = told.outcome === "pass" ? "fail" : "pass";
  return verdict("errors", outcome, `simulated: a lie, ${told.outcome} told as ${outcome}`);
}

function readSnapshot(bytes: Uint8Array): VersionSpec | null {
  const state: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
  if (
    typeof state !== "object" ||
    state === null ||
    !("kind" in state) ||
    state.kind !== SNAPSHOT_KIND ||
    !("stable" in state)
  )
    throw targetError("not-available", "simulated: the snapshot is none of a simulated endpoint");
  return state.stable as VersionSpec | null;
}

function targetError(code: TargetErrorCode, message: string): ContinuumError<TargetErrorCode> {
  return new ContinuumError(code, message, { retryable: code === "unreachable" });
}
