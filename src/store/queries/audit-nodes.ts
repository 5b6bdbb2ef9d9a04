import type { Queryable, Transaction } from "../database.ts";

/** Roots of full blocks of a tenant's tree; those of level 0 are the leaves, which lie with their entries. */
export interface NodeRange {
  tenant: string;
  level: number;
  from: number;
  /** The first that is not wanted. */
  until: number;
}

const HASH_BYTES = 32;

/** How many of a level are kept; they are kept in order and never taken away. */
export async function nodeCount(db: Queryable, tenant: string, level: number): Promise<number> {
  const { rows } = await db.query<{ index: number }>(
    "SELECT index FROM audit_nodes WHERE tenant = $1 AND level = $2 ORDER BY index DESC LIMIT 1",
    [tenant, level],
  );
  return rows[0] === undefined ? 0 : rows[0].index + 1;
}

/** Sent as one value: a row for each hash costs more than the hash. Ends where the first is missing from the end. */
export async function nodesBetween(db: Queryable, { tenant, level, from, until }: NodeRange): Promise<Buffer[]> {
  const { rows } =
    level === 0
      ? await db.query<{ hashes: Buffer | null }>(LEAVES, [tenant, from, until])
      : await db.query<{ hashes: Buffer | null }>(NODES, [tenant, from, until, level]);
  const hashes = rows[0]?.hashes ?? Buffer.alloc(0);
  return Array.from({ length: hashes.length / HASH_BYTES }, (_, at) =>
    hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES),
  );
}

const LEAVES = `SELECT string_agg(leaf_hash, ''::bytea ORDER BY position) AS hashes FROM audit_entries
  WHERE tenant = $1 AND position >= $2 AND position < $3`;
const NODES = `SELECT string_agg(hash, ''::bytea ORDER BY index) AS hashes FROM audit_nodes
  WHERE tenant = $1 AND level = $4 AND index >= $2 AND index < $3`;

export async function insertNodes(
  tx: Transaction,
  nodes: { tenant: string; level: number; first: number; hashes: readonly Uint8Array[] },
): Promise<void> {
  await tx.query(
    `INSERT INTO audit_nodes (tenant, level, index, hash)
     SELECT $1, $2, $3::bigint + given.ordinal - 1, given.hash FROM unnest($4::bytea[]) WITH ORDINALITY AS given (hash, ordinal)`,
    [nodes.tenant, nodes.level, nodes.first, nodes.hashes.map((hash) => Buffer.from(hash))],
  );
}
