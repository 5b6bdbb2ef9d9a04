import { ContinuumError } from "../core/error.ts";
import type { PolicySettings, PriceTable } from "../core/policy/decision.ts";
import { baseDigestOf, formerPolicyDigestOf, loadPolicySet, policyDigestOf } from "../core/policy/load-policy-set.ts";
import type { PolicyFile, PolicySet } from "../core/policy/policy.ts";
import { policyDataOf } from "../core/policy/policy-data.ts";
import type { Queryable } from "../store/database.ts";
import { activateFirstPolicy, readActivePolicy, readPolicyFilesOf } from "../store/queries/policy-versions.ts";
import { auditRowOf } from "./audit-log.ts";
import { type EngineParts, SYSTEM } from "./engine.ts";

/** `policy-unusable`: a stored version is gone, is not what its digest says, or is nothing that this program can read. */
export type PolicyBookErrorCode = "policy-unusable";

/** One version of a policy, ready to decide with. */
export interface PolicyVersion {
  digest: string;
  files: readonly PolicyFile[];
  settings: PolicySettings;
  prices: PriceTable;
  /** Parsed when somebody asks for it: a process that reads settings alone is spared Cedar. */
  set(): PolicySet;
}

export type PolicyParts = Pick<EngineParts, "defaultSettings" | "nowMs" | "policySet" | "prices">;

/**
 * The version that a digest names, as it was stored. What a digest names never changes, so that it is read once and kept
 * for every tenant that has it. Errors: `policy-unusable`.
 */
export async function policyVersion(
  db: Queryable,
  parts: PolicyParts,
  { tenant, digest }: { tenant: string; digest: string },
): Promise<PolicyVersion> {
  const { policySet } = parts;
  if (digest === policySet.digest) {
    const { defaultSettings: settings, prices } = parts;
    return { digest, files: policySet.files, settings, prices, set: () => policySet };
  }
  const known = versions.get(digest);
  if (known !== undefined) return known;
  const bytes = await readPolicyFilesOf(db, tenant, digest);
  if (bytes === undefined) throw unusable(digest, "it is not stored");
  const version = versionOf(digest, decodePolicyFiles(bytes));
  versions.set(digest, version);
  return version;
}

const versions = new Map<string, PolicyVersion>();

/**
 * The version that a tenant's decisions are made with. `digest` is what a decision read together with its facts; null
 * when the tenant had none yet: then the program's own set comes into force, as an act of the system that is audited.
 */
export async function activePolicy(
  db: Queryable,
  parts: PolicyParts,
  { tenant, digest }: { tenant: string; digest: string | null },
): Promise<PolicyVersion> {
  return policyVersion(db, parts, { tenant, digest: digest ?? (await firstDigest(db, parts, tenant)) });
}

/** As `activePolicy`, for whoever has read nothing yet. */
export async function readPolicyInForce(db: Queryable, parts: PolicyParts, tenant: string): Promise<PolicyVersion> {
  const active = await readActivePolicy(db, tenant);
  return activePolicy(db, parts, { tenant, digest: active?.digest ?? null });
}

/** Puts the program's own set into force for a tenant that has none. Answers what is in force afterwards. */
async function firstDigest(db: Queryable, parts: PolicyParts, tenant: string): Promise<string> {
  const { digest, files } = parts.policySet;
  const atMs = parts.nowMs();
  const fact = { tenant, atMs, actor: SYSTEM, action: "policy.activate", subject: `policy:${digest}` };
  const audit = auditRowOf({ ...fact, outcome: "accepted", details: { policyDigest: digest, sequence: 1 } });
  const digests = { digest, baseDigest: baseDigestOf(files), formerDigest: formerPolicyDigestOf(files) };
  const version = { tenant, ...digests, files: encodePolicyFiles(files), atMs };
  await activateFirstPolicy(db, { ...version, by: SYSTEM.id, audit });
  const active = await readActivePolicy(db, tenant);
  if (active === undefined) throw new Error(`broken invariant: ${tenant} is a tenant and has a policy in force`);
  return active.digest;
}

/** The stored form of a version's files. */
export function encodePolicyFiles(files: readonly PolicyFile[]): Buffer {
  return Buffer.from(JSON.stringify(files.map(({ path, text }) => [path, text])), "utf8");
}

export function decodePolicyFiles(bytes: Uint8Array): PolicyFile[] {
  const list = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as [path: string, text: string][];
  return list.map(([path, text]) => ({ path, text }));
}

/** Whoever can write to the database could write another text under a digest: it is computed again before it is used. */
function versionOf(digest: string, files: PolicyFile[]): PolicyVersion {
  const actual = policyDigestOf(files);
  if (actual !== digest) throw unusable(digest, `its stored files have the digest ${actual}`);
  const data = policyDataOf(files);
  if (!data.ok) throw unusable(digest, `${data.problem.path}: ${data.problem.message}`);
  const set = () => {
    const loaded = loadPolicySet(files);
    if (!loaded.ok) throw unusable(digest, `${loaded.problem.path}: ${loaded.problem.message}`);
    return loaded.value;
  };
  return { digest, files, ...data.value, set };
}

function unusable(digest: string, why: string): ContinuumError<PolicyBookErrorCode> {
  return new ContinuumError(
    "policy-unusable",
    `The policy ${digest} cannot be used, so nothing can be decided: ${why}.`,
  );
}
