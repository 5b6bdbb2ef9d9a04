import type { Logger } from "../engine/engine.ts";
import type { EmbeddedServer } from "../store/embedded/embedded.ts";
import { isAlive, markOf } from "../store/embedded/living-process.ts";

export interface DatabaseKeeper {
  /** As it runs now; the address stays the same over its falls. */
  readonly server: EmbeddedServer;
  /** Resolves with `postgresql` when it could not be kept running where the roles know it. */
  readonly lost: Promise<string>;
  stop(): Promise<void>;
}

const LOOK_MS = 200;
const BACK_OFF_MS = [0, 250, 500, 1000, 2000, 5000];
/** So often a full disk lets a fall count at most. */
const FALLS_WHILE_FULL = 4;
/** A server that ran this long has started well: its next fall counts from the beginning again. */
const SETTLED_MS = 30_000;

/**
 * Starts the embedded database and starts it again when it falls, as the supervisor does with the roles. The server is
 * looked for rather than awaited, since one that was found running is no child of ours. While its disk is full it is not
 * given up: it cannot start, what serves models needs no database, and somebody is about to free space. Errors: those of
 * `start`.
 */
export async function keepDatabase(options: KeeperOptions): Promise<DatabaseKeeper> {
  const keeper = new Keeper(options, await options.start());
  return keeper;
}

export interface KeeperOptions {
  start(): Promise<EmbeddedServer>;
  /** Whether the disk of the database has no room for it to work. */
  isDiskFull(): Promise<boolean>;
  log: Logger;
  /** Before each try to start it again. */
  pausesMs?: readonly number[];
}

class Keeper implements DatabaseKeeper {
  readonly #start: () => Promise<EmbeddedServer>;
  readonly #isDiskFull: () => Promise<boolean>;
  readonly #log: Logger;
  readonly #pausesMs: readonly number[];
  readonly #lost = Promise.withResolvers<string>();
  readonly #watch: NodeJS.Timeout;
  #server: EmbeddedServer;
  #mark: ReturnType<typeof markOf>;
  #startedAtMs = Date.now();
  #falls = 0;
  #restarting: Promise<void> | undefined;
  #stopping = false;

  constructor({ start, isDiskFull, log, pausesMs = BACK_OFF_MS }: KeeperOptions, server: EmbeddedServer) {
    this.#start = start;
    this.#isDiskFull = isDiskFull;
    this.#pausesMs = pausesMs;
    this.#log = log;
    this.#server = server;
    this.#mark = markOf(server.pid);
    this.#watch = setInterval(() => this.#look(), LOOK_MS);
  }

  get server(): EmbeddedServer {
    return this.#server;
  }

  get lost(): Promise<string> {
    return this.#lost.promise;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#watch);
    await this.#restarting;
    await this.#server.stop();
  }

  #look(): void {
    if (this.#restarting !== undefined || isAlive(this.#mark)) return;
    if (Date.now() - this.#startedAtMs > SETTLED_MS) this.#falls = 0;
    this.#log.warn("database-fell", { pid: this.#server.pid, count: this.#falls });
    this.#restarting = this.#restart().finally(() => {
      this.#restarting = undefined;
    });
  }

  async #restart(): Promise<void> {
    while (!this.#stopping) {
      // Where that cannot be told, a fall counts as any other.
      if (await this.#isDiskFull().catch(() => false)) this.#falls = Math.min(this.#falls, FALLS_WHILE_FULL);
      const pauseMs = this.#pausesMs[this.#falls];
      if (pauseMs === undefined) return this.#giveUp();
      this.#falls += 1;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      try {
        const server = await this.#start();
        if (server.url !== this.#server.url) return this.#giveUp();
        this.#server = server;
        this.#mark = markOf(server.pid);
        this.#startedAtMs = Date.now();
        return;
      } catch (error) {
        this.#log.warn("database-not-started", { reason: error instanceof Error ? error.message : String(error) });
      }
    }
  }

  #giveUp(): void {
    clearInterval(this.#watch);
    this.#lost.resolve("postgresql");
  }
}
