import type { OperationOutput } from "../../contract/operations.ts";
import type { RolloutEventView } from "./client.ts";
import { EXIT, exitOfPhase, isTerminalPhase } from "./exit-codes.ts";
import type { Paint } from "./paint.ts";
import { printable } from "./printable.ts";
import type { Column } from "./text-table.ts";
import { textRecord, textTable } from "./text-table.ts";

export type RolloutView = OperationOutput<"rollouts.list">["items"][number];
type Detail = OperationOutput<"rollouts.get">;

export const ROLLOUT_COLUMNS: readonly Column<RolloutView>[] = [
  { heading: "ID", value: ({ id }) => id },
  { heading: "ENDPOINT", value: ({ endpoint }) => `${endpoint.environment}-${endpoint.name}` },
  { heading: "TARGET", value: ({ endpoint }) => endpoint.target },
  { heading: "MODEL", value: ({ model }) => `${model.name} ${model.version}` },
  { heading: "PHASE", value: phaseWords },
  { heading: "TRAFFIC", value: ({ weightPercent }) => `${weightPercent} %` },
  { heading: "PROPOSER", value: ({ proposer }) => proposer },
  { heading: "CREATED", value: ({ createdAt }) => createdAt },
];

function phaseWords({ phase, dryRun, simulation }: RolloutView): string {
  return `${phase}${dryRun ? " (dry run)" : ""}${simulation ? " (simulation)" : ""}`;
}

/** One rollout for a person: what it is, how it stands, what it waits for and what may be done. */
export function rolloutText(rollout: Detail, paint: Paint): string {
  const { endpoint } = rollout;
  const ended = rollout.endedAt === null ? undefined : rollout.endedAt;
  const record = textRecord({
    rollout: rollout.id,
    endpoint: `${endpoint.environment}-${endpoint.name} on ${endpoint.target}`,
    model: `${rollout.model.name} ${rollout.model.version}`,
    phase: phaseWords(rollout),
    traffic: isTerminalPhase(rollout.phase) ? undefined : `${rollout.weightPercent} % on the new version`,
    "waits for": rollout.waitingFor ?? undefined,
    because: rollout.reason?.message,
    restores: rollout.restores ?? undefined,
    "plan digest": rollout.planDigest,
    proposer: rollout.proposer,
    created: rollout.createdAt,
    deadline: rollout.deadlineAt ?? undefined,
    ended,
    "may be": rollout.allowedActions.join(", ") || undefined,
  });
  const refusals = rollout.refusals.map(
    ({ clause, message }) => `  ${paint.bad(printable(clause))}  ${printable(message)}\n`,
  );
  const approvals = rollout.approvals.map(({ approver, role, at }) => ({ approver, role, at }));
  const given = textTable(
    approvals,
    [
      { heading: "APPROVED BY", value: ({ approver }) => approver },
      { heading: "AS", value: ({ role }) => role },
      { heading: "AT", value: ({ at }) => at },
    ],
    "",
  );
  return [
    record,
    refusals.length === 0 ? "" : `refused:\n${refusals.join("")}`,
    approvals.length === 0 ? "" : given,
  ].join("");
}

/** One event in one line: when, where the rollout stands after it, and what it was. */
export function eventLine(event: RolloutEventView, paint: Paint): string {
  const time = event.at.slice(11, 19);
  const phase = printable(event.phase).padEnd(16);
  const share = `${event.weightPercent} %`.padStart(6);
  return `${paint.faint(time)}  ${paintPhase(phase, event.phase, paint)}${share}  ${printable(event.type)}${detailWords(event.details)}`;
}

function paintPhase(text: string, phase: string, paint: Paint): string {
  const exit = exitOfPhase(phase);
  if (phase === "RollingBack" || phase === "Paused" || exit === EXIT.awaitingApproval) return paint.warn(text);
  if (!isTerminalPhase(phase)) return text;
  return exit === EXIT.ok ? paint.good(text) : paint.bad(text);
}

/** Details are plain facts of the server's choosing; nested ones are left to `-o json`. */
function detailWords(details: Record<string, unknown>): string {
  const words = Object.entries(details)
    .filter(([, value]) => ["string", "number", "boolean"].includes(typeof value))
    .map(([name, value]) => (name === "message" || name === "reason" ? String(value) : `${name} ${String(value)}`));
  return words.length === 0 ? "" : `: ${printable(words.join(", "))}`;
}
