import type { Decision, Refusal } from "./decision.ts";

/**
 * Why a live rollout may not pass the gate at which this was decided: every denial, and each piece of evidence,
 * approval or snapshot that must be there by now and is not, named by its clause. Empty when the gate is open, and
 * always empty for a simulated plan, whose mocks answer everything.
 */
export function refusals(decision: Decision): Refusal[] {
  if (decision.simulation) return [];
  const denials = decision.findings.filter(({ level }) => level === "deny");
  return [...denials.map(({ clause, message }) => ({ clause, message })), ...(decision.refusals ?? [])];
}
