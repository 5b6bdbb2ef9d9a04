import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { toStoreError } from "./database-error.ts";
import type { StoreLog } from "./store-error.ts";

type Handle = (payload: string) => void;

const CHANNEL = /^[a-z_]{1,63}$/;

/** One connection for all channels a process listens on; it comes back by itself when it was lost. */
export class Listener {
  readonly #connect: () => pg.Client;
  readonly #log: StoreLog | undefined;
  readonly #handlers = new Map<string, Set<Handle>>();
  #client: Promise<pg.Client> | undefined;
  #closed = false;
  /** Those who listen and those who stop do so at the same time; the connection takes one statement at a time. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(connect: () => pg.Client, log: StoreLog | undefined) {
    this.#connect = connect;
    this.#log = log;
  }

  async listen(channel: string, handle: Handle): Promise<() => Promise<void>> {
    if (!CHANNEL.test(channel)) throw new Error(`broken invariant: ${channel} is no channel name`);
    const handlers = this.#handlers.get(channel) ?? new Set();
    handlers.add(handle);
    this.#handlers.set(channel, handlers);
    await this.#inTurn(async () => (await this.#ready()).query(`LISTEN ${channel}`));
    return async () => {
      handlers.delete(handle);
      if (handlers.size > 0 || this.#closed) return;
      this.#handlers.delete(channel);
      await this.#inTurn(async () => {
        const current = await this.#client?.catch(() => undefined);
        // Somebody may have come to listen while this waited.
        if (!this.#handlers.has(channel)) await current?.query(`UNLISTEN ${channel}`).catch(() => undefined);
      });
    };
  }

  #inTurn(work: () => Promise<unknown>): Promise<unknown> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#handlers.clear();
    const client = await this.#client?.catch(() => undefined);
    await client?.end().catch(() => undefined);
  }

  #ready(): Promise<pg.Client> {
    this.#client ??= this.#open().catch((error: unknown) => {
      this.#client = undefined;
      throw toStoreError(error);
    });
    return this.#client;
  }

  async #open(): Promise<pg.Client> {
    const client = this.#connect();
    let gone = false;
    const lost = () => {
      if (gone || this.#closed) return;
      gone = true;
      this.#client = undefined;
      client.end().catch(() => undefined);
      void this.#reopen();
    };
    client.on("notification", ({ channel, payload }) => this.#deliver(channel, payload ?? ""));
    await client.connect();
    client.on("error", lost);
    client.on("end", lost);
    for (const channel of this.#handlers.keys()) await client.query(`LISTEN ${channel}`);
    return client;
  }

  async #reopen(): Promise<void> {
    for (let attempt = 0; !this.#closed && this.#handlers.size > 0; attempt += 1) {
      try {
        await this.#ready();
        for (const channel of this.#handlers.keys()) this.#deliver(channel, "");
        return;
      } catch (error) {
        if (attempt === 0) this.#log?.warn("database-listener-lost", { reason: String(error) });
        await sleep(Math.min(1000, 50 * 2 ** attempt), undefined, { ref: false });
      }
    }
  }

  #deliver(channel: string, payload: string): void {
    for (const handle of this.#handlers.get(channel) ?? []) handle(payload);
  }
}
