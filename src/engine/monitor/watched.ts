import {
  type JudgementSettings,
  judgementSettings,
  type MonitorSettings,
  monitorSettings,
} from "../../core/plan/monitor-settings.ts";
import type { Plan } from "../../core/plan/schema.ts";
import type { Queryable } from "../../store/database.ts";
import type { EndpointKey } from "../../store/queries/admission.ts";
import { listServing } from "../../store/queries/monitor.ts";
import { readPlanBytes } from "../../store/queries/rollouts.ts";
import { storeDigest } from "../evidence-subjects.ts";
import { planOfBytes } from "../gate.ts";

/** A version that a monitor looks at: how, its own plan says. */
export interface WatchedVersion {
  /** The id of its rollout. */
  variant: string;
  settings: MonitorSettings;
  judgement: JudgementSettings;
  /** Of the baseline's artifact; null where the plan names none. */
  baselineDigest: string | null;
  modelArtifact: string;
}

export interface WatchedEndpoint {
  at: EndpointKey;
  /** What was captured before then is about no version that is there now. */
  sinceMs: number;
  /** Those whose plan has a monitor. */
  live: WatchedVersion | null;
  candidate: WatchedVersion | null;
  /** Of both, with a monitor or without: whose answers are compared with whose. */
  liveVariant: string | null;
  candidateVariant: string | null;
}

const PLANS_MAX = 500;

/** Which endpoints of this host are to be watched. Plans never change, so each is read once. */
export class WatchList {
  readonly #plans = new Map<string, Plan | null>();

  async read(db: Queryable, host: string): Promise<WatchedEndpoint[]> {
    const watched: WatchedEndpoint[] = [];
    for (const row of await listServing(db, host)) {
      const { tenant, environment, target, name, sinceMs } = row;
      const live = await this.#version(db, tenant, { variant: row.liveRollout, planDigest: row.livePlanDigest });
      const candidate = await this.#version(db, tenant, {
        variant: row.activeRollout,
        planDigest: row.activePlanDigest,
      });
      if (live === null && candidate === null) continue;
      const at = { tenant, environment, target, name };
      watched.push({
        ...{ at, sinceMs, live, candidate, liveVariant: row.liveRollout, candidateVariant: row.activeRollout },
      });
    }
    return watched;
  }

  async #version(
    db: Queryable,
    tenant: string,
    of: { variant: string | null; planDigest: string | null },
  ): Promise<WatchedVersion | null> {
    if (of.variant === null || of.planDigest === null) return null;
    const plan = await this.#plan(db, tenant, of.planDigest);
    if (plan?.spec.monitor === undefined) return null;
    const settings = monitorSettings(plan);
    return {
      ...{ variant: of.variant, settings, judgement: judgementSettings(plan) },
      baselineDigest: settings.baseline === null ? null : (storeDigest(settings.baseline) ?? null),
      modelArtifact: plan.spec.model.artifact,
    };
  }

  async #plan(db: Queryable, tenant: string, digest: string): Promise<Plan | null> {
    const key = `${tenant}\n${digest}`;
    const known = this.#plans.get(key);
    if (known !== undefined) return known;
    const bytes = await readPlanBytes(db, tenant, digest);
    const plan = bytes === undefined ? null : planOfBytes(bytes, false);
    if (this.#plans.size >= PLANS_MAX) this.#plans.clear();
    this.#plans.set(key, plan);
    return plan;
  }
}

export function endpointName({ environment, name }: EndpointKey): string {
  return `${environment}-${name}`;
}
