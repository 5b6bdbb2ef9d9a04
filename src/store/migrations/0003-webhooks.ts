export const sql = `
-- Where a tenant wants to be told of what happens. The URL and the sealed secret never leave by a log or an error.
CREATE TABLE webhook_endpoints (
  tenant text NOT NULL REFERENCES tenants,
  id text NOT NULL,
  url text NOT NULL,
  description text NOT NULL,
  -- Types that it is told of; all when empty.
  events text[] NOT NULL,
  enabled boolean NOT NULL,
  -- Why it is off: an operator's wish, days of failures, or a receiver that is gone.
  disabled_reason text CHECK (disabled_reason IN ('operator', 'failures', 'gone')),
  disabled_at timestamptz,
  -- Entries of the audit log before this place are none of its business.
  from_position bigint NOT NULL,
  secret bytea NOT NULL,
  -- Signs as well until then, while receivers change over.
  previous_secret bytea,
  previous_until timestamptz,
  -- Since when nothing has arrived; null when the newest answer was good.
  failing_since timestamptz,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, id),
  CHECK (enabled = (disabled_reason IS NULL) AND enabled = (disabled_at IS NULL))
);

-- How far a tenant's audit log has been turned into deliveries.
CREATE TABLE webhook_cursors (
  tenant text PRIMARY KEY REFERENCES tenants,
  position bigint NOT NULL
);

-- One message to one webhook. What it says is made of the audit entry at its position, whenever it is sent.
CREATE TABLE webhook_deliveries (
  tenant text NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  webhook text NOT NULL,
  message text NOT NULL,
  type text NOT NULL,
  position bigint NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
  -- Counts claims: an attempt whose worker died counts, and only the newest one may record its end.
  attempts integer NOT NULL DEFAULT 0,
  -- Attempts before the newest replay, which has a schedule of its own.
  attempts_before integer NOT NULL DEFAULT 0,
  -- While an attempt is under way: when it is taken for lost.
  next_attempt_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  ended_at timestamptz,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, webhook, message),
  FOREIGN KEY (tenant, webhook) REFERENCES webhook_endpoints ON DELETE CASCADE
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (tenant, webhook, next_attempt_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (tenant, webhook, id DESC);
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE webhook_attempts (
  tenant text NOT NULL,
  delivery bigint NOT NULL,
  attempt integer NOT NULL,
  at timestamptz NOT NULL,
  duration_ms integer NOT NULL,
  -- Null when there was no answer.
  status integer,
  -- A code; null when the receiver took it. Nothing of an answer's body is kept.
  failure text,
  PRIMARY KEY (tenant, delivery, attempt),
  FOREIGN KEY (tenant, delivery) REFERENCES webhook_deliveries ON DELETE CASCADE
);
`;
