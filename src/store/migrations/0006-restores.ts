export const sql = `
-- Each time that this database was filled from a backup: generations between the two were given out by a database that
-- is lost, and whatever carries one of them was done after the backup.
CREATE TABLE restores (
  restored_at timestamptz PRIMARY KEY,
  generation_before bigint NOT NULL,
  generation_after bigint NOT NULL
);
`;
