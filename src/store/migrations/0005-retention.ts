export const sql = `
-- When the history of an ended rollout was removed; null while it is there.
ALTER TABLE rollouts ADD COLUMN events_removed_at timestamptz;
-- The daily look at what is old must not go through all that ever ended.
CREATE INDEX rollouts_with_events ON rollouts (ended_at) WHERE terminal AND events_removed_at IS NULL;
CREATE INDEX idempotency_keys_old ON idempotency_keys (created_at);

-- When what is past its time was last removed: from the database, and from each host's capture. Of no tenant.
CREATE TABLE retention_sweeps (
  scope text PRIMARY KEY,
  swept_at timestamptz NOT NULL
);
`;
