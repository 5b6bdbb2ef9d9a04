import { ContinuumError } from "../../core/error.ts";
import type { Queryable } from "../database.ts";

interface Versioned {
  /** Which row version the state was read from; travels with the copies that are made of it. */
  storeVersion?: number;
}

/** A key is the JSON of a list that begins with its tenant; the policy on the table reads it so as well. */
export function tenantOfKey(key: string): string {
  const [tenant] = JSON.parse(key) as [string];
  return tenant;
}

/**
 * Keeps the simulated target's endpoints in PostgreSQL, so that every process sees the same ones. Between the load and
 * the save of one process another may have saved: the later one is refused as `unreachable`, which its caller tries
 * again, so that no update is lost.
 */
export class SimulatedStateTable<State extends object> {
  readonly #databaseOf: (key: string) => Queryable;
  /** One step may save twice from what it loaded once; its own first save is no conflict. */
  readonly #own = new Map<string, { from: number; to: number }>();

  /** `databaseOf` answers where the state under a key lies, for a process that may see one tenant's at a time. */
  constructor(databaseOf: Queryable | ((key: string) => Queryable)) {
    this.#databaseOf = typeof databaseOf === "function" ? databaseOf : () => databaseOf;
  }

  async load(key: string): Promise<State | undefined> {
    const { rows } = await this.#databaseOf(key).query<{ state: State; version: number }>(
      "SELECT state, version FROM simulated_state WHERE key = $1",
      [key],
    );
    const row = rows[0];
    return row === undefined ? undefined : { ...row.state, storeVersion: row.version };
  }

  async save(key: string, state: State): Promise<void> {
    const { storeVersion = 0, ...plain } = state as State & Versioned;
    const own = this.#own.get(key);
    const version = own?.from === storeVersion ? own.to : storeVersion;
    const { rowCount } = await this.#databaseOf(key).query(
      `INSERT INTO simulated_state AS kept (key, state, version) SELECT $1, $2, 1 WHERE $3 = 0
         OR EXISTS (SELECT 1 FROM simulated_state WHERE key = $1)
       ON CONFLICT (key) DO UPDATE SET state = excluded.state, version = kept.version + 1 WHERE kept.version = $3`,
      [key, JSON.stringify(plain), version],
    );
    if (rowCount === 0) {
      throw new ContinuumError("unreachable", "simulated: another process changed the endpoint meanwhile", {
        retryable: true,
      });
    }
    this.#own.set(key, { from: storeVersion, to: version + 1 });
  }
}
