export const sql = `
-- Programs elsewhere that an issuer vouches for: every claim that is named must be exactly so.
CREATE TABLE workloads (
  tenant text NOT NULL REFERENCES tenants,
  id text NOT NULL,
  issuer text NOT NULL,
  claims jsonb NOT NULL,
  -- What a token that is given for them may do, and how long.
  principal text NOT NULL,
  roles text[] NOT NULL,
  token_seconds integer NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, principal) REFERENCES principals
);
`;
