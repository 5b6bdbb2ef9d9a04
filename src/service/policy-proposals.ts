import { randomBytes } from "node:crypto";
import type { OperationInput } from "../contract/operations.ts";
import {
  baseDigestOf,
  loadPolicySet,
  policyDigestOf,
  programFiles,
  SCHEMA_FILE,
  withOwnFiles,
} from "../core/policy/load-policy-set.ts";
import type { PolicyFile } from "../core/policy/policy.ts";
import { policyDataOf } from "../core/policy/policy-data.ts";
import { protectionProblems } from "../core/policy/protected-clauses.ts";
import { appendAudit, textDigest } from "../engine/audit-log.ts";
import { encodePolicyFiles, type PolicyVersion, readPolicyInForce } from "../engine/policy-book.ts";
import {
  countOpenProposals,
  endPolicyProposal,
  keepPolicyVersion,
  lockPolicy,
  openPolicyProposal,
  readPolicyVersion,
} from "../store/queries/policy-versions.ts";
import type { Call, Handlers, ServiceParts } from "./handler.ts";
import { diffAgainstActive, findVersion, versionView } from "./policy-reading.ts";
import { notFound, refuse } from "./refusal.ts";

/**
 * Policies of a version, the program's among them. A version is parsed, compared and asked about by the process that
 * answers every tenant; a thousand policies kept it busy for eleven seconds.
 */
const POLICIES_MAX = 300;

/** Each candidate is parsed and kept in memory for good: more than people look at are not taken. */
const OPEN_MAX = 20;

export function policyProposalHandlers(parts: ServiceParts): Handlers<"policy.propose" | "policy.withdraw"> {
  return {
    "policy.propose": async (call) => {
      const { tenant } = call.principal;
      const files = await candidateFiles(parts, call);
      const version = checkedCandidate(parts, files);
      await storeProposal(parts, call, version);
      const row = await readPolicyVersion(parts.database, tenant, version.digest);
      if (row === undefined) return notFound("version of the policy");
      return { version: versionView(row), diff: await diffAgainstActive(parts, tenant, version) };
    },

    "policy.withdraw": async ({ principal, actor, input }) => {
      const { tenant } = principal;
      const { digest } = input.params;
      const atMs = parts.nowMs();
      await parts.database.transaction(async (tx) => {
        await lockPolicy(tx, tenant, "exclusive");
        const row = await readPolicyVersion(tx, tenant, digest);
        if (row === undefined) return notFound("version of the policy");
        if (row.proposal === null) refuse("not-acceptable-now", "Nobody asks for this version now.");
        await endPolicyProposal(tx, { tenant, id: row.proposal.id, outcome: "withdrawn", atMs });
        const at = { tenant, atMs, actor, subject: `policy:${digest}`, outcome: "accepted" as const };
        await appendAudit(tx, { ...at, action: "policy.withdraw", details: { policyDigest: digest } });
      });
      return versionView((await findVersion(parts, parts.database, tenant, digest)).row);
    },
  };
}

/** Whole files: what was given beside or instead of the program's, the program's own, or those of an earlier version. */
async function candidateFiles(
  parts: ServiceParts,
  { principal, input }: Call<"policy.propose">,
): Promise<PolicyFile[]> {
  const { body } = input;
  const { tenant } = principal;
  const program = parts.policySet.files.filter(({ path }) => !path.startsWith("own/"));
  if ("digest" in body) return [...(await findVersion(parts, parts.database, tenant, body.digest)).version.files];
  if ("program" in body) {
    // A new version of the program brings its own files; what the tenant put beside them stays.
    const active = await readPolicyInForce(parts.database, parts, tenant);
    return [...program, ...active.files.filter(({ path }) => path.startsWith("own/"))];
  }
  return givenFiles(program, body.files);
}

type GivenFiles = Extract<OperationInput<"policy.propose">["body"], { files: unknown }>["files"];

function givenFiles(program: readonly PolicyFile[], given: GivenFiles): PolicyFile[] {
  const paths = new Set<string>();
  for (const [index, { path, text }] of given.entries()) {
    const pointer = `/files/${index}/path`;
    if (!/^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*\.(cedar|cedarschema|json|ya?ml)$/.test(path))
      refuse("malformed-request", `${pointer}: must be the path of a .cedar, .json or .yaml file below the folder`, {
        pointer,
      });
    if (paths.has(path)) refuse("malformed-request", `${pointer}: stands twice`, { pointer });
    if (text.includes("\0")) refuse("malformed-request", `${path}: holds the character U+0000`, { pointer });
    paths.add(path);
  }
  return paths.has(SCHEMA_FILE) ? programFiles(program, given) : withOwnFiles(program, given);
}

/** A candidate that could come into force: it loads as a whole, and leaves alone what nobody may change. */
function checkedCandidate(parts: ServiceParts, files: readonly PolicyFile[]): PolicyVersion {
  const policies = files.reduce((sum, { text }) => sum + (text.match(/\b(?:forbid|permit)\s*\(/g)?.length ?? 0), 0);
  if (policies > POLICIES_MAX)
    refuse(
      "malformed-request",
      `/files: hold ${policies} policies; ${POLICIES_MAX} are the most, with the program's own.`,
      {
        pointer: "/files",
      },
    );
  const data = policyDataOf(files);
  if (!data.ok)
    return refuse("malformed-request", `${data.problem.path}: ${data.problem.message}`, { pointer: "/files" });
  const set = loadPolicySet(files);
  if (!set.ok) {
    const { path, message } = set.problem;
    return refuse("malformed-request", `${path}:${message} (\`continuum policy lint\` names everything)`, {
      pointer: "/files",
    });
  }
  const problems = protectionProblems(parts.policySet, set.value);
  if (problems.length > 0) refuse("policy-protected", `${problems.join("; ")}.`, { problems });
  return { digest: policyDigestOf(files), files, ...data.value, set: () => set.value };
}

async function storeProposal(parts: ServiceParts, call: Call<"policy.propose">, version: PolicyVersion): Promise<void> {
  const { principal, actor, input } = call;
  const { tenant, id: by, owner } = principal;
  const { digest, files } = version;
  const atMs = parts.nowMs();
  const { comment } = input.body;
  const active = await readPolicyInForce(parts.database, parts, tenant);
  if (active.digest === digest)
    refuse("not-acceptable-now", "This is the policy in force; there is nothing to change.");
  await parts.database.transaction(async (tx) => {
    // Proposals are taken one after the other, so that their number holds.
    await lockPolicy(tx, tenant, "exclusive");
    if ((await countOpenProposals(tx, tenant)) >= OPEN_MAX)
      refuse("not-acceptable-now", `${OPEN_MAX} versions are proposed already; activate or withdraw one first.`);
    const baseDigest = baseDigestOf(parts.policySet.files);
    await keepPolicyVersion(tx, { tenant, digest, baseDigest, files: encodePolicyFiles(files), atMs });
    const proposal = {
      id: `pp-${randomBytes(10).toString("hex")}`,
      by,
      owner: owner ?? null,
      comment: comment ?? null,
    };
    if (!(await openPolicyProposal(tx, { tenant, digest, atMs, ...proposal }))) return;
    const details = { policyDigest: digest, fromPolicyDigest: active.digest, ...textDigest(comment) };
    const at = { tenant, atMs, actor, subject: `policy:${digest}`, outcome: "accepted" as const };
    await appendAudit(tx, { ...at, action: "policy.propose", details });
  });
}
