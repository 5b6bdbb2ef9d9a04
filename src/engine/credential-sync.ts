import { createHash } from "node:crypto";
import type { Database, Transaction } from "../store/database.ts";
import type { EngineParts } from "./engine.ts";

/** One token that may invoke, as the data plane knows it: by its SHA-256. */
export interface InvokeCredential {
  /** Lower-case hexadecimal. */
  hash: string;
  tenant: string;
  environment: null;
  endpoint: null;
  expiresAtMs: number;
}

/** A data plane that answers invocations alone and so keeps its own table of who may. */
export interface CredentialSink {
  /** The whole table: what is not in it may not invoke. A table of an older revision changes nothing. */
  pushCredentials(table: { revision: number; credentials: readonly InvokeCredential[] }): Promise<void>;
  /** The revision it holds; below every one that was pushed when it lost its state. */
  status(): Promise<{ credentialsRevision: number }>;
}

/** Roles whose permissions hold `invoke`; the contract's table of roles says so. */
const INVOKING_ROLES = ["invoker", "admin"];
const LOCK_KEY = 7_266_816_003;

/** Tells the sink who may invoke whenever that changed, or the sink forgot. Answers a function to be called now and then. */
export function createCredentialSync(
  parts: Pick<EngineParts, "database" | "nowMs">,
  sink: CredentialSink,
): () => Promise<void> {
  let pushed: { digest: string; revision: number } | undefined;
  return async () => {
    const held = (await sink.status()).credentialsRevision;
    const digest = digestOf(await invokeCredentials(parts.database, parts.nowMs()));
    if (pushed !== undefined && pushed.digest === digest && held >= pushed.revision) return;
    const table = await numberedTable(parts.database, parts.nowMs());
    await sink.pushCredentials(table);
    pushed = { digest: digestOf(table.credentials), revision: table.revision };
  };
}

/** Tables are read and numbered one at a time, so that of two the one with the higher number was read later. */
function numberedTable(database: Database, nowMs: number) {
  return database.transaction(async (tx: Transaction) => {
    await tx.query("SELECT pg_advisory_xact_lock($1)", [LOCK_KEY]);
    const credentials = await invokeCredentials(tx, nowMs);
    const { rows } = await tx.query<{ revision: number }>("SELECT nextval('effect_generation') AS revision");
    return { revision: rows[0]?.revision ?? 0, credentials };
  });
}

async function invokeCredentials(db: Pick<Database, "query">, nowMs: number): Promise<InvokeCredential[]> {
  const { rows } = await db.query<{ hash: Buffer; tenant: string; expiresAt: Date }>(
    `SELECT t.secret_hash AS hash, t.tenant, t.expires_at AS "expiresAt"
     FROM tokens t JOIN principals p ON p.tenant = t.tenant AND p.id = t.principal
     WHERE t.revoked_at IS NULL AND t.expires_at > $1 AND t.roles && $2 AND p.roles && $2
       AND ARRAY(SELECT unnest(t.roles) INTERSECT SELECT unnest(p.roles)) && $2
     ORDER BY t.tenant, t.id`,
    [new Date(nowMs), INVOKING_ROLES],
  );
  return rows.map(({ hash, tenant, expiresAt }) => ({
    ...{ hash: hash.toString("hex"), tenant, environment: null, endpoint: null, expiresAtMs: expiresAt.getTime() },
  }));
}

function digestOf(credentials: readonly InvokeCredential[]): string {
  return createHash("sha256").update(JSON.stringify(credentials)).digest("hex");
}
