import { expect, test } from "vitest";
import { RateLimiter } from "./rate-limit.ts";
import { httpFixture } from "./testing/http-fixture.ts";

function limiter(limit: { requestsPerSecond: number; burstMax: number }) {
  const clock = { ms: 0 };
  const rate = new RateLimiter(limit, () => clock.ms);
  const take = (id: string, tenant = "default") => {
    try {
      rate.take({ tenant, id });
      return "answered";
    } catch (error) {
      return (error as { details: unknown; code: unknown }).details;
    }
  };
  return { clock, take };
}

test("a burst is answered, then as many a second as are allowed", () => {
  const { clock, take } = limiter({ requestsPerSecond: 2, burstMax: 3 });
  expect([take("ada"), take("ada"), take("ada")]).toEqual(["answered", "answered", "answered"]);
  expect(take("ada")).toEqual({ retryAfterSeconds: 1 });
  clock.ms = 499;
  expect(take("ada")).toEqual({ retryAfterSeconds: 1 });
  clock.ms = 500;
  expect([take("ada"), take("ada")]).toEqual(["answered", { retryAfterSeconds: 1 }]);
  clock.ms = 60_000;
  expect([1, 2, 3, 4].map(() => take("ada"))).toEqual(["answered", "answered", "answered", { retryAfterSeconds: 1 }]);
});

test("one principal's haste is nobody else's, in the same tenant or by the same name in another", () => {
  const { take } = limiter({ requestsPerSecond: 0.1, burstMax: 1 });
  expect(take("ada")).toBe("answered");
  expect(take("ada")).toEqual({ retryAfterSeconds: 10 });
  expect([take("bob"), take("ada", "other")]).toEqual(["answered", "answered"]);
});

test("0 is no limit", () => {
  const { take } = limiter({ requestsPerSecond: 0, burstMax: 1 });
  expect(Array.from({ length: 1000 }, () => take("ada")).every((answer) => answer === "answered")).toBe(true);
});

test("however many ask, only so many are remembered", () => {
  const { take } = limiter({ requestsPerSecond: 0.001, burstMax: 1 });
  expect([take("first"), take("first")]).toEqual(["answered", { retryAfterSeconds: 1000 }]);
  for (let i = 0; i < 10_000; i += 1) take(`p${i}`);
  expect(take("first")).toBe("answered");
});

test("over the network it is a 429 that says when to ask again, for whoever asks too often alone", async () => {
  const on = await httpFixture({ rate: { requestsPerSecond: 0.01, burstMax: 3 } });
  try {
    const other = await on.principal("other", "human", ["viewer"]);
    const ask = (token: string | null) => on.perform("principal.show", { token });
    const statuses = [];
    for (let i = 0; i < 4; i += 1) statuses.push((await ask(on.adminToken)).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
    const late = await ask(on.adminToken);
    expect([late.status, late.body["code"]]).toEqual([429, "too-many-requests"]);
    expect(Number(late.headers.get("retry-after"))).toBeGreaterThan(60);
    expect([(await ask(other.token)).status, (await ask(null)).status]).toEqual([200, 401]);
  } finally {
    await on.close();
  }
});
