export const sql = `
-- A person's own keys for approvals. A key is one person's for good: also a revoked one is nobody else's.
CREATE TABLE approver_keys (
  tenant text NOT NULL,
  key_id text NOT NULL,
  principal text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('cosign', 'webcrypto')),
  label text NOT NULL,
  spki_pem text NOT NULL,
  added_at timestamptz NOT NULL,
  revoked_at timestamptz,
  PRIMARY KEY (tenant, key_id),
  FOREIGN KEY (tenant, principal) REFERENCES principals
);
CREATE INDEX approver_keys_of_person ON approver_keys (tenant, principal, added_at);

-- What a person was given to sign: the exact bytes, used once. Used, it is the approval itself, with what proved it.
CREATE TABLE approval_statements (
  tenant text NOT NULL,
  nonce text NOT NULL,
  principal text NOT NULL,
  -- What it is about, and which: a rollout, a policy's digest, a key's id.
  kind text NOT NULL CHECK (kind IN ('rollout', 'policy', 'key')),
  about text NOT NULL,
  statement bytea NOT NULL,
  created_at timestamptz NOT NULL,
  submit_before timestamptz NOT NULL,
  consumed_at timestamptz,
  -- The signed bundle as it came; null where no signature was due.
  bundle bytea,
  key_id text,
  step_up text CHECK (step_up IN ('totp', 'passkey')),
  -- Of a broken glass: why, and who looked at it afterwards.
  reason text,
  reviewed_by text,
  reviewed_at timestamptz,
  review_verdict text CHECK (review_verdict IN ('justified', 'not-justified')),
  review_comment text,
  PRIMARY KEY (tenant, nonce),
  FOREIGN KEY (tenant, principal) REFERENCES principals,
  CHECK (bundle IS NULL OR (consumed_at IS NOT NULL AND key_id IS NOT NULL))
);
CREATE INDEX approval_statements_about ON approval_statements (tenant, kind, about) WHERE consumed_at IS NOT NULL;
CREATE INDEX approval_statements_open ON approval_statements (tenant, principal, created_at) WHERE consumed_at IS NULL;
CREATE INDEX approval_statements_glass ON approval_statements (tenant, consumed_at DESC) WHERE reason IS NOT NULL AND consumed_at IS NOT NULL;

-- One-time codes (RFC 6238). Secrets are sealed; the last step that was used is never taken again.
CREATE TABLE totp_secrets (
  tenant text NOT NULL,
  principal text NOT NULL,
  secret bytea,
  confirmed_at timestamptz,
  -- A secret that was shown and not confirmed yet, and what names it.
  pending bytea,
  pending_nonce text,
  pending_until timestamptz,
  last_step bigint NOT NULL DEFAULT 0,
  failures integer NOT NULL DEFAULT 0,
  locked_until timestamptz,
  PRIMARY KEY (tenant, principal),
  FOREIGN KEY (tenant, principal) REFERENCES principals,
  CHECK ((secret IS NULL) = (confirmed_at IS NULL))
);
`;
