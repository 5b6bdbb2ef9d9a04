import type { AlarmEvaluation, AlarmState } from "../../core/monitor/alarm/evaluation.ts";
import type { EndpointStatus, TenantEndpoint } from "../../drivers/target/target.ts";
import type { EngineParts } from "../engine.ts";
import { recordEvaluations } from "./record-evaluations.ts";

/** Hears of every look at an endpoint that no rollout holds. Never throws. */
export type Described = (at: TenantEndpoint, status: EndpointStatus) => Promise<void>;

/** What stays as it is is written seldom; an ALARM sooner, because its suppression may have ended. */
const AGAIN_MS = 300_000;
const ALARM_AGAIN_MS = 10_000;

interface Known {
  variant: string;
  alarms: Map<string, { state: AlarmState; atMs: number }>;
}

/**
 * `ErrorRateAlarm`, `LatencyAlarm` and `HealthAlarm` of the version that serves, as its data plane evaluates them: for
 * the watch period after a rollout. In a rollout the judge compares both versions and acts by itself.
 */
export function createServiceAlarms(parts: EngineParts): Described {
  const known = new Map<string, Known>();
  return async (at, { variants, alarms = [] }) => {
    const variant = variants.find(({ role }) => role === "stable")?.variant;
    if (variant === undefined || alarms.length === 0) return;
    const key = JSON.stringify([at.tenant, at.endpoint]);
    const seen = known.get(key);
    const own: Known = seen?.variant === variant ? seen : { variant, alarms: new Map() };
    known.set(key, own);
    // The host's clock may be set right at any time, and what seems older than before would not count for as long.
    const atMs = parts.nowMs();
    const now = alarms.map((evaluation) => ({ ...evaluation, atMs }));
    const news = now.filter((evaluation) => isNews(own, evaluation));
    if (news.length === 0) return;
    try {
      await recordEvaluations(parts, { ...at, variant, evaluations: news });
      for (const { alarm, state } of news) own.alarms.set(alarm, { state, atMs });
    } catch (error) {
      const { environment, name, target } = at.endpoint;
      const facts = { tenant: at.tenant, endpoint: `${environment}-${name}`, target, variant };
      parts.log.warn("alarms-not-recorded", { ...facts, reason: String(error) });
    }
  };
}

function isNews({ alarms }: Known, { alarm, state, atMs }: AlarmEvaluation): boolean {
  const before = alarms.get(alarm);
  if (before?.state !== state) return true;
  return Math.abs(atMs - before.atMs) >= (state === "ALARM" ? ALARM_AGAIN_MS : AGAIN_MS);
}
