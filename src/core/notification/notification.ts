import { createHash } from "node:crypto";
import type { AuditEntry } from "../audit/entry.ts";
import { TERMINAL_PHASES } from "../rollout/rollout.ts";
import type { NotificationType } from "./event-types.ts";

/**
 * What one entry of the audit log says to the outside. The log is the outbox: an entry is written in the transaction of
 * what it tells, gets its place once, and is never changed, so that what is made of it here is the same whenever it is
 * made. Its details are an allow-list without free text, secrets and people, and so is the message.
 */
export interface Notification {
  /** The same for every attempt and every replay: what a receiver tells repetitions by. */
  id: string;
  type: NotificationType;
  /** RFC 3339, of what happened. */
  timestamp: string;
  data: NotificationData;
  /** Set when it is for this webhook alone. */
  onlyFor?: string;
}

export interface NotificationData {
  tenant: string;
  rollout?: string;
  endpoint?: { environment: string; target: string; name: string };
  webhook?: string;
  phase?: string;
  fromPhase?: string;
  sequence?: number;
  planDigest?: string;
  policyDigest?: string;
  /** Share of traffic on the candidate, in percent. */
  percent?: number;
  instanceCount?: number;
  /** A code, never a sentence. */
  reason?: string;
  alarm?: string;
  clauses?: string[];
  simulation?: boolean;
  dryRun?: boolean;
  /** Where to read more, when the operator said where the API is found. */
  url?: string;
}

/** An entry with its place in the tenant's log. */
export interface PlacedEntry {
  position: number;
  entry: AuditEntry;
}

/** All that an entry tells, in order; nothing for most. `breakerOpened` is known to whoever read the endpoint's history. */
export function notificationsOf({ position, entry }: PlacedEntry, breakerOpened = false): Notification[] {
  const { type: subject, id } = entry.subject;
  const types = typesOf(entry);
  if (breakerOpened) types.push("breaker.opened");
  return types.map((type) => ({
    id: notificationId({ tenant: entry.tenant, position, type }),
    type,
    timestamp: entry.at,
    data: dataOf(entry),
    ...(type === "webhook.test" && subject === "webhook" ? { onlyFor: id } : {}),
  }));
}

/** Whether an entry is the end of a deployment that counts against its endpoint's breaker. */
export function countsAgainstBreaker({ subject, details }: AuditEntry): boolean {
  return subject.type === "rollout" && details.fromPhase !== undefined && FAILING_ENDS.has(details.phase ?? "");
}
const FAILING_ENDS: ReadonlySet<string> = new Set(["RolledBack", "Failed"]);

function notificationId(of: { tenant: string; position: number; type: NotificationType }): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([of.tenant, of.position, of.type]))
    .digest("base64url");
  return `msg_${hash.slice(0, 27)}`;
}

const ACTIONS: Readonly<Record<string, NotificationType>> = {
  "rollout.approved": "approval.given",
  "approval.break-glass": "approval.break-glass",
  "approval.review": "approval.reviewed",
  "rollout.shifted": "rollout.shifted",
  "rollout.alarm": "rollout.alarm",
  "rollout.promoted": "rollout.promoted",
  "policy.propose": "policy.proposed",
  "policy.activate": "policy.activated",
  "breaker.reset": "breaker.reset",
  "endpoint.scale": "endpoint.scaled",
  "endpoint.delete": "endpoint.deleted",
  "alarm.raise": "alarm.raised",
  "alarm.clear": "alarm.cleared",
  "alarm.lose": "alarm.insufficient-data",
  "alarm.ask": "alarm.waiting",
  "alarm.acknowledge": "alarm.acknowledged",
  "alarm.suppress": "alarm.suppressed",
  "alarm.unsuppress": "alarm.unsuppressed",
  "webhook.disable": "webhook.disabled",
  "webhook.test": "webhook.test",
};

const ENTERED: Readonly<Record<string, NotificationType>> = {
  AwaitingApproval: "approval.requested",
  Rejected: "approval.rejected",
  Expired: "approval.expired",
  Queued: "rollout.queued",
  Denied: "rollout.denied",
  Superseded: "rollout.superseded",
  Paused: "rollout.paused",
  Succeeded: "rollout.succeeded",
  RollingBack: "rollout.rolling-back",
  RolledBack: "rollout.rolled-back",
  Failed: "rollout.failed",
  Aborted: "rollout.aborted",
  DryRunCompleted: "rollout.dry-run-completed",
};

const BEFORE_ADMISSION: ReadonlySet<string> = new Set(["Proposed", "AwaitingApproval", "Queued"]);
const ENDS: ReadonlySet<string> = new Set(TERMINAL_PHASES);

function typesOf({ action, details, outcome, subject }: AuditEntry): NotificationType[] {
  const types: NotificationType[] = [];
  // The program's own set, a tenant's first, is nobody's change.
  const told = action === "policy.activate" && details.sequence === 1 ? undefined : ACTIONS[action];
  if (told !== undefined && outcome === "accepted") types.push(told);
  const { phase, fromPhase } = details;
  if (subject.type !== "rollout" || phase === undefined || fromPhase === undefined) return types;
  const goesOn = !ENDS.has(phase) && ENTERED[phase] === undefined;
  if (goesOn && BEFORE_ADMISSION.has(fromPhase)) types.push("rollout.admitted");
  if (fromPhase === "Paused" && !ENDS.has(phase) && phase !== "RollingBack") types.push("rollout.resumed");
  const entered = ENTERED[phase];
  if (entered !== undefined) types.push(entered);
  return types;
}

function dataOf({ tenant, subject, details }: AuditEntry): NotificationData {
  const { phase, fromPhase, sequence, planDigest, policyDigest, percent, instanceCount, reason, alarm, clauses } =
    details;
  const rollout = subject.type === "rollout" ? subject.id : details.rollout;
  const endpoint = endpointOf(subject.type === "endpoint" ? subject.id : details.endpoint);
  const data: { [Key in keyof NotificationData]: NotificationData[Key] | undefined } = {
    ...{ tenant, rollout, endpoint, phase, fromPhase, sequence, planDigest, policyDigest, percent, instanceCount },
    ...{ reason, alarm, clauses, simulation: details.simulation, dryRun: details.dryRun },
    webhook: subject.type === "webhook" ? subject.id : undefined,
  };
  return Object.fromEntries(
    Object.entries(data).filter(([, value]) => value !== undefined),
  ) as unknown as NotificationData;
}

function endpointOf(path: string | undefined): NotificationData["endpoint"] {
  const [environment, target, name] = path?.split("/") ?? [];
  return environment === undefined || target === undefined || name === undefined
    ? undefined
    : { environment, target, name };
}
