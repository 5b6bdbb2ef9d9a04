import type { Queryable, Transaction } from "../database.ts";

/** The versions of a tenant's policy, who proposed which, and which is in force. */

export interface ActivePolicyRow {
  digest: string;
  /** Rises with each activation of the tenant, and never falls. */
  sequence: number;
  since: Date;
  /** Of the program's own files that the version stands on. */
  baseDigest: string;
}

export interface PolicyVersionRow {
  digest: string;
  baseDigest: string;
  createdAt: Date;
  /** Its open proposal; null when nobody asks for it now. */
  proposal: { id: string; by: string; owner: string | null; at: Date; comment: string | null } | null;
  /** When it came into force last; null when it never did. */
  activatedAt: Date | null;
  active: boolean;
}

export interface ActivationRow {
  sequence: number;
  digest: string;
  /** null at the first. */
  replaced: string | null;
  at: Date;
  by: string;
  /** Who proposed it; null when the program did. */
  proposedBy: string | null;
  /** The approver's signed statement, as a bundle; null when the program activated its own set at the first start. */
  approval: Buffer | null;
}

/** Shared: whoever admits by the policy in force. Exclusive: whoever changes it. Held until the transaction ends. */
export async function lockPolicy(tx: Transaction, tenant: string, how: "shared" | "exclusive"): Promise<void> {
  const lock = how === "shared" ? "pg_advisory_xact_lock_shared" : "pg_advisory_xact_lock";
  await tx.query(`SELECT ${lock}(hashtextextended('continuum-policy/' || $1::text, 0))`, [tenant]);
}

export async function readActivePolicy(db: Queryable, tenant: string): Promise<ActivePolicyRow | undefined> {
  const { rows } = await db.query<ActivePolicyRow>(
    `SELECT a.digest, a.sequence, a.since, v.base_digest AS "baseDigest"
     FROM policy_active a JOIN policy_versions v USING (tenant, digest) WHERE tenant = $1`,
    [tenant],
  );
  return rows[0];
}

/** Of every tenant: what the start compares its own files with. */
export async function listActivePolicies(db: Queryable): Promise<(ActivePolicyRow & { tenant: string })[]> {
  const { rows } = await db.query<ActivePolicyRow & { tenant: string }>(
    `SELECT a.tenant, a.digest, a.sequence, a.since, v.base_digest AS "baseDigest"
     FROM policy_active a JOIN policy_versions v USING (tenant, digest) ORDER BY a.tenant`,
  );
  return rows;
}

/** The bytes of a version's files; undefined when there is no such version. */
export async function readPolicyFilesOf(db: Queryable, tenant: string, digest: string): Promise<Buffer | undefined> {
  const { rows } = await db.query<{ files: Buffer }>(
    "SELECT files FROM policy_versions WHERE tenant = $1 AND digest = $2",
    [tenant, digest],
  );
  return rows[0]?.files;
}

export interface NewPolicyVersion {
  tenant: string;
  digest: string;
  baseDigest: string;
  files: Uint8Array;
  atMs: number;
}

/** Keeps the version unless it is there: what a digest names never changes. */
export async function keepPolicyVersion(db: Queryable, version: NewPolicyVersion): Promise<void> {
  await db.query(
    `INSERT INTO policy_versions (tenant, digest, base_digest, files, created_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (tenant, digest) DO UPDATE SET base_digest = excluded.base_digest
     WHERE policy_versions.base_digest <> excluded.base_digest`,
    [version.tenant, version.digest, version.baseDigest, version.files, new Date(version.atMs)],
  );
}

/**
 * A tenant that has no policy in force gets this one, with its audit entry, in one statement: of several that try at
 * once, one does it and tells of it. Does nothing for a tenant that has one. `formerDigest` is what an older program
 * called the same files: rollouts that it left under way are named by the digest of now, so that what people approved
 * goes on counting.
 */
export async function activateFirstPolicy(
  db: Queryable,
  version: NewPolicyVersion & {
    formerDigest: string;
    by: string;
    audit: { subject: string; entry: Uint8Array; leafHash: Uint8Array };
  },
): Promise<void> {
  await db.query(
    `WITH known AS (SELECT FROM tenants WHERE tenant = $1 AND NOT EXISTS (SELECT FROM policy_active WHERE tenant = $1)),
     version AS (
       INSERT INTO policy_versions (tenant, digest, base_digest, files, created_at)
       SELECT $1, $2, $3, $4, $5 FROM known ON CONFLICT DO NOTHING),
     active AS (
       INSERT INTO policy_active (tenant, digest, sequence, since) SELECT $1, $2, 1, $5 FROM known
       ON CONFLICT DO NOTHING RETURNING sequence),
     activation AS (
       INSERT INTO policy_activations (tenant, sequence, digest, at, activated_by)
       SELECT $1, sequence, $2, $5, $6 FROM active),
     renamed AS (
       UPDATE rollouts SET state = jsonb_set(state, '{policyDigest}', to_jsonb($2::text))
       FROM active WHERE rollouts.tenant = $1 AND NOT terminal AND state ->> 'policyDigest' = $10)
     INSERT INTO audit_entries (tenant, subject, entry, leaf_hash) SELECT $1, $7, $8, $9 FROM active`,
    [
      ...[version.tenant, version.digest, version.baseDigest, version.files, new Date(version.atMs), version.by],
      ...[version.audit.subject, version.audit.entry, version.audit.leafHash, version.formerDigest],
    ],
  );
}

const VERSION = `v.digest, v.base_digest AS "baseDigest", v.created_at AS "createdAt",
  CASE WHEN p.id IS NULL THEN NULL ELSE
    json_build_object('id', p.id, 'by', p.proposed_by, 'owner', p.proposer_owner, 'at', p.proposed_at, 'comment', p.comment)
  END AS proposal,
  (SELECT max(at) FROM policy_activations a WHERE a.tenant = v.tenant AND a.digest = v.digest) AS "activatedAt",
  EXISTS (SELECT FROM policy_active a WHERE a.tenant = v.tenant AND a.digest = v.digest) AS active
  FROM policy_versions v LEFT JOIN policy_proposals p
    ON p.tenant = v.tenant AND p.digest = v.digest AND p.ended_at IS NULL`;

type VersionJson = Omit<PolicyVersionRow, "proposal"> & {
  proposal: (Omit<NonNullable<PolicyVersionRow["proposal"]>, "at"> & { at: string }) | null;
};

function versionRow({ proposal, ...row }: VersionJson): PolicyVersionRow {
  return { ...row, proposal: proposal === null ? null : { ...proposal, at: new Date(proposal.at) } };
}

export async function readPolicyVersion(
  db: Queryable,
  tenant: string,
  digest: string,
): Promise<PolicyVersionRow | undefined> {
  const { rows } = await db.query<VersionJson>(`SELECT ${VERSION} WHERE v.tenant = $1 AND v.digest = $2`, [
    tenant,
    digest,
  ]);
  const [row] = rows;
  return row === undefined ? undefined : versionRow(row);
}

/** Newest first. */
export async function listPolicyVersions(
  db: Queryable,
  page: { tenant: string; after?: { createdAtMs: number; digest: string }; limit: number },
): Promise<PolicyVersionRow[]> {
  const { rows } = await db.query<VersionJson>(
    `SELECT ${VERSION} WHERE v.tenant = $1
       AND ($2::timestamptz IS NULL OR (v.created_at, v.digest) < ($2, $3::text))
     ORDER BY v.created_at DESC, v.digest DESC LIMIT $4`,
    [
      page.tenant,
      page.after === undefined ? null : new Date(page.after.createdAtMs),
      page.after?.digest ?? null,
      page.limit,
    ],
  );
  return rows.map(versionRow);
}

/** How many versions a tenant asks for that are not decided. */
export async function countOpenProposals(db: Queryable, tenant: string): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    "SELECT count(*) AS count FROM policy_proposals WHERE tenant = $1 AND ended_at IS NULL",
    [tenant],
  );
  return rows[0]?.count ?? 0;
}

/** False when the version is asked for already: whoever asked first stays the one who did. */
export async function openPolicyProposal(
  tx: Transaction,
  proposal: {
    tenant: string;
    id: string;
    digest: string;
    by: string;
    owner: string | null;
    atMs: number;
    comment: string | null;
  },
): Promise<boolean> {
  const { tenant, id, digest, by, owner, atMs, comment } = proposal;
  const { rowCount } = await tx.query(
    `INSERT INTO policy_proposals (tenant, id, digest, proposed_by, proposer_owner, proposed_at, comment)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
    [tenant, id, digest, by, owner, new Date(atMs), comment],
  );
  return rowCount > 0;
}

/** Ends the open proposal of a version. False when there is none, or another one. */
export async function endPolicyProposal(
  tx: Transaction,
  proposal: { tenant: string; id: string; outcome: "activated" | "withdrawn"; atMs: number },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    "UPDATE policy_proposals SET ended_at = $3, outcome = $4 WHERE tenant = $1 AND id = $2 AND ended_at IS NULL",
    [proposal.tenant, proposal.id, new Date(proposal.atMs), proposal.outcome],
  );
  return rowCount > 0;
}

/**
 * Puts a version into force in place of exactly the one that the approver saw. Undefined when another is in force, and
 * then nothing is changed. Call it under the exclusive lock.
 */
export async function replaceActivePolicy(
  tx: Transaction,
  change: {
    tenant: string;
    from: string;
    to: string;
    atMs: number;
    by: string;
    proposal: string;
    approval: Uint8Array;
  },
): Promise<number | undefined> {
  const { tenant, from, to, atMs, by, proposal, approval } = change;
  const { rows } = await tx.query<{ sequence: number }>(
    `WITH active AS (
       UPDATE policy_active SET digest = $3, sequence = sequence + 1, since = $4
       WHERE tenant = $1 AND digest = $2 RETURNING sequence)
     INSERT INTO policy_activations (tenant, sequence, digest, replaced, at, activated_by, proposal, approval)
     SELECT $1, sequence, $3, $2, $4, $5, $6, $7 FROM active RETURNING sequence`,
    [tenant, from, to, new Date(atMs), by, proposal, approval],
  );
  return rows[0]?.sequence;
}

/** Newest first: how a version came into force each time, or every activation of the tenant. */
export async function listActivations(
  db: Queryable,
  page: { tenant: string; digest?: string; limit: number },
): Promise<ActivationRow[]> {
  const { rows } = await db.query<ActivationRow>(
    `SELECT a.sequence, a.digest, a.replaced, a.at, a.activated_by AS by, p.proposed_by AS "proposedBy", a.approval
     FROM policy_activations a LEFT JOIN policy_proposals p ON p.tenant = a.tenant AND p.id = a.proposal
     WHERE a.tenant = $1 AND ($2::text IS NULL OR a.digest = $2) ORDER BY a.sequence DESC LIMIT $3`,
    [page.tenant, page.digest ?? null, page.limit],
  );
  return rows;
}

/** The newest plans that somebody proposed for real, each once. */
export async function recentPlans(
  db: Queryable,
  tenant: string,
  limit: number,
): Promise<{ planDigest: string; rollout: string; bytes: Buffer }[]> {
  const { rows } = await db.query<{ planDigest: string; rollout: string; bytes: Buffer }>(
    `SELECT r.plan_digest AS "planDigest", r.id AS rollout, p.bytes
     FROM (
       SELECT DISTINCT ON (plan_digest) plan_digest, id, created_at
       FROM (SELECT plan_digest, id, created_at FROM rollouts WHERE tenant = $1 AND NOT simulation
             ORDER BY created_at DESC, id DESC LIMIT 500) AS newest
       ORDER BY plan_digest, created_at DESC) AS r
     JOIN plans p ON p.tenant = $1 AND p.digest = r.plan_digest
     ORDER BY r.created_at DESC LIMIT $2`,
    [tenant, limit],
  );
  return rows;
}
