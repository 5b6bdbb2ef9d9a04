export const sql = `
-- Every table carries its tenant, and every key begins with it.

CREATE TABLE tenants (
  tenant text PRIMARY KEY,
  settings jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now()
);

-- The lock that makes an environment's sum (AO-5, AO-6) hold under concurrent admissions.
CREATE TABLE environments (
  tenant text NOT NULL REFERENCES tenants,
  environment text NOT NULL,
  PRIMARY KEY (tenant, environment)
);

CREATE TABLE principals (
  tenant text NOT NULL REFERENCES tenants,
  id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('human', 'agent', 'service')),
  owner text,
  roles text[] NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, id)
);

CREATE TABLE tokens (
  tenant text NOT NULL,
  id text NOT NULL,
  principal text NOT NULL,
  secret_hash bytea NOT NULL UNIQUE,
  roles text[] NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, principal) REFERENCES principals
);

CREATE TABLE plans (
  tenant text NOT NULL REFERENCES tenants,
  digest text NOT NULL,
  bytes bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, digest)
);

CREATE TABLE endpoints (
  tenant text NOT NULL REFERENCES tenants,
  environment text NOT NULL,
  target text NOT NULL,
  name text NOT NULL,
  live_rollout text,
  live_plan_digest text,
  instance_count integer,
  micro_usd_per_hour bigint NOT NULL DEFAULT 0,
  generation bigint NOT NULL DEFAULT 0,
  host text,
  -- What the target should hold, so that it can be brought there again; null when nothing should.
  desired jsonb,
  breaker_reset_at timestamptz,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, environment, target, name)
);

CREATE TABLE rollouts (
  tenant text NOT NULL,
  id text NOT NULL,
  environment text NOT NULL,
  target text NOT NULL,
  name text NOT NULL,
  plan_digest text NOT NULL,
  phase text NOT NULL,
  -- Holds its endpoint: at most one does.
  active boolean NOT NULL,
  terminal boolean NOT NULL,
  dry_run boolean NOT NULL,
  simulation boolean NOT NULL,
  -- What admission reserved of the environment's sum; 0 when nothing is.
  reserved_micro_usd_per_hour bigint NOT NULL DEFAULT 0,
  sequence bigint NOT NULL,
  state jsonb NOT NULL,
  decision jsonb NOT NULL,
  wake_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz,
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, plan_digest) REFERENCES plans,
  FOREIGN KEY (tenant, environment, target, name) REFERENCES endpoints
);
CREATE UNIQUE INDEX rollouts_one_active ON rollouts (tenant, environment, target, name) WHERE active;
CREATE INDEX rollouts_newest ON rollouts (tenant, created_at DESC, id DESC);
CREATE INDEX rollouts_of_endpoint ON rollouts (tenant, environment, target, name, created_at DESC);
CREATE INDEX rollouts_open ON rollouts (tenant, phase) WHERE NOT terminal;
CREATE INDEX rollouts_wake ON rollouts (wake_at) WHERE wake_at IS NOT NULL;

CREATE TABLE rollout_events (
  tenant text NOT NULL,
  rollout text NOT NULL,
  sequence bigint NOT NULL,
  at timestamptz NOT NULL,
  type text NOT NULL,
  phase text NOT NULL,
  weight_percent real NOT NULL,
  actor text NOT NULL,
  payload jsonb NOT NULL,
  -- What brought it about; the same cause is never applied twice.
  cause text NOT NULL,
  PRIMARY KEY (tenant, rollout, sequence),
  UNIQUE (tenant, rollout, cause),
  FOREIGN KEY (tenant, rollout) REFERENCES rollouts
);

-- Commands that wait to be performed. A job that is claimed stands in its worker's name until the commit that ends it.
CREATE TABLE jobs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant text NOT NULL,
  rollout text NOT NULL,
  sequence bigint NOT NULL,
  command jsonb NOT NULL,
  -- Stamped on the effect: rises with every command of the endpoint.
  generation bigint NOT NULL,
  -- Only a worker on this host may take it; null means any.
  host text,
  run_at timestamptz NOT NULL DEFAULT now(),
  -- Counts claims: with the worker it is the token that fences a commit.
  attempts integer NOT NULL DEFAULT 0,
  -- Counts answers that were errors; a claim whose worker died is none.
  failures integer NOT NULL DEFAULT 0,
  worker uuid,
  claimed_at timestamptz,
  last_error text,
  UNIQUE (tenant, rollout, sequence),
  FOREIGN KEY (tenant, rollout) REFERENCES rollouts
);
CREATE INDEX jobs_free ON jobs (run_at, id) WHERE worker IS NULL;
CREATE INDEX jobs_of_worker ON jobs (worker) WHERE worker IS NOT NULL;
CREATE SEQUENCE effect_generation;

CREATE TABLE workers (
  id uuid PRIMARY KEY,
  host text NOT NULL,
  pid integer NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  heartbeat_at timestamptz NOT NULL DEFAULT now(),
  -- Held as a session advisory lock while the worker's connection lives.
  lock_key bigint NOT NULL
);

CREATE TABLE snapshots (
  tenant text NOT NULL,
  rollout text NOT NULL,
  sha256 text NOT NULL,
  bytes bytea NOT NULL,
  empty boolean NOT NULL,
  -- The plan that served when it was taken; null when nothing did.
  live_rollout text,
  live_plan_digest text,
  taken_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, rollout),
  FOREIGN KEY (tenant, rollout) REFERENCES rollouts
);

CREATE TABLE trusted_keys (
  tenant text NOT NULL REFERENCES tenants,
  purpose text NOT NULL,
  key_id text NOT NULL,
  spki_pem text NOT NULL,
  added_by text NOT NULL,
  added_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz,
  PRIMARY KEY (tenant, purpose, key_id)
);

CREATE TABLE evidence (
  tenant text NOT NULL REFERENCES tenants,
  id text NOT NULL,
  subject_digest text NOT NULL,
  kind text NOT NULL,
  predicate_type text NOT NULL,
  key_id text NOT NULL,
  result text NOT NULL,
  bundle bytea NOT NULL,
  added_by text NOT NULL,
  added_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, id, subject_digest)
);
CREATE INDEX evidence_of_subject ON evidence (tenant, subject_digest, added_at DESC);

-- An entry is written in the transaction of what it tells; the sequencer then gives it its place in the tree.
CREATE TABLE audit_entries (
  tenant text NOT NULL REFERENCES tenants,
  id bigint GENERATED ALWAYS AS IDENTITY,
  position bigint,
  subject text NOT NULL,
  entry bytea NOT NULL,
  leaf_hash bytea NOT NULL,
  PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX audit_position ON audit_entries (tenant, position) WHERE position IS NOT NULL;
CREATE INDEX audit_waiting ON audit_entries (tenant, id) WHERE position IS NULL;
CREATE INDEX audit_subject ON audit_entries (tenant, subject, position);
CREATE TABLE audit_trees (
  tenant text PRIMARY KEY REFERENCES tenants,
  size bigint NOT NULL DEFAULT 0,
  -- Roots of the perfect subtrees, largest first.
  frontier bytea[] NOT NULL DEFAULT '{}',
  root bytea NOT NULL
);

CREATE TABLE idempotency_keys (
  tenant text NOT NULL,
  principal text NOT NULL,
  key text NOT NULL,
  request_digest text NOT NULL,
  -- Null while the first request is still under way.
  status integer,
  response jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, principal, key)
);

-- What the simulated target pretends to hold.
CREATE TABLE simulated_state (
  key text PRIMARY KEY,
  state jsonb NOT NULL,
  version bigint NOT NULL
);
`;
