export const sql = `
-- Answers that wait for their truth, by the pseudonym of their inference; the truth once told, or the time to tell it
-- over, they become part of a cell and go. Judged by the plan of one rollout: its own version and the one beside it.
CREATE TABLE inference_predictions (
  tenant text NOT NULL,
  environment text NOT NULL,
  target text NOT NULL,
  name text NOT NULL,
  rollout text NOT NULL,
  inference text NOT NULL,
  row_number integer NOT NULL,
  variant text NOT NULL,
  probability double precision NOT NULL,
  at timestamptz NOT NULL,
  predicted text,
  value double precision,
  score double precision,
  facet text,
  comparison_group text,
  PRIMARY KEY (tenant, environment, target, name, rollout, inference, row_number),
  FOREIGN KEY (tenant, environment, target, name) REFERENCES endpoints
);
CREATE INDEX inference_predictions_due ON inference_predictions (tenant, environment, target, name, rollout, at);
CREATE INDEX inference_predictions_old ON inference_predictions (at);

-- What turned out to be true; it may come before the answer was read. Once it was counted it does not change any more.
CREATE TABLE ground_truths (
  tenant text NOT NULL,
  environment text NOT NULL,
  target text NOT NULL,
  name text NOT NULL,
  inference text NOT NULL,
  row_number integer NOT NULL,
  label text NOT NULL,
  facet text,
  comparison_group text,
  known_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL,
  counted_at timestamptz,
  PRIMARY KEY (tenant, environment, target, name, inference, row_number),
  FOREIGN KEY (tenant, environment, target, name) REFERENCES endpoints
);
CREATE INDEX ground_truths_waiting ON ground_truths (tenant, environment, target, name) WHERE counted_at IS NULL;
CREATE INDEX ground_truths_old ON ground_truths (received_at);

-- An hour's answers of one side, as counts that can be added up.
CREATE TABLE quality_cells (
  tenant text NOT NULL,
  environment text NOT NULL,
  target text NOT NULL,
  name text NOT NULL,
  rollout text NOT NULL,
  arm text NOT NULL,
  hour timestamptz NOT NULL,
  labelled bigint NOT NULL,
  cell bytea NOT NULL,
  PRIMARY KEY (tenant, environment, target, name, rollout, arm, hour),
  FOREIGN KEY (tenant, environment, target, name) REFERENCES endpoints
);
CREATE INDEX quality_cells_old ON quality_cells (hour);

-- What goes on from look to look: the bet between the versions, how much is kept of what comes, the newest findings.
CREATE TABLE quality_states (
  tenant text NOT NULL,
  environment text NOT NULL,
  target text NOT NULL,
  name text NOT NULL,
  rollout text NOT NULL,
  state jsonb NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, environment, target, name, rollout),
  FOREIGN KEY (tenant, environment, target, name) REFERENCES endpoints
);
CREATE INDEX quality_states_old ON quality_states (updated_at);
`;
