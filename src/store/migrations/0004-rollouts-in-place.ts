export const sql = `
-- The phase changes with every step. In an index it makes each step write seven index entries; without it PostgreSQL
-- writes the new row beside the old one and no index at all, where the page has room for it.
DROP INDEX rollouts_open;
CREATE INDEX rollouts_open ON rollouts (tenant, created_at DESC, id DESC) WHERE NOT terminal;
ALTER TABLE rollouts SET (fillfactor = 70);
`;
