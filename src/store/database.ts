import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { isConnectionFailure, isRepeatable, isStalePlan, toStoreError } from "./database-error.ts";
import { Listener } from "./listener.ts";
import { type Notice, Notifier } from "./notifier.ts";
import { StoreError, type StoreLog } from "./store-error.ts";

export interface Result<Row> {
  rows: Row[];
  rowCount: number;
}

/**
 * Runs SQL. Values are `$1`, `$2`, ...; a value for a json column is passed as `JSON.stringify(value)`, because the
 * driver would turn a JavaScript array into a PostgreSQL array. `bigint` columns come back as numbers, `timestamptz` as
 * `Date`, `bytea` as `Buffer`. Errors: `database-unavailable` (retryable); PostgreSQL's own otherwise, with its `code`.
 */
export interface Queryable {
  query<Row extends object = Record<string, unknown>>(sql: string, values?: readonly unknown[]): Promise<Result<Row>>;
}

/** A statement and its values, for `together`. */
export interface Statement {
  sql: string;
  values: readonly unknown[];
}

/**
 * What `transaction` hands out: everything on it happens, or nothing does. Statements that are asked for without waiting
 * for one another reach the server together and run there in that order.
 */
export interface Transaction extends Queryable {
  readonly isTransaction: true;
  /** Tells whoever listens on the channel, soon after the commit and never without it. */
  notify(channel: string, payload: string, how?: Pick<Notice, "patient">): void;
}

/** A connection that stays with its holder: a session advisory lock lives as long as it does. */
export interface Session extends Queryable {
  /** Called once when the connection is lost; not when it is closed. */
  onLost(handle: (error: Error) => void): void;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** Connections at most, without those of `listen` and `session`. Default 4. */
  max?: number;
  applicationName?: string;
  log?: StoreLog;
}

/**
 * A process that is frozen in the middle of a transaction must not hold its rows from everybody else: the server ends
 * the transaction after this, and whoever wakes finds its connection gone. And each statement has to see what was
 * committed before it, for what is decided under a lock is read after it: a server may be set up otherwise.
 */
const SETTINGS = `SET idle_in_transaction_session_timeout = '5s'; SET default_transaction_isolation = 'read committed'`;

/** How often a transaction that lost to another (serialization failure, deadlock) is run again. */
const REPEATS_MAX = 8;

/** What every view of one database shares. */
interface Connections {
  pool: pg.Pool;
  config: pg.ClientConfig;
  listener: Listener;
  notifier: Notifier;
}

export class Database implements Queryable {
  readonly #pool: pg.Pool;
  readonly #config: pg.ClientConfig;
  readonly #listener: Listener;
  readonly #notifier: Notifier;
  /** What every transaction of a tenant's view begins with; undefined for the whole database. */
  readonly #begin: string | undefined;

  constructor(from: string | { on: Connections; tenant: string }, options: DatabaseOptions = {}) {
    if (typeof from !== "string") {
      ({ pool: this.#pool, config: this.#config, listener: this.#listener, notifier: this.#notifier } = from.on);
      this.#begin = beginFor(from.tenant);
      return;
    }
    const { log } = options;
    this.#config = {
      connectionString: from,
      application_name: options.applicationName ?? "continuum",
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
      types: { getTypeParser },
    };
    this.#pool = new pg.Pool({
      ...{ ...this.#config, pipeline: true, max: options.max ?? 4, idleTimeoutMillis: 10_000 },
      onConnect: (client) => client.query(SETTINGS),
    });
    // A connection that breaks while idle is replaced at the next query; without a listener it would end the process.
    this.#pool.on("error", (error) => log?.warn("database-connection-lost", { reason: error.message }));
    this.#pool.on("connect", (client) => client.on("error", () => undefined));
    this.#listener = new Listener(() => new pg.Client({ ...this.#config }), log);
    this.#notifier = new Notifier(this, log);
  }

  /**
   * The same connections, on which everything happens in the name of one tenant: each statement and each transaction
   * first says which, to the database's own policies, in the same exchange. It is said for that transaction alone, so
   * that whoever gets the connection next finds nothing of it. The tenant must come from a credential.
   */
  forTenant(tenant: string): Database {
    const on = { pool: this.#pool, config: this.#config, listener: this.#listener, notifier: this.#notifier };
    return new Database({ on, tenant });
  }

  async query<Row extends object = Record<string, unknown>>(
    sql: string,
    values: readonly unknown[] = [],
  ): Promise<Result<Row>> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#queryOnce<Row>(sql, values);
      } catch (error) {
        if (!isStalePlan(error) || attempt >= REPEATS_MAX) throw toStoreError(error);
      }
    }
  }

  async #queryOnce<Row extends object>(sql: string, values: readonly unknown[]): Promise<Result<Row>> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    try {
      if (this.#begin === undefined) return resultOf<Row>(await client.query(prepared(sql, values)));
      const [result] = await sendTogether<Row>(client, [{ sql, values }], this.#begin);
      if (result === undefined) throw new Error("broken invariant: a statement has an answer");
      return result;
    } catch (error) {
      if (isConnectionFailure(error) || isStalePlan(error)) broken = asError(error);
      throw error;
    } finally {
      client.release(broken);
    }
  }

  /**
   * Runs `work` in one transaction. A serialization failure or a deadlock runs it again from the start, so `work`
   * must have no effects but those on the transaction. When the connection breaks at the commit, whether it happened
   * is unknown: the caller sees `database-unavailable` and must be able to ask again (a unique cause, an idempotency key).
   *
   * The server ends a transaction that rests for five seconds, because of its locks. `mayRest` is for one that is there
   * for an advisory lock alone, which holds up nobody but those who would do the same work.
   */
  async transaction<T>(work: (tx: Transaction) => Promise<T>, how: { mayRest?: true } = {}): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#transactionOnce(work, how);
      } catch (error) {
        if (!(isRepeatable(error) || isStalePlan(error)) || attempt >= REPEATS_MAX) throw toStoreError(error);
        // Losers that start again at the same moment would meet again.
        await sleep(Math.random() * 5 * attempt);
      }
    }
  }

  async #transactionOnce<T>(work: (tx: Transaction) => Promise<T>, { mayRest }: { mayRest?: true }): Promise<T> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    let over = false;
    const notices: Notice[] = [];
    const tx: Transaction = {
      isTransaction: true,
      notify: (channel, payload, how = {}) => void notices.push({ channel, payload, ...how }),
      query: async <Row extends object>(sql: string, values: readonly unknown[] = []) => {
        // By now the connection may be another's: this would happen in the middle of what that one does.
        if (over) throw new Error("broken invariant: a statement came after the end of its transaction");
        return resultOf<Row>(await client.query(prepared(sql, values)));
      },
    };
    try {
      const begin = this.#begin ?? "BEGIN";
      await client.query(mayRest ? `${begin}; SET LOCAL idle_in_transaction_session_timeout = 0` : begin);
      const value = await work(tx);
      over = true;
      const end = await client.query("COMMIT");
      // A statement that failed and whose error `work` swallowed turns COMMIT into a rollback without an error.
      if (end.command !== "COMMIT") throw new Error("a statement of the transaction failed, so nothing was committed");
      this.#notifier.tell(notices);
      return value;
    } catch (error) {
      over = true;
      if (isConnectionFailure(error) || isStalePlan(error)) broken = asError(error);
      else
        broken = await client.query("ROLLBACK").then(
          () => undefined,
          (failure: Error) => failure,
        );
      throw error;
    } finally {
      client.release(broken);
    }
  }

  /**
   * Runs statements of which none needs another's answer in one transaction and one exchange: all of them happen, or
   * none does. When the connection breaks, whether they happened is unknown, as with `transaction`; what lost to another
   * transaction is not run again, for whoever asked decides anew.
   */
  async together<Row extends object>(statements: readonly Statement[]): Promise<Result<Row>[]> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw toStoreError(error);
    });
    let broken: Error | undefined;
    try {
      return await sendTogether<Row>(client, statements, this.#begin);
    } catch (error) {
      if (isConnectionFailure(error) || isStalePlan(error)) broken = asError(error);
      throw toStoreError(error);
    } finally {
      client.release(broken);
    }
  }

  /** Tells whoever listens on these channels, soon. What is told by a transaction goes by its `notify`. */
  tell(notices: readonly Notice[]): void {
    this.#notifier.tell(notices);
  }

  /**
   * Calls `handle` with the payload of every notification on `channel`, and with `""` once the connection was lost and
   * is back: what was told in between is lost, so look for yourself. Answers how to stop.
   */
  listen(channel: string, handle: (payload: string) => void): Promise<() => Promise<void>> {
    return this.#listener.listen(channel, handle);
  }

  /** A connection of one's own, outside the pool. It is no tenant's. */
  async session(): Promise<Session> {
    this.#requireWhole();
    const client = new pg.Client({ ...this.#config });
    let closing = false;
    let lost: Error | undefined;
    const handlers: ((error: Error) => void)[] = [];
    const lose = (error: Error) => {
      if (closing || lost !== undefined) return;
      lost = error;
      for (const handle of handlers) handle(error);
    };
    client.on("error", lose);
    client.on("end", () => lose(new StoreError("database-unavailable", "the connection ended", { retryable: true })));
    try {
      await client.connect();
    } catch (error) {
      throw toStoreError(error);
    }
    return {
      query: async <Row extends object>(sql: string, values: readonly unknown[] = []) => {
        try {
          return resultOf<Row>(await client.query(prepared(sql, values)));
        } catch (error) {
          throw toStoreError(error);
        }
      },
      onLost: (handle) => (lost === undefined ? void handlers.push(handle) : handle(lost)),
      close: async () => {
        closing = true;
        await client.end().catch(() => undefined);
      },
    };
  }

  /** A client of the driver for what needs the wire itself, such as COPY. Not connected; the caller ends it. */
  newClient(): pg.Client {
    this.#requireWhole();
    return new pg.Client({ ...this.#config });
  }

  /** What would run outside of a transaction of ours would run without its tenant. */
  #requireWhole(): void {
    if (this.#begin !== undefined) throw new Error("broken invariant: a tenant's view has no connection of its own");
  }

  /** Of all views at once. */
  async close(): Promise<void> {
    await this.#notifier.told();
    await this.#listener.close();
    await this.#pool.end();
  }
}

/** Written into a statement, so nothing else is let in. Whoever makes a tenant is held to the same and to less. */
const TENANT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** One message for both: a message of its own for the tenant would be half a statement's work more. */
function beginFor(tenant: string): string {
  if (!TENANT.test(tenant)) throw new Error("broken invariant: that is no tenant's name");
  return `BEGIN; SET LOCAL continuum.tenant = '${tenant}'`;
}

/** One statement is a transaction of its own and needs no words around it, unless something is to be said first. */
async function sendTogether<Row extends object>(
  client: pg.PoolClient,
  statements: readonly Statement[],
  begin: string | undefined,
): Promise<Result<Row>[]> {
  const wrapped = begin !== undefined || statements.length > 1;
  const { stream } = client.connection;
  const asked: Promise<pg.QueryResult>[] = [];
  // Held back until the last is there: each write of its own would wake the server for one statement.
  stream.cork();
  try {
    if (wrapped) asked.push(client.query(begin ?? "BEGIN"));
    for (const { sql, values } of statements) asked.push(client.query(prepared(sql, values)));
    if (wrapped) asked.push(client.query("COMMIT"));
  } finally {
    stream.uncork();
  }
  const answers = await Promise.allSettled(asked);
  const failed = answers.find((answer) => answer.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  const results = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  return (wrapped ? results.slice(1, -1) : results).map((result) => resultOf<Row>(result));
}

/**
 * A database that answered. While PostgreSQL is not there yet (it starts beside us, or fails over) it is tried again
 * until `patienceMs` have passed. Errors: `database-unavailable`.
 */
export async function openDatabase(
  url: string,
  options: DatabaseOptions & { patienceMs?: number } = {},
): Promise<Database> {
  const database = new Database(url, options);
  const endMs = Date.now() + (options.patienceMs ?? 30_000);
  for (let attempt = 1; ; attempt += 1) {
    try {
      await database.query("SELECT 1");
      return database;
    } catch (error) {
      const retryable = error instanceof StoreError && error.retryable;
      if (!retryable || Date.now() >= endMs) {
        await database.close();
        throw error;
      }
      if (attempt === 1) options.log?.warn("database-not-there-yet", { reason: error.message });
      await sleep(Math.min(1000, 50 * 2 ** attempt));
    }
  }
}

function resultOf<Row>(result: pg.QueryResult): Result<Row> {
  return { rows: result.rows as Row[], rowCount: result.rowCount ?? 0 };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

const names = new Map<string, string>();

/**
 * Statements with values are prepared once a connection: parsing and planning them anew was half of what PostgreSQL
 * had to do for a step of a rollout. The texts are constants of the program, so there are few.
 */
function prepared(text: string, values: readonly unknown[]): pg.QueryConfig {
  if (values.length === 0) return { text };
  const name = names.get(text) ?? `s${names.size}`;
  names.set(text, name);
  return { name, text, values: [...values] };
}

const INT8 = 20;

/** Numbers for `bigint`: the driver's default is text, because a number above 2^53 would lose digits. Ours never are. */
function getTypeParser(oid: number, format?: "text" | "binary"): (text: string) => unknown {
  if (oid === INT8 && format !== "binary") return parseBigint;
  return pg.types.getTypeParser(oid, format as "text");
}

function parseBigint(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new Error("broken invariant: a bigint column holds more than 2^53");
  return value;
}
