import { whyNotDecide } from "../core/approval/authority.ts";
import { POLICY_APPROVAL_TYPE } from "../core/approval/statement.ts";
import { loadPolicySet, policyDigestedBytes } from "../core/policy/load-policy-set.ts";
import { protectionProblems } from "../core/policy/protected-clauses.ts";
import { supersedeOtherPolicies } from "../engine/approval-supersede.ts";
import { appendAudit } from "../engine/audit-log.ts";
import { tell } from "../engine/commit.ts";
import type { CommittedEvent } from "../engine/engine.ts";
import { readPolicyInForce } from "../engine/policy-book.ts";
import type { Transaction } from "../store/database.ts";
import {
  endPolicyProposal,
  lockPolicy,
  type PolicyVersionRow,
  readActivePolicy,
  readPolicyVersion,
  replaceActivePolicy,
} from "../store/queries/policy-versions.ts";
import { readPrincipal } from "../store/queries/principals.ts";
import { checkProof, prepareStatement } from "./approval-statements.ts";
import type { Call, Handlers, ServiceParts } from "./handler.ts";
import { findVersion, versionView } from "./policy-reading.ts";
import type { Principal } from "./principal.ts";
import { notFound, refuse } from "./refusal.ts";

/** What an activation must carry, always. */
const REQUIRES = { mfa: true, signed: true } as const;
/** How long an approval counts: it is handed in at once or not at all. */
const VALID_MS = 15 * 60_000;

type Proposed = PolicyVersionRow & { proposal: NonNullable<PolicyVersionRow["proposal"]> };

export function policyActivationHandlers(parts: ServiceParts): Handlers<"policy.statement" | "policy.activate"> {
  return {
    "policy.statement": async ({ principal, input }) => {
      const { tenant, id: approver } = principal;
      const { digest } = input.params;
      const { row, version } = await findVersion(parts, parts.database, tenant, digest);
      requireProposer(principal, row);
      const { digest: fromPolicyDigest } = await readPolicyInForce(parts.database, parts, tenant);
      return parts.database.transaction((tx) =>
        prepareStatement(tx, parts, {
          ...{ principal, kind: "policy", about: digest, requires: REQUIRES },
          subject: policyDigestedBytes(version.files),
          make: ({ nonce, issuedAtMs }) => ({
            type: POLICY_APPROVAL_TYPE,
            says: {
              ...{ tenant, approver, nonce, role: "policy-admin", effect: "activate" },
              ...{ fromPolicyDigest, policyDigest: digest },
              issuedAt: new Date(issuedAtMs).toISOString(),
              notAfter: new Date(issuedAtMs + VALID_MS).toISOString(),
            },
          }),
        }),
      );
    },

    "policy.activate": async (call) => {
      const { tenant } = call.principal;
      const { digest } = call.input.params;
      await activate(parts, call);
      await endWhatWaits(parts, call);
      return versionView((await findVersion(parts, parts.database, tenant, digest)).row);
    },
  };
}

/** What waits for people was decided under the policy that is no more; nothing of it could be approved, and it ends. */
async function endWhatWaits(parts: ServiceParts, { principal, actor, input }: Call<"policy.activate">): Promise<void> {
  const change = { tenant: principal.tenant, actor, policyDigest: input.params.digest };
  const facts: CommittedEvent[] = [];
  await parts.database.transaction((tx) => {
    facts.length = 0;
    return supersedeOtherPolicies(tx, parts, change, facts);
  });
  for (const fact of facts) tell(parts, fact);
}

async function activate(parts: ServiceParts, { principal, actor, input }: Call<"policy.activate">): Promise<void> {
  const { tenant } = principal;
  const { digest } = input.params;
  const { row, version } = await findVersion(parts, parts.database, tenant, digest);
  requireProposer(principal, row);
  // What was proposed to an older program may lack what this one protects.
  const set = loadPolicySet(version.files);
  if (!set.ok)
    return refuse(
      "not-acceptable-now",
      `This program cannot read the version: ${set.problem.path}: ${set.problem.message}`,
    );
  const problems = protectionProblems(parts.policySet, set.value);
  if (problems.length > 0) refuse("policy-protected", `${problems.join("; ")}.`, { problems });
  const question = { principal, kind: "policy", about: digest, type: POLICY_APPROVAL_TYPE } as const;
  const proof = await checkProof(parts, { ...question, requires: REQUIRES, proof: input.body });
  const { says } = proof.consent;
  if (says.tenant !== tenant || says.policyDigest !== digest || says.approver !== principal.id)
    refuse("statement-refused", "The statement is about something else.");
  const atMs = parts.nowMs();
  await parts.database.transaction(async (tx) => {
    await lockPolicy(tx, tenant, "exclusive");
    const { proposal } = await presentProposal(tx, principal, digest);
    const active = await readActivePolicy(tx, tenant);
    if (active?.digest !== says.fromPolicyDigest)
      refuse(
        "digest-mismatch",
        `Another version came into force since the statement was made: look at the difference from ${active?.digest ?? "none"}, and sign a new one.`,
      );
    await proof.consume(tx);
    const approval = Buffer.from(JSON.stringify(input.body.bundle), "utf8");
    const change = {
      tenant,
      from: says.fromPolicyDigest,
      to: digest,
      atMs,
      by: principal.id,
      proposal: proposal.id,
      approval,
    };
    const sequence = await replaceActivePolicy(tx, change);
    if (sequence === undefined)
      throw new Error("broken invariant: under its lock the policy in force stays the one that was read");
    await endPolicyProposal(tx, { tenant, id: proposal.id, outcome: "activated", atMs });
    const at = { tenant, atMs, actor, subject: `policy:${digest}`, outcome: "accepted" as const };
    const details = {
      ...{ policyDigest: digest, fromPolicyDigest: says.fromPolicyDigest, sequence, principal: proposal.by },
      ...{ role: "policy-admin", mfa: proof.stepUp !== null, signed: proof.signature !== null },
      ...(proof.signature ?? {}),
    };
    await appendAudit(tx, { ...at, action: "policy.activate", details });
  });
}

/** Under the lock: the proposal that is there now, and the approver's roles as they are now. */
async function presentProposal(tx: Transaction, principal: Principal, digest: string): Promise<Proposed> {
  const row = await readPolicyVersion(tx, principal.tenant, digest);
  if (row === undefined) return notFound("version of the policy");
  const stored = await readPrincipal(tx, principal.tenant, principal.id);
  const roles = principal.roles.filter((role) => stored?.roles.includes(role) === true);
  return requireProposer({ ...principal, roles }, row);
}

/** A policy admin who is a person and neither proposed it nor answers for what did. */
function requireProposer(principal: Principal, row: PolicyVersionRow): Proposed {
  const { proposal } = row;
  if (row.active) return refuse("not-acceptable-now", "This version is in force.");
  if (proposal === null) return refuse("not-acceptable-now", "Nobody asks for this version now; propose it first.");
  if (!["policy-admin", "admin"].some((role) => (principal.roles as readonly string[]).includes(role)))
    refuse("forbidden", "To activate a policy needs the role policy-admin.");
  const why = whyNotDecide(principal, { id: proposal.by, owner: proposal.owner });
  if (why !== null) refuse(why.code, why.message.replaceAll("this plan", "this policy"));
  return { ...row, proposal };
}
