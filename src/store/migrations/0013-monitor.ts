export const sql = `
-- How far one host's monitor has read the capture of an endpoint. Whoever adds to the tables below raises the revision
-- in the same transaction, so that nothing of a file is counted twice.
CREATE TABLE monitor_offsets (
  tenant text NOT NULL,
  environment text NOT NULL,
  target text NOT NULL,
  name text NOT NULL,
  host text NOT NULL,
  revision bigint NOT NULL,
  -- By the file's name: up to which byte it was read, and how large it was then.
  files jsonb NOT NULL,
  counts jsonb NOT NULL,
  newest_at timestamptz,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, environment, target, name, host),
  FOREIGN KEY (tenant, environment, target, name) REFERENCES endpoints
);

-- What came in a short while, as sketches that can be added up. They are only ever added and, in a window, taken away.
CREATE TABLE monitor_cells (
  id bigint GENERATED ALWAYS AS IDENTITY,
  tenant text NOT NULL,
  environment text NOT NULL,
  target text NOT NULL,
  name text NOT NULL,
  variant text NOT NULL,
  host text NOT NULL,
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  rows bigint NOT NULL,
  sketch bytea NOT NULL,
  PRIMARY KEY (tenant, environment, target, name, variant, id),
  FOREIGN KEY (tenant, environment, target, name) REFERENCES endpoints
);

-- Cells of all hosts that were added up when there were enough of them. The sketch goes before the figures do.
CREATE TABLE monitor_windows (
  tenant text NOT NULL,
  environment text NOT NULL,
  target text NOT NULL,
  name text NOT NULL,
  variant text NOT NULL,
  number bigint NOT NULL,
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  closed_at timestamptz NOT NULL,
  rows bigint NOT NULL,
  -- Of this window and all before it.
  total_rows bigint NOT NULL,
  sketch bytea,
  PRIMARY KEY (tenant, environment, target, name, variant, number),
  FOREIGN KEY (tenant, environment, target, name) REFERENCES endpoints
);
CREATE INDEX monitor_windows_old ON monitor_windows (closed_at);

-- Tests that go on from request to request: one state a version and host.
CREATE TABLE monitor_tests (
  tenant text NOT NULL,
  environment text NOT NULL,
  target text NOT NULL,
  name text NOT NULL,
  variant text NOT NULL,
  host text NOT NULL,
  state bytea NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, environment, target, name, variant, host),
  FOREIGN KEY (tenant, environment, target, name) REFERENCES endpoints
);

-- What the newest look at a version said, for whoever asks without looking himself.
CREATE TABLE monitor_states (
  tenant text NOT NULL,
  environment text NOT NULL,
  target text NOT NULL,
  name text NOT NULL,
  variant text NOT NULL,
  evaluated_at timestamptz NOT NULL,
  state jsonb NOT NULL,
  PRIMARY KEY (tenant, environment, target, name, variant),
  FOREIGN KEY (tenant, environment, target, name) REFERENCES endpoints
);
CREATE INDEX monitor_states_old ON monitor_states (evaluated_at);

-- A baseline is read once: its columns by the artifact and by what was asked of it.
CREATE TABLE monitor_baselines (
  tenant text NOT NULL REFERENCES tenants,
  digest text NOT NULL,
  options text NOT NULL,
  profiles bytea NOT NULL,
  made_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, digest, options)
);
`;
