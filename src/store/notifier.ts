import type { StoreLog } from "./store-error.ts";

/** The part of a database that telling needs. */
interface Voice {
  query(sql: string, values: readonly unknown[]): Promise<unknown>;
}

export interface Notice {
  channel: string;
  payload: string;
  /** Nobody acts on it: it may wait a moment for others to go with it. */
  patient?: true;
}

/** Too short for a reader to see; long enough for the steps of a quick rollout to be told together. */
const PATIENCE_MS = 10;

/**
 * Tells what was committed, all that came together in one statement. A NOTIFY inside the transaction itself would make
 * every commit of the database wait for every other one's disk write: PostgreSQL holds one lock from the notification
 * to the end of the commit. What is lost when a process dies in between is found by those who look all the same.
 */
export class Notifier {
  readonly #db: Voice;
  readonly #log: StoreLog | undefined;
  #waiting: Notice[] = [];
  #telling: Promise<void> | undefined;
  #later: NodeJS.Timeout | undefined;

  constructor(db: Voice, log: StoreLog | undefined) {
    this.#db = db;
    this.#log = log;
  }

  /** Never throws and never waits. */
  tell(notices: readonly Notice[]): void {
    if (notices.length === 0) return;
    this.#waiting.push(...notices);
    if (notices.every(({ patient }) => patient)) this.#later ??= setTimeout(() => this.#tellNow(), PATIENCE_MS);
    else this.#tellNow();
  }

  /** Resolves when everything is told. */
  async told(): Promise<void> {
    if (this.#waiting.length > 0) this.#tellNow();
    await this.#telling;
  }

  #tellNow(): void {
    clearTimeout(this.#later);
    this.#later = undefined;
    if (this.#telling === undefined && this.#waiting.length > 0) this.#telling = this.#tellAll();
  }

  async #tellAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const notices = this.#waiting;
      this.#waiting = [];
      try {
        await this.#db.query(
          "SELECT count(pg_notify(channel, payload)) FROM unnest($1::text[], $2::text[]) AS notice (channel, payload)",
          [notices.map(({ channel }) => channel), notices.map(({ payload }) => payload)],
        );
      } catch (error) {
        // Those who listen are told to look for themselves once their own connection is back.
        this.#log?.warn("notices-lost", { reason: String(error) });
      }
    }
    // In the same turn as the last look: what is to be told from now on begins anew.
    this.#telling = undefined;
  }
}
