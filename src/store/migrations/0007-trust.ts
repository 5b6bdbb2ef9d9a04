export const sql = `
-- From then on nothing is accepted from the key; null means that only a person ends it.
ALTER TABLE trusted_keys ADD COLUMN not_after timestamptz;

-- People and pipelines that a certificate names, each trusted for one purpose; compared character by character.
CREATE TABLE trusted_identities (
  tenant text NOT NULL REFERENCES tenants,
  purpose text NOT NULL,
  -- Over issuer and subject, so that one identity has one row for a purpose.
  id text NOT NULL,
  issuer text NOT NULL,
  subject text NOT NULL,
  not_after timestamptz,
  added_by text NOT NULL,
  added_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz,
  PRIMARY KEY (tenant, purpose, id)
);

-- What else a tenant's trust rests on. No row means that no builder is trusted and the limits are the defaults.
CREATE TABLE trust_settings (
  tenant text PRIMARY KEY REFERENCES tenants,
  builders text[] NOT NULL DEFAULT '{}',
  -- Seconds by kind of evidence; a kind that is not named has its default.
  max_age_seconds jsonb NOT NULL DEFAULT '{}',
  -- Certificates and logs that identities are verified against, as Sigstore publishes them; the text as it was given.
  trusted_root text,
  updated_by text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- Who signed, where it is an identity and no key; then key_id holds the identity's id.
ALTER TABLE evidence ADD COLUMN issuer text;
ALTER TABLE evidence ADD COLUMN subject text;
-- When a log or a timestamp authority saw it; null where nobody but us can say, and added_at counts.
ALTER TABLE evidence ADD COLUMN proven_at timestamptz;
-- Names what was signed, by whom and with which signature, whatever else a bundle holds: a piece that was revoked, or is
-- old, is not made another one by changing what stands around its signature. Null where an older program stored it.
ALTER TABLE evidence ADD COLUMN signature text;
CREATE UNIQUE INDEX evidence_signature ON evidence (tenant, signature, subject_digest) WHERE signature IS NOT NULL;
ALTER TABLE evidence ADD COLUMN revoked_at timestamptz;
ALTER TABLE evidence ADD COLUMN revoked_by text;
ALTER TABLE evidence ADD COLUMN revoke_reason text;
`;
