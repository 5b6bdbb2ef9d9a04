export const sql = `
-- Everything that a tenant's plans were, are or may be decided with. What a digest names never changes.
CREATE TABLE policy_versions (
  tenant text NOT NULL REFERENCES tenants,
  digest text NOT NULL,
  -- Of the program's own files that it stands on: what a start compares its files with.
  base_digest text NOT NULL,
  -- JSON: [path, text] of every file; own/ marks the tenant's.
  files bytea NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, digest)
);

-- Who asks for a version to come into force. It does when another person approves.
CREATE TABLE policy_proposals (
  tenant text NOT NULL,
  id text NOT NULL,
  digest text NOT NULL,
  proposed_by text NOT NULL,
  -- The person who answers for an agent or a service.
  proposer_owner text,
  proposed_at timestamptz NOT NULL,
  comment text,
  ended_at timestamptz,
  outcome text CHECK (outcome IN ('activated', 'withdrawn')),
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, digest) REFERENCES policy_versions,
  CHECK ((ended_at IS NULL) = (outcome IS NULL))
);
CREATE UNIQUE INDEX policy_proposals_open ON policy_proposals (tenant, digest) WHERE ended_at IS NULL;

-- The version in force, which every decision reads together with its facts.
CREATE TABLE policy_active (
  tenant text PRIMARY KEY REFERENCES tenants,
  digest text NOT NULL,
  sequence bigint NOT NULL,
  since timestamptz NOT NULL,
  FOREIGN KEY (tenant, digest) REFERENCES policy_versions
);

CREATE TABLE policy_activations (
  tenant text NOT NULL,
  sequence bigint NOT NULL,
  digest text NOT NULL,
  -- Null at the first, which is the program's own set.
  replaced text,
  at timestamptz NOT NULL,
  activated_by text NOT NULL,
  proposal text,
  -- The approver's signed statement.
  approval bytea,
  PRIMARY KEY (tenant, sequence),
  FOREIGN KEY (tenant, digest) REFERENCES policy_versions
);
CREATE INDEX policy_activations_of_version ON policy_activations (tenant, digest, at DESC);
`;
