export const sql = `
-- Which installation the logs in this database belong to: part of the name that their checkpoints carry.
CREATE TABLE installations (
  id text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{16}$'),
  only_one boolean NOT NULL DEFAULT true UNIQUE CHECK (only_one)
);

-- Roots of full blocks of 256 leaves, of 256 such roots, and so on, so that a proof need not read every leaf.
CREATE TABLE audit_nodes (
  tenant text NOT NULL REFERENCES tenants,
  level smallint NOT NULL CHECK (level > 0),
  index bigint NOT NULL,
  hash bytea NOT NULL,
  PRIMARY KEY (tenant, level, index)
);

-- What was signed stays as it was signed.
CREATE TABLE audit_checkpoints (
  tenant text NOT NULL REFERENCES tenants,
  origin text NOT NULL,
  size bigint NOT NULL,
  note bytea NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, origin, size)
);

-- Each archive's copy of each checkpoint: whether it has it, and which witnesses signed it there.
CREATE TABLE audit_publications (
  tenant text NOT NULL,
  archive text NOT NULL,
  origin text NOT NULL,
  size bigint NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'published', 'passed-over', 'refused')),
  attempts integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL,
  published_at timestamptz,
  -- A code; null when nothing failed.
  failure text,
  -- Signature lines of witnesses.
  cosignatures text[] NOT NULL DEFAULT '{}',
  PRIMARY KEY (tenant, archive, origin, size),
  FOREIGN KEY (tenant, origin, size) REFERENCES audit_checkpoints
);
CREATE INDEX audit_publications_pending ON audit_publications (next_attempt_at) WHERE state = 'pending';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is only ever appended to', TG_TABLE_NAME;
END $$;
CREATE TRIGGER audit_nodes_append_only BEFORE UPDATE OR DELETE ON audit_nodes
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_checkpoints_append_only BEFORE UPDATE OR DELETE ON audit_checkpoints
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
`;
