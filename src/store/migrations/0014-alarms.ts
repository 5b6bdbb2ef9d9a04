export const sql = `
-- One row for each alarm of each version (variant: the id of its rollout) of an endpoint.
CREATE TABLE alarm_states (
  tenant text NOT NULL,
  variant text NOT NULL,
  alarm text NOT NULL,
  environment text NOT NULL,
  target text NOT NULL,
  name text NOT NULL,
  state text NOT NULL,
  since timestamptz NOT NULL,
  evaluated_at timestamptz NOT NULL,
  reason text NOT NULL,
  figures jsonb NOT NULL,
  transitions integer NOT NULL,
  -- What followed from the present ALARM, and in a sentence why.
  effect text,
  effect_message text,
  acknowledged_by text,
  acknowledged_at timestamptz,
  acknowledge_comment text,
  PRIMARY KEY (tenant, variant, alarm),
  FOREIGN KEY (tenant, variant) REFERENCES rollouts
);
CREATE INDEX alarm_states_of_endpoint ON alarm_states (tenant, environment, target, name, variant, alarm);

CREATE TABLE alarm_transitions (
  tenant text NOT NULL,
  variant text NOT NULL,
  alarm text NOT NULL,
  -- Counted from 1 for each alarm of each version.
  sequence integer NOT NULL,
  at timestamptz NOT NULL,
  from_state text NOT NULL,
  to_state text NOT NULL,
  reason text NOT NULL,
  figures jsonb NOT NULL,
  suppressed boolean NOT NULL,
  PRIMARY KEY (tenant, variant, alarm, sequence),
  FOREIGN KEY (tenant, variant, alarm) REFERENCES alarm_states
);

-- Of an alarm of an endpoint, whichever version has it. One that ended, by time or by a person, stays.
CREATE TABLE alarm_suppressions (
  tenant text NOT NULL,
  id text NOT NULL,
  environment text NOT NULL,
  target text NOT NULL,
  name text NOT NULL,
  alarm text NOT NULL,
  reason text NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  until timestamptz NOT NULL,
  ended_by text,
  ended_at timestamptz,
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, environment, target, name) REFERENCES endpoints ON DELETE CASCADE
);
CREATE UNIQUE INDEX alarm_suppressions_open ON alarm_suppressions (tenant, environment, target, name, alarm)
  WHERE ended_at IS NULL;

-- The one way back from a version in its watch period: wanted in the transaction of its alarm, done by a worker.
CREATE TABLE watch_restores (
  tenant text NOT NULL,
  -- The version that is left.
  rollout text NOT NULL,
  alarm text NOT NULL,
  at timestamptz NOT NULL,
  -- Null while it is to be done.
  outcome text,
  -- The rollout that brings back what ran before.
  restore text,
  message text,
  attempts integer NOT NULL DEFAULT 0,
  not_before timestamptz NOT NULL,
  PRIMARY KEY (tenant, rollout),
  FOREIGN KEY (tenant, rollout) REFERENCES rollouts
);
CREATE INDEX watch_restores_due ON watch_restores (not_before) WHERE outcome IS NULL;
`;
