export const sql = `
-- A person's authenticators. The private half never leaves them; the counter tells a copied one.
CREATE TABLE passkeys (
  tenant text NOT NULL,
  id text NOT NULL,
  principal text NOT NULL,
  -- In base64url, as authenticators name it. It is asked for before anybody knows whose it is, so it is unique everywhere.
  credential_id text NOT NULL UNIQUE,
  -- COSE.
  public_key bytea NOT NULL,
  counter bigint NOT NULL,
  -- The same for all of a person's passkeys, random, and no name.
  user_handle bytea NOT NULL,
  transports text[] NOT NULL,
  label text NOT NULL,
  created_at timestamptz NOT NULL,
  last_used_at timestamptz,
  removed_at timestamptz,
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, principal) REFERENCES principals
);
CREATE INDEX passkeys_of_person ON passkeys (tenant, principal) WHERE removed_at IS NULL;

-- A session is known here by the SHA-256 of its cookie alone.
CREATE TABLE sessions (
  tenant text NOT NULL,
  id text NOT NULL,
  principal text NOT NULL,
  secret_hash bytea NOT NULL UNIQUE,
  method text NOT NULL CHECK (method IN ('passkey', 'oidc')),
  -- What it may is this and what the person still has.
  roles text[] NOT NULL,
  created_at timestamptz NOT NULL,
  seen_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  ended_at timestamptz,
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, principal) REFERENCES principals
);
CREATE INDEX sessions_of_person ON sessions (tenant, principal, created_at DESC);

-- A one-time code by which a person registers a passkey.
CREATE TABLE enrolments (
  tenant text NOT NULL,
  id text NOT NULL,
  principal text NOT NULL,
  secret_hash bytea NOT NULL UNIQUE,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, principal) REFERENCES principals
);

-- Who a person is at the organisation's identity provider.
CREATE TABLE people_links (
  tenant text NOT NULL,
  issuer text NOT NULL,
  subject text NOT NULL,
  principal text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, issuer, subject),
  UNIQUE (tenant, principal),
  FOREIGN KEY (tenant, principal) REFERENCES principals
);

-- What a browser was asked and has not answered yet: used once, and gone when it expires. It is nobody's until then.
CREATE TABLE sign_in_challenges (
  challenge_hash bytea PRIMARY KEY,
  purpose text NOT NULL CHECK (purpose IN ('sign-in', 'enrolment', 'oidc')),
  details jsonb NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX sign_in_challenges_expired ON sign_in_challenges (expires_at);

-- How often signing in failed, by a hash of the address or of the account, for all API processes together.
CREATE TABLE sign_in_failures (
  key_hash bytea PRIMARY KEY,
  failures integer NOT NULL,
  last_at timestamptz NOT NULL,
  blocked_until timestamptz NOT NULL
);
CREATE INDEX sign_in_failures_last ON sign_in_failures (last_at);
`;
