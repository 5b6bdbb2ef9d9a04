import type { OperationOutput } from "../../contract/operations.ts";
import type { RolloutConsent } from "../../core/approval/statement.ts";
import type { diffPlans } from "../../core/plan/diff.ts";
import type { ApiClient } from "./client.ts";
import { decisionText } from "./decision-text.ts";
import type { Paint } from "./paint.ts";
import { type Column, textRecord, textTable } from "./text-table.ts";

export type Request = OperationOutput<"approvals.show">;
type Detail = OperationOutput<"rollouts.get">;
type Need = Request["needs"][number];
type Change = OperationOutput<"plans.diff">["changes"][number];
type Evidence = RolloutConsent["evidence"][number];

/** Everything that a person needs to see before they decide. */
export interface Briefing {
  request: Request;
  rollout: Detail;
  diff: OperationOutput<"plans.diff">;
}

export async function readBriefing(client: ApiClient, id: string): Promise<Briefing> {
  const request = await client.call("approvals.show", { params: { id } });
  const rollout = await client.call("rollouts.get", { params: { id } });
  const diff = await client.call("plans.diff", { body: rollout.plan as Parameters<typeof diffPlans>[0] });
  return { request, rollout, diff };
}

/** The plan, what it changes against what runs, its cost and findings, and who else is needed. */
export function briefingText({ request, rollout, diff }: Briefing, paint: Paint): string {
  const { spec } = rollout.plan as Parameters<typeof diffPlans>[0];
  const { strategy, stepPercent, bakeSeconds, deadlineSeconds } = spec.rollout;
  const record = textRecord({
    rollout: rollout.id,
    endpoint: `${rollout.endpoint.environment}-${rollout.endpoint.name} on ${rollout.endpoint.target}`,
    model: `${rollout.model.name} ${rollout.model.version}`,
    machines: `${spec.compute.instanceCount} x ${spec.compute.instanceType}`,
    rollout_: `${strategy}${strategy === "all-at-once" ? "" : `, ${stepPercent} % a step`}, bakes of ${bakeSeconds} s, deadline ${deadlineSeconds} s`,
    proposer: rollout.proposer,
    "plan digest": request.planDigest,
    expires: request.expiresAt ?? undefined,
  }).replace("rollout_", "strategy");
  const versus =
    diff.liveRollout === null ? "Nothing serves there yet" : `Changes against what serves (${diff.liveRollout})`;
  return [
    record,
    `\n${paint.strong(versus)}\n`,
    diff.liveRollout === null ? "" : textTable(diff.changes, CHANGES, "nothing would change"),
    `\n${decisionText(rollout.decision, paint)}`,
    `\n${paint.strong("Approvals")}\n`,
    textTable(request.needs, NEEDS, "nothing is missing"),
  ].join("");
}

/** What is about to be signed, read from the very bytes. */
export function consentText(says: RolloutConsent, paint: Paint): string {
  const record = textRecord({
    "you approve": `${says.endpoint}, live, as ${says.role}`,
    plan: says.planDigest,
    policy: says.policyDigest,
    runtime: says.runtime,
    verification: says.verification,
    deadline: says.deadlineSeconds === undefined ? undefined : `${says.deadlineSeconds} s, longer than ten minutes`,
    "breaking the glass": says.breakGlass?.reason,
    "counts until": says.notAfter,
  });
  return `${paint.strong("What you sign")}\n${record}${textTable(says.evidence, EVIDENCE, "no evidence counts yet")}`;
}

export function needWords({ role, given, count, mfa, signed }: Need): string {
  return `${given} of ${count} ${role}${mfa ? " with MFA" : ""}${signed ? " and a signature" : ""}`;
}

const CHANGES: readonly Column<Change>[] = [
  { heading: "PATH", value: ({ path }) => path },
  { heading: "BEFORE", value: ({ before }) => before },
  { heading: "AFTER", value: ({ after }) => after },
];

const NEEDS: readonly Column<Need>[] = [
  { heading: "ROLE", value: ({ role }) => role },
  { heading: "GIVEN", value: ({ given, count }) => `${given} of ${count}` },
  { heading: "MFA", value: ({ mfa }) => (mfa ? "yes" : "no") },
  { heading: "SIGNED", value: ({ signed }) => (signed ? "yes" : "no") },
  { heading: "CLAUSES", value: ({ clauses }) => clauses.join(", ") },
];

const EVIDENCE: readonly Column<Evidence>[] = [
  { heading: "EVIDENCE", value: ({ kind }) => kind },
  { heading: "ABOUT", value: ({ subject }) => subject },
  { heading: "STATEMENT", value: ({ digest }) => digest },
];
