import type { AlarmName, AlarmState } from "../../core/monitor/alarm/evaluation.ts";
import type { EndpointRef, Rollout } from "../../core/rollout/rollout.ts";
import type { Transaction } from "../../store/database.ts";
import { type AuditFact, appendAudit } from "../audit-log.ts";
import { SYSTEM } from "../engine.ts";

/** What the audit log, and with it webhooks, hear of alarms: every ALARM, how it ended, and who was asked. */

interface About {
  tenant: string;
  endpoint: Record<keyof EndpointRef, string>;
  /** Left out where it is about the endpoint's alarm, whichever version has it. */
  variant?: string;
  alarm: string;
  atMs: number;
}

export function alarmFact(
  about: About & { simulation: boolean },
  of: Pick<AuditFact, "action" | "actor"> & { details?: AuditFact["details"] },
): AuditFact {
  const { environment, target, name } = about.endpoint;
  const endpoint = `${environment}/${target}/${name}`;
  const { tenant, atMs, variant, alarm } = about;
  const rollout = variant === undefined ? {} : { rollout: variant };
  const simulation = about.simulation ? { simulation: true } : {};
  return {
    ...{ tenant, atMs, action: of.action, actor: of.actor, subject: `endpoint:${endpoint}`, outcome: "accepted" },
    details: { endpoint, ...rollout, alarm, ...simulation, ...of.details },
  };
}

const ACTIONS: Record<AlarmState, string> = {
  ALARM: "alarm.raise",
  OK: "alarm.clear",
  INSUFFICIENT_DATA: "alarm.lose",
};

/** Between OK and INSUFFICIENT_DATA an endpoint that few ask goes to and fro: that is for the history alone. */
export async function tellTransition(
  tx: Transaction,
  about: About & { alarm: AlarmName; from: AlarmState; to: AlarmState; suppressed: boolean; simulation: boolean },
): Promise<void> {
  const { from, to, suppressed } = about;
  if (from !== "ALARM" && to !== "ALARM") return;
  const details = suppressed ? { reason: "suppressed" } : {};
  await appendAudit(tx, alarmFact(about, { action: ACTIONS[to], actor: SYSTEM, details }));
}

export async function tellAsked(
  tx: Transaction,
  about: About & { rollout: Pick<Rollout, "simulation">; reason?: string },
): Promise<void> {
  const details = about.reason === undefined ? {} : { reason: about.reason };
  const simulation = about.rollout.simulation;
  await appendAudit(tx, alarmFact({ ...about, simulation }, { action: "alarm.ask", actor: SYSTEM, details }));
}
