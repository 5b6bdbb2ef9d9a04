import type { OperationOutput } from "../../contract/operations.ts";
import type { Paint } from "./paint.ts";
import { printable, shown } from "./printable.ts";
import { type Column, textTable } from "./text-table.ts";

/** As the API gives it; what `decide` gives fits it. */
export type DecisionView = OperationOutput<"plans.check">;
type Finding = DecisionView["findings"][number];
type Obligation = DecisionView["obligations"][number];

const FINDING_COLUMNS: readonly Column<Finding>[] = [
  { heading: "CLAUSE", value: ({ clause }) => clause },
  { heading: "LEVEL", value: ({ level }) => level },
  { heading: "OBSERVED", value: ({ observed }) => short(observed) },
  { heading: "LIMIT", value: ({ limit }) => short(limit) },
  { heading: "PATH", value: ({ path }) => path },
  { heading: "MESSAGE", value: ({ message }) => message },
];

const OBLIGATION_COLUMNS: readonly Column<Obligation>[] = [
  { heading: "NEEDED", value: obligationWords },
  { heading: "CLAUSES", value: ({ clauses }) => clauses.join(", ") },
  { heading: "STATUS", value: ({ status }) => status },
];

const CELL_CHARACTERS_MAX = 32;

/** The message says it in full; the column is for comparing at a glance. */
function short(value: unknown): string {
  const text = Array.isArray(value) ? value.map(shown).join(", ") : shown(value);
  return text.length <= CELL_CHARACTERS_MAX ? text : `${text.slice(0, CELL_CHARACTERS_MAX - 3)}...`;
}

/**
 * A decision for a person: the answer first, then every clause, what is needed, the cost and the fix. `ownFolder` is
 * that of the user's policies which decided with the shipped ones.
 */
export function decisionText(decision: DecisionView, colors: Paint, ownFolder?: string): string {
  const parts = [
    `${decisionLine(decision, colors, ownFolder)}\n`,
    section("Findings", decision.findings.length === 0 ? "" : textTable(decision.findings, FINDING_COLUMNS, "")),
    section(
      "Needed before any effect",
      decision.obligations.length === 0 ? "" : textTable(decision.obligations, OBLIGATION_COLUMNS, ""),
    ),
    liveText(decision, colors),
    section("Cost", `${costLine(decision)}\n`),
    section("Fix for what is denied", decision.fix.map((operation) => `${fixLine(operation)}\n`).join("")),
    section("Not checked here", decision.unchecked.length === 0 ? "" : `${printable(decision.unchecked.join("; "))}\n`),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

/** One line: the answer, its risk, and the digests that it speaks of. */
export function decisionLine(decision: DecisionView, colors: Paint, ownFolder?: string): string {
  const words = {
    allow: colors.good("ALLOWED"),
    deny: colors.bad("DENIED"),
    "needs-approval": colors.warn("NEEDS APPROVAL"),
  }[decision.decision];
  const simulated = decision.simulation ? " (simulation: COMPLIANT)" : "";
  const own = ownFolder === undefined ? "" : ` and those of ${printable(ownFolder)}`;
  const source = { server: "the server", bundle: "the pulled policy bundle", shipped: `the shipped policies${own}` }[
    decision.source
  ];
  return `${words}${simulated}  ${decision.risk} risk, ${decision.verification} verification, by ${source}\nplan ${decision.planDigest}`;
}

function liveText({ live }: DecisionView, colors: Paint): string {
  if (live === undefined) return "";
  const words = { allow: "allowed", deny: "denied", "needs-approval": "in need of an approval" }[live.decision];
  const title = `For real it would be ${colors.strong(words)}`;
  return live.findings.length === 0 ? `${title}\n` : section(title, textTable(live.findings, FINDING_COLUMNS, ""));
}

function section(title: string, body: string): string {
  return body === "" ? "" : `${title}\n${body.replace(/^(?=.)/gm, "  ")}`;
}

function obligationWords(obligation: Obligation): string {
  if (obligation.kind === "snapshot") return "a snapshot of what runs now";
  if (obligation.kind === "evidence") return `evidence: ${obligation.of ?? ""}`;
  const extras = [obligation.mfa ? "MFA" : "", obligation.signed ? "a signature" : ""].filter(Boolean);
  return `approval by ${obligation.count ?? 1} ${obligation.role ?? "approver"}${extras.length === 0 ? "" : ` with ${extras.join(" and ")}`}`;
}

function costLine({ cost }: DecisionView): string {
  if (cost.usdPerHour === null) return "unknown";
  const peak =
    cost.peakUsdPerHour !== null && cost.peakUsdPerHour !== cost.usdPerHour
      ? `, ${dollars(cost.peakUsdPerHour)} while two fleets run`
      : "";
  const notional = cost.notional ? " (what the cloud would charge; this target charges nothing)" : "";
  return `${dollars(cost.usdPerHour)} an hour${peak}${notional}, prices of ${printable(cost.asOf)}`;
}

function dollars(usd: number): string {
  return `$${usd.toFixed(4).replace(/(\.\d\d)(\d*?)0+$/, "$1$2")}`;
}

/** One operation of the patch as a line that reads like the plan. */
export function fixLine(operation: DecisionView["fix"][number]): string {
  const key = printable(operation.path.slice(1).replaceAll("/", "."));
  if (operation.op === "remove") return `- ${key}`;
  return `${operation.op === "add" ? "+" : "~"} ${key}: ${shown(operation.value)}`;
}
