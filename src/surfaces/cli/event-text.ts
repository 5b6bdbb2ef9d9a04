import type { RolloutEventView } from "./client.ts";
import { EXIT, exitOfPhase, isTerminalPhase } from "./exit-codes.ts";
import type { Paint } from "./paint.ts";
import { printable } from "./printable.ts";

/** One event in one line: when, where the rollout stands after it, and what it was. */
export function eventLine(event: RolloutEventView, paint: Paint): string {
  const time = event.at.slice(11, 19);
  const phase = printable(event.phase).padEnd(16);
  const share = `${event.weightPercent} %`.padStart(6);
  const words = eventWords(event.details);
  const simulated = event.simulation
    ? paint.faint(`  (simulation${event.report === undefined ? "" : `: ${event.report}`})`)
    : "";
  return `${paint.faint(time)}  ${paintPhase(phase, event.phase, paint)}${share}  ${printable(event.type)}${words === "" ? "" : `: ${printable(words)}`}${simulated}`;
}

function paintPhase(text: string, phase: string, paint: Paint): string {
  const exit = exitOfPhase(phase);
  if (phase === "RollingBack" || phase === "Paused" || exit === EXIT.awaitingApproval) return paint.warn(text);
  if (!isTerminalPhase(phase)) return text;
  return exit === EXIT.ok ? paint.good(text) : paint.bad(text);
}

/** Details are facts of the server's choosing: verdicts and refusals in words, plain values by name, others in JSON only. */
function eventWords(details: Record<string, unknown>): string {
  const { verdict, refusals, denials, mocks, mockApprovals, ...rest } = details;
  const plain = Object.entries(rest)
    .filter(([, value]) => ["string", "number", "boolean"].includes(typeof value))
    .map(([name, value]) => (name === "message" || name === "reason" ? String(value) : `${name} ${String(value)}`));
  return [
    ...verdictWords(verdict),
    ...clauseWords(refusals),
    ...clauseWords(denials),
    ...mockWords(mocks),
    ...listOf(mockApprovals).map(mockApprovalWords),
    ...plain,
  ].join("; ");
}

/** The outcome, and the metrics that brought it about. */
function verdictWords(verdict: unknown): string[] {
  if (!isRecord(verdict) || typeof verdict["outcome"] !== "string") return [];
  const { outcome, metrics } = verdict;
  const decisive = listOf(metrics).filter((metric) => metric["outcome"] === outcome);
  return [outcome, ...decisive.map(({ message }) => String(message))];
}

function clauseWords(list: unknown): string[] {
  return listOf(list).map(({ clause, message }) => `${String(clause)} ${String(message)}`);
}

function mockWords(mocks: unknown): string[] {
  return Array.isArray(mocks) && mocks.length > 0 ? [`mocks answered ${mocks.map(String).join(", ")}`] : [];
}

function mockApprovalWords({ role, step, expiresAt, by, decision }: Record<string, unknown>): string {
  return step === "requested" ? `${role} requested, expires ${expiresAt}` : `${decision} by ${by}`;
}

function listOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
