import { afterEach, describe, expect, it } from "vitest";
import type { Queryable } from "./database.ts";
import { clockProblem, type DatabaseClock, openDatabaseClock } from "./database-clock.ts";

const DAY_MS = 86_400_000;
let clock: DatabaseClock | undefined;
afterEach(() => clock?.stop());

/** A database and a host whose clocks the test moves. */
function clocks(at: { databaseMs: number; hostMs: number }) {
  const now = { ...at, monotonicMs: 5, looks: 0 };
  const db: Queryable = {
    query: async <Row extends object>() => {
      now.looks += 1;
      return { rows: [{ ms: String(now.databaseMs) } as unknown as Row], rowCount: 1 };
    },
  };
  const open = async () => {
    clock = await openDatabaseClock(db, { hostNowMs: () => now.hostMs, monotonicMs: () => now.monotonicMs });
    return clock;
  };
  const pass = (ms: number) => {
    now.databaseMs += ms;
    now.hostMs += ms;
    now.monotonicMs += ms;
  };
  return { now, open, pass };
}

describe("the database's clock", () => {
  it("is what a host goes by whose own is wrong, and is told of", async () => {
    const { open, pass } = clocks({ databaseMs: 1000 * DAY_MS, hostMs: 600 * DAY_MS });
    const opened = await open();
    pass(1500);
    expect(opened.nowMs()).toBe(1000 * DAY_MS + 1500);
    expect(opened.aheadMs).toBe(-400 * DAY_MS);
    expect(clockProblem(opened)).toBe(
      "This host's clock is 34560000 s behind the database's, which is used: set both by NTP.",
    );
  });

  it("does not follow a host's clock that is set, and asks again when it was", async () => {
    const { now, open, pass } = clocks({ databaseMs: 1000 * DAY_MS, hostMs: 1000 * DAY_MS });
    const opened = await open();
    expect(clockProblem(opened)).toBeUndefined();
    now.hostMs += 3_600_000;
    pass(10);
    expect(opened.nowMs()).toBe(1000 * DAY_MS + 10);
    await new Promise((resolve) => setImmediate(resolve));
    expect(now.looks).toBe(2);
    expect(clockProblem(opened)).toContain("3600 s ahead of");
  });

  it("takes the database's word after both were suspended", async () => {
    const { now, open } = clocks({ databaseMs: 1000 * DAY_MS, hostMs: 1000 * DAY_MS });
    const opened = await open();
    now.databaseMs += DAY_MS;
    now.hostMs += DAY_MS; // and the monotonic clock stood still
    opened.nowMs();
    await new Promise((resolve) => setImmediate(resolve));
    expect(opened.nowMs()).toBe(1001 * DAY_MS);
  });
});
