import type { OperationOutput } from "../../contract/operations.ts";
import { isTerminalPhase } from "./exit-codes.ts";
import type { Paint } from "./paint.ts";
import { printable } from "./printable.ts";
import type { Column } from "./text-table.ts";
import { textRecord, textTable } from "./text-table.ts";
import { watchWords } from "./watch-text.ts";

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

const GIVEN_FOR: Column<Detail["approvals"][number]> = {
  heading: "FOR",
  value: ({ wayBack }) => (wayBack === true ? "the rollout that it undoes, and its way back" : "this rollout"),
};

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
    watched: rollout.watch == null ? undefined : watchWords(rollout.watch),
    "waits for a person": rollout.watch?.waitsFor ?? undefined,
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
  const lacks = (rollout.lacks ?? []).map(({ what, clauses }) => `  ${paint.bad(clauses.join(", "))}  ${what}\n`);
  const approvals = rollout.approvals;
  const given = textTable(
    approvals,
    [
      { heading: "APPROVED BY", value: ({ approver }) => approver },
      { heading: "AS", value: ({ role }) => role },
      { heading: "AT", value: ({ at }) => at },
      {
        heading: "PROVED BY",
        value: ({ mfa, signed }) => [mfa ? "MFA" : "", signed ? "a signature" : ""].filter(Boolean).join(", "),
      },
      ...(approvals.some(({ wayBack }) => wayBack === true) ? [GIVEN_FOR] : []),
    ],
    "",
  );
  return [
    record,
    refusals.length === 0 ? "" : `refused:\n${refusals.join("")}`,
    lacks.length === 0
      ? ""
      : `lacked when it was proposed, and is denied without it, whoever approves:\n${lacks.join("")}`,
    approvals.length === 0 ? "" : given,
    ...approvals.flatMap(({ approver, reason }) =>
      reason === undefined
        ? []
        : [`${paint.bad("the glass was broken")} by ${printable(approver)}: ${printable(reason)}\n`],
    ),
  ].join("");
}
