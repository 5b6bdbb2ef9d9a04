import { z } from "zod";
import type { OperationOutput } from "../contract/operations.ts";
import { planDigest } from "../core/plan/canonical.ts";
import { listPolicies } from "../core/policy/list.ts";
import type { PolicySet } from "../core/policy/policy.ts";
import { diffPolicySets, type PolicyDiff } from "../core/policy/policy-diff.ts";
import { changedPlans, diffPolicyData } from "../core/policy/policy-diff-plans.ts";
import { planOfBytes } from "../engine/gate.ts";
import { type PolicyVersion, policyVersion, readPolicyInForce } from "../engine/policy-book.ts";
import type { Queryable } from "../store/database.ts";
import {
  listActivations,
  listPolicyVersions,
  type PolicyVersionRow,
  readPolicyVersion,
  recentPlans,
} from "../store/queries/policy-versions.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Handlers, ServiceParts } from "./handler.ts";
import { notFound } from "./refusal.ts";
import { optionalTime } from "./rollout-view.ts";

export type PolicyReading = "policy.list" | "policy.versions" | "policy.show" | "policy.diff" | "prices.show";

const afterShape = z.tuple([z.number(), z.string()]);
/** Real plans that a diff looks at: enough to see what a change does, and a few milliseconds each. */
const PLANS_MAX = 50;
const ACTIVATIONS_MAX = 100;

/** What decisions are made with, and what was proposed in its place. */
export function policyReadingHandlers(parts: ServiceParts): Handlers<PolicyReading> {
  return {
    "policy.list": async ({ principal }) => {
      const { digest, set } = await readPolicyInForce(parts.database, parts, principal.tenant);
      return { digest, policies: listPolicies(set()) };
    },

    "policy.versions": async ({ principal, input }) => {
      const { cursor, limit = PAGE_LIMIT } = input.query;
      const after = decodeCursor("policy.versions", cursor, afterShape);
      const rows = await listPolicyVersions(parts.database, {
        tenant: principal.tenant,
        limit: limit + 1,
        ...(after === undefined ? {} : { after: { createdAtMs: after[0], digest: after[1] } }),
      });
      const keyOf = (row: PolicyVersionRow) => [row.createdAt.getTime(), row.digest];
      return toPage(rows, { list: "policy.versions", limit, keyOf, view: versionView });
    },

    "policy.show": async ({ principal, input }) => {
      const { tenant } = principal;
      const { row, version } = await findVersion(parts, parts.database, tenant, input.params.digest);
      const { digest } = row;
      const activations = await listActivations(parts.database, { tenant, digest, limit: ACTIVATIONS_MAX });
      return {
        version: versionView(row),
        files: version.files.map(({ path, text }) => ({ path, text })),
        activations: activations.map(({ sequence, at, by, proposedBy, replaced, approval }) => ({
          ...{ sequence, at: at.toISOString(), by, proposedBy, replaced },
          approval: approval === null ? null : approval.toString("utf8"),
        })),
      };
    },

    "policy.diff": async ({ principal, input }) => {
      const { version } = await findVersion(parts, parts.database, principal.tenant, input.params.digest);
      return diffAgainstActive(parts, principal.tenant, version);
    },

    "prices.show": async ({ principal }) => (await readPolicyInForce(parts.database, parts, principal.tenant)).prices,
  };
}

/** A version of this tenant's; one that another tenant has is as unknown as one that nobody has. */
export async function findVersion(
  parts: ServiceParts,
  db: Queryable,
  tenant: string,
  digest: string,
): Promise<{ row: PolicyVersionRow; version: PolicyVersion }> {
  const row = await readPolicyVersion(db, tenant, digest);
  if (row === undefined) return notFound("version of the policy");
  return { row, version: await policyVersion(db, parts, { tenant, digest }) };
}

/** What a version would change against the one in force: policies, settings, prices, boundary cases, real plans. */
export async function diffAgainstActive(
  parts: ServiceParts,
  tenant: string,
  after: PolicyVersion,
): Promise<OperationOutput<"policy.diff">> {
  const before = await readPolicyInForce(parts.database, parts, tenant);
  const stored = await recentPlans(parts.database, tenant, PLANS_MAX);
  // A simulated target and a dry run change nothing, and are decided as for live all the same.
  const plans = stored.map(({ rollout, planDigest: digest, bytes }) => ({
    ...{ rollout, planDigest: digest, plan: planOfBytes(bytes, false) },
  }));
  const sound = plans.filter(({ plan, planDigest: digest }) => planDigest(plan) === digest);
  const [old, now] = [before, after].map(({ set, settings, prices }) => ({ set: set(), settings, prices }));
  if (old === undefined || now === undefined) throw new Error("broken invariant: a difference is one of two");
  return {
    ...policyDiff(old.set, now.set),
    data: diffPolicyData(old, now),
    plans: { looked: sound.length, changed: changedPlans(old, now, sound) },
  };
}

/** The same two sets differ in the same way whoever asks and how often: it is worked out once, for the last few pairs. */
const knownDiffs = new Map<string, PolicyDiff>();
const DIFFS_KEPT_MAX = 32;

function policyDiff(before: PolicySet, after: PolicySet): PolicyDiff {
  const key = `${before.digest} ${after.digest}`;
  const diff = knownDiffs.get(key) ?? diffPolicySets(before, after);
  knownDiffs.delete(key);
  knownDiffs.set(key, diff);
  const [oldest] = knownDiffs.keys();
  if (knownDiffs.size > DIFFS_KEPT_MAX && oldest !== undefined) knownDiffs.delete(oldest);
  return diff;
}

export function versionView(row: PolicyVersionRow): OperationOutput<"policy.withdraw"> {
  const { digest, baseDigest, createdAt, proposal, activatedAt, active } = row;
  const once = activatedAt === null ? "kept" : "former";
  return {
    ...{ digest, baseDigest, createdAt: createdAt.toISOString() },
    state: active ? "active" : proposal === null ? once : "proposed",
    proposal: proposal === null ? null : { by: proposal.by, at: proposal.at.toISOString(), comment: proposal.comment },
    activatedAt: optionalTime(activatedAt?.getTime() ?? null),
  };
}
