import { type AuditEntry, decodeEntry, encodeEntry } from "../../core/audit/entry.ts";
import { appendLeaf, EMPTY_FRONTIER, type Frontier, leafHash, rootFromFrontier } from "../../core/audit/merkle.ts";
import type { Database } from "../../store/database.ts";
import { writeAuditTree } from "../../store/queries/audit.ts";
import { keepNodes } from "../audit-tree.ts";

/**
 * What somebody does who has the password of the database's owner and knows this program: every entry is given to
 * `change`, which leaves it away by answering null, and the whole log is built anew from what is left, with its hashes,
 * its tree, its kept nodes, and none of the checkpoints.
 */
export async function rewriteLog(
  database: Database,
  tenant: string,
  change: (entry: AuditEntry, position: number) => AuditEntry | null,
): Promise<void> {
  await database.transaction(async (tx) => {
    const { rows } = await tx.query<{ entry: Buffer; position: number }>(
      "SELECT entry, position FROM audit_entries WHERE tenant = $1 ORDER BY position",
      [tenant],
    );
    await tx.query("SET LOCAL session_replication_role = replica");
    for (const table of ["audit_entries", "audit_trees", "audit_nodes", "audit_publications", "audit_checkpoints"])
      await tx.query(`DELETE FROM ${table} WHERE tenant = $1`, [tenant]);
    let frontier: Frontier = EMPTY_FRONTIER;
    const inserted: Promise<unknown>[] = [];
    for (const row of rows) {
      const entry = decodeEntry(row.entry);
      const changed = entry.ok ? change(entry.value, row.position) : null;
      if (changed === null) continue;
      const bytes = encodeEntry(changed);
      const values = [tenant, frontier.size, changed.subject.id, bytes, leafHash(bytes)];
      inserted.push(tx.query(INSERT, values));
      frontier = appendLeaf(frontier, leafHash(bytes));
    }
    await Promise.all(inserted);
    const { size, hashes } = frontier;
    await writeAuditTree(tx, { tenant, size, frontier: hashes, root: rootFromFrontier(frontier) });
    await keepNodes(tx, tenant, size);
  });
}

const INSERT = "INSERT INTO audit_entries (tenant, position, subject, entry, leaf_hash) VALUES ($1, $2, $3, $4, $5)";
