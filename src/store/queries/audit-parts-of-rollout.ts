import type { Queryable } from "../database.ts";

/** A signed statement with the public key that it can be checked by; null where a certificate names the signer. */
export interface SignedBundleRow {
  bundle: Buffer;
  keyId: string | null;
  spkiPem: string | null;
}

/** No rollout has nearly as many; what is beyond is named as not shown. */
const BUNDLES_MAX = 200;

/** What was taken in about these things, oldest first. */
export async function evidenceAbout(
  db: Queryable,
  tenant: string,
  subjects: readonly string[],
): Promise<SignedBundleRow[]> {
  const { rows } = await db.query<SignedBundleRow>(
    `SELECT DISTINCT ON (e.added_at, e.id) e.bundle, e.key_id AS "keyId",
       (SELECT k.spki_pem FROM trusted_keys k WHERE k.tenant = e.tenant AND k.key_id = e.key_id LIMIT 1) AS "spkiPem"
     FROM evidence e WHERE e.tenant = $1 AND e.subject_digest = ANY ($2) ORDER BY e.added_at, e.id LIMIT ${BUNDLES_MAX}`,
    [tenant, subjects],
  );
  return rows;
}

/** The signed approvals of a rollout, oldest first. */
export async function approvalBundlesOf(db: Queryable, tenant: string, rollout: string): Promise<SignedBundleRow[]> {
  const { rows } = await db.query<SignedBundleRow>(
    `SELECT s.bundle, s.key_id AS "keyId",
       (SELECT k.spki_pem FROM approver_keys k WHERE k.tenant = s.tenant AND k.key_id = s.key_id) AS "spkiPem"
     FROM approval_statements s
     WHERE s.tenant = $1 AND s.kind = 'rollout' AND s.about = $2 AND s.bundle IS NOT NULL
     ORDER BY s.consumed_at, s.nonce LIMIT ${BUNDLES_MAX}`,
    [tenant, rollout],
  );
  return rows;
}
