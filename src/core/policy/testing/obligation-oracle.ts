import type { DecideInput, EvidenceKind, Obligation } from "../decision.ts";
import { type OracleFinding, priceMicro } from "./oracle-finding.ts";

/** What a plan still needs, read from the documents alone: people, proof, a snapshot, and the findings that say so. */

export function obligationsDue(input: DecideInput): Obligation[] {
  return [...approvals(input), ...evidence(input), ...snapshots(input)];
}

/** AO-3, AO-7 with CP-1, and AO-12: who must agree. */
function approvals(input: DecideInput): Obligation[] {
  const { environment, compute } = input.plan.spec;
  const price = priceMicro(input, compute.instanceType);
  const needed: Obligation[] = [];
  if (environment === "staging" && compute.instanceCount >= 3) needed.push(approval("approver", false, ["AO-3"]));
  if (environment === "production") needed.push(approval("approver", true, ["AO-7", "CP-1"]));
  // Reading: AO-12 is about the plan's own steady cost (settlement 4); settlement 1 names AO-5 and AO-6 alone for the
  // environment's sum.
  if (environment === "production" && price !== undefined && price * compute.instanceCount > 30e6)
    needed.push(approval("budget-owner", true, ["AO-12"]));
  return withApprovalStatus(input, needed);
}

/** Reading: CP-1 asks MFA of every approval in production, CP-10 a signature of the approver alone. */
function approval(role: "approver" | "budget-owner", mfa: boolean, clauses: string[]): Obligation {
  return { kind: "approval", role, count: 1, mfa, signed: mfa && role === "approver", clauses, status: "missing" };
}

/**
 * Settlement 5: two approvals of one plan are two people. Every way to hand the approvals out is tried, and the one
 * that meets most counts. Reading: who approved without MFA has approved all the same (AO-7), if not well enough for
 * CP-1, and is then not the other person whom AO-12 wants.
 */
function withApprovalStatus({ facts }: DecideInput, needed: Obligation[]): Obligation[] {
  if (facts.source !== "server") return needed.map((each) => ({ ...each, status: "unchecked" }));
  const given = facts.approvals ?? [];
  const approvers = given.filter(({ role }) => role === "approver");
  const wantsStrong = needed.some((each) => each.kind === "approval" && each.role === "approver" && each.mfa);
  const strong = approvers.filter(({ mfa, signed }) => mfa && signed);
  const good = wantsStrong ? strong : approvers;
  const owners = given.filter(({ role, mfa }) => role === "budget-owner" && mfa);
  const seats = good.length > 0 ? good : approvers;
  const ownerCounts = owners.some(
    (owner) => seats.length === 0 || seats.some((seat) => seat.approver !== owner.approver),
  );
  return needed.map((each) => {
    const met = each.kind === "approval" && (each.role === "approver" ? good.length > 0 : ownerCounts);
    return { ...each, status: met ? "met" : "missing" };
  });
}

/** Settlement 7, level by level; an item that no clause of its own asks for in that environment is CP-1's. */
function evidence(input: DecideInput): Obligation[] {
  const { environment, model } = input.plan.spec;
  const asked: [EvidenceKind, string][] = [
    ["tests", "CP-5"],
    ["encryption", "AO-14"],
  ];
  if (model.image !== undefined) asked.push(["image-signature", "CP-6"]);
  if (environment !== "development") {
    asked.push(["manifest-signature", environment === "production" ? "P2" : "CP-1"]);
    asked.push(["artifact-digest", "CP-1"]);
  }
  if (environment === "production")
    asked.push(["approver-signature", "CP-10"], ["provenance", "CP-1"], ["baseline", "CP-1"], ["dry-run", "CP-1"]);
  return asked.map(([of, clause]) => ({ kind: "evidence", of, clauses: [clause], status: evidenceStatus(input, of) }));
}

function evidenceStatus({ facts }: DecideInput, of: EvidenceKind): Obligation["status"] {
  if (facts.source !== "server") return "unchecked";
  return facts.evidence?.[of] === true ? "met" : "missing";
}

function snapshots({ plan, facts }: DecideInput): Obligation[] {
  if (plan.spec.environment === "development") return [];
  const met = facts.snapshot === true ? "met" : "missing";
  return [{ kind: "snapshot", clauses: ["CP-11"], status: facts.source === "server" ? met : "unchecked" }];
}

/** "Every obligation's clause also stands in findings", met or not, and at its own level. */
export function findingsOfObligations(input: DecideInput, obligations: Obligation[]): OracleFinding[] {
  const { environment, compute } = input.plan.spec;
  const observedByClause: Record<string, Pick<OracleFinding, "observed" | "limit" | "path">> = {
    "AO-3": { observed: compute.instanceCount, limit: 2, path: "/spec/compute/instanceCount" },
    "AO-12": {
      observed: ((priceMicro(input, compute.instanceType) ?? 0) * compute.instanceCount) / 1e6,
      limit: 30,
      path: "/spec/compute/instanceCount",
    },
  };
  const byEnvironment = { observed: environment, limit: null, path: "/spec/environment" };
  const byArtifact = { observed: null, limit: null, path: "/spec/model/artifact" };
  const pathOfEvidence: Partial<Record<EvidenceKind, Pick<OracleFinding, "observed" | "limit" | "path">>> = {
    "image-signature": { ...byArtifact, path: "/spec/model/image" },
    "manifest-signature": byEnvironment,
    "approver-signature": byEnvironment,
    baseline: { ...byArtifact, path: "/spec/monitor/baseline" },
    "dry-run": { ...byArtifact, path: "/spec/dryRun" },
  };
  return obligations.flatMap((obligation) =>
    obligation.clauses.map((clause) => ({
      clause,
      level: obligation.kind === "approval" ? ("approval" as const) : ("require" as const),
      ...(obligation.kind === "evidence"
        ? (pathOfEvidence[obligation.of] ?? byArtifact)
        : (observedByClause[clause] ?? byEnvironment)),
    })),
  );
}
