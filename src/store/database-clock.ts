import type { Queryable } from "./database.ts";

export interface DatabaseClock {
  /** Milliseconds since 1970 by the database's clock; rises by this host's monotonic one in between. */
  nowMs(): number;
  /** This host's clock less the database's, as it was last seen. */
  readonly aheadMs: number;
  stop(): void;
}

const LOOK_EVERY_MS = 60_000;
/** The two clocks of this host part by this much when it was suspended or set: the database is asked at once. */
const STEP_MS = 1000;

export interface DatabaseClockOptions {
  /** Called when a look failed; the time goes on by the one before. */
  onFailure?(error: unknown): void;
  hostNowMs?: () => number;
  monotonicMs?: () => number;
}

/**
 * One clock for every host that works on a database: deadlines, approvals and tokens are compared across hosts, and a
 * host whose own clock is wrong must neither end them early nor keep them alive.
 */
export async function openDatabaseClock(db: Queryable, options: DatabaseClockOptions = {}): Promise<DatabaseClock> {
  const { hostNowMs = Date.now, monotonicMs = () => performance.now(), onFailure = () => undefined } = options;
  const look = async () => {
    const before = monotonicMs();
    const { rows } = await db.query<{ ms: string }>("SELECT extract(epoch FROM clock_timestamp()) * 1000 AS ms");
    const monotonic = monotonicMs();
    // The way there and back is halved.
    return { databaseMs: Number(rows[0]?.ms) + (monotonic - before) / 2, monotonic, hostMs: hostNowMs() };
  };
  let seen = await look();
  let looking = false;
  const lookAgain = () => {
    if (looking) return;
    looking = true;
    look()
      .then((newer) => {
        seen = newer;
      }, onFailure)
      .finally(() => {
        looking = false;
      });
  };
  const timer = setInterval(lookAgain, LOOK_EVERY_MS);
  timer.unref();
  return {
    nowMs: () => {
      const passedMs = monotonicMs() - seen.monotonic;
      if (Math.abs(hostNowMs() - seen.hostMs - passedMs) > STEP_MS) lookAgain();
      return Math.round(seen.databaseMs + passedMs);
    },
    get aheadMs() {
      return Math.round(seen.hostMs - seen.databaseMs);
    },
    stop: () => clearInterval(timer),
  };
}

const AHEAD_MS_MAX = 5000;

/** What is to be said of a host whose clock is wrong; undefined when it is right. */
export function clockProblem({ aheadMs }: Pick<DatabaseClock, "aheadMs">): string | undefined {
  if (Math.abs(aheadMs) <= AHEAD_MS_MAX) return undefined;
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  return `This host's clock is ${seconds} s ${aheadMs > 0 ? "ahead of" : "behind"} the database's, which is used: set both by NTP.`;
}
