import type { BaselineFit } from "../core/baseline/baseline-fit.ts";
import { ContinuumError } from "../core/error.ts";
import type { Plan } from "../core/plan/schema.ts";
import type { Decision, Finding } from "../core/policy/decision.ts";
import type { Artifacts } from "../drivers/artifacts/artifacts.ts";
import { checkBaseline } from "../engine/baseline-check.ts";
import { storeDigest } from "../engine/evidence-subjects.ts";

/** A proposal is answered while its author waits, so of larger files only the gate says whether they fit. */
const MODEL_BYTES_MAX = 64 * 1024 * 1024;
const BASELINE_BYTES_MAX = 16 * 1024 * 1024;
const KEPT_MAX = 256;

/**
 * Tells whoever proposes a plan at once when its baseline is not of what its model takes. It is advice: the decision is
 * Cedar's and stays what it is, and the gates before any effect look again and count it as evidence. The pure decision
 * reads no bytes, and the engine leaves reading whole artifacts to its gates, so this stands here, beside both.
 */
export class BaselineAdvice {
  readonly #artifacts: Artifacts;
  /** By tenant and digests, whose bytes never change. */
  readonly #kept = new Map<string, BaselineFit>();

  constructor(artifacts: Artifacts) {
    this.#artifacts = artifacts;
  }

  /** The decision, with one finding more where the baseline does not fit. */
  async on<D extends Decision>(tenant: string, plan: Plan, decision: D): Promise<D> {
    const fit = await this.#fitOf(tenant, plan);
    if (fit === undefined || fit.fits) return decision;
    const finding: Finding = {
      clause: "AO-9",
      level: "advise",
      message: `The baseline does not fit the model, so nothing could be compared with it. ${fit.problem}`,
      observed: plan.spec.monitor?.baseline ?? null,
      limit: null,
      path: "/spec/monitor/baseline",
      document: "agentops",
      section: "monitoring",
    };
    return { ...decision, findings: [...decision.findings, finding] };
  }

  /** undefined where there is nothing to read, or too much of it. What a simulated plan names need not exist. */
  async #fitOf(tenant: string, { spec }: Plan): Promise<BaselineFit | undefined> {
    const { monitor, model, target } = spec;
    const digests = [model.artifact, monitor?.baseline ?? ""].map(storeDigest);
    const [modelDigest, baselineDigest] = digests;
    if (target === "simulated" || modelDigest === undefined || baselineDigest === undefined) return undefined;
    const key = JSON.stringify([tenant, digests, monitor?.modelQuality?.label, monitor?.bias?.facet]);
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const fit = await this.#read(tenant, { modelDigest, baselineDigest, monitor });
    if (fit === undefined) return undefined;
    this.#kept.set(key, fit);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT_MAX && oldest !== undefined) this.#kept.delete(oldest);
    return fit;
  }

  async #read(
    tenant: string,
    of: { modelDigest: string; baselineDigest: string; monitor: Plan["spec"]["monitor"] },
  ): Promise<BaselineFit | undefined> {
    try {
      const sizes = await Promise.all(
        [of.modelDigest, of.baselineDigest].map((one) => this.#artifacts.stat(tenant, one)),
      );
      const [ofModel, ofBaseline] = sizes.map((info) => info?.sizeBytes ?? Number.POSITIVE_INFINITY);
      if ((ofModel ?? 0) > MODEL_BYTES_MAX || (ofBaseline ?? 0) > BASELINE_BYTES_MAX) return undefined;
      const [model, baseline] = await Promise.all(
        [of.modelDigest, of.baselineDigest].map((one) => this.#artifacts.read(tenant, one)),
      );
      if (model === undefined || baseline === undefined) return undefined;
      return await checkBaseline({ model, baseline, monitor: of.monitor });
    } catch (error) {
      // What cannot be read is denied by its own clauses; advice has nothing to add to that.
      if (error instanceof ContinuumError && (error.code === "corrupt" || error.code === "not-found")) return undefined;
      throw error;
    }
  }
}
