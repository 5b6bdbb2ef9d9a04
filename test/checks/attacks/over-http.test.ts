import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { planOf } from "../../../src/service/testing/service-fixture.ts";
import { type HttpFixture, httpFixture } from "../../../src/surfaces/http/testing/http-fixture.ts";

// What can be tried from outside, against a real port.

let on: HttpFixture;
beforeAll(async () => {
  on = await httpFixture({ trustedProxies: "127.0.0.1" });
});
afterAll(() => on.close());

const ORIGIN = "https://continuum.example";
const begin = (address: string) =>
  on.ask("/v1/sign-in/passkey/options", {
    ...{ method: "POST", token: null },
    headers: { origin: ORIGIN, "x-forwarded-for": address },
  });

describe("whoever has a whole network", () => {
  test("asks for no more challenges than one address, for each leaves a row behind", async () => {
    const statuses: number[] = [];
    for (let host = 1; host <= 80; host += 1) {
      statuses.push((await begin(`2001:db8:7:7:${host.toString(16)}:${host.toString(16)}::1`)).status);
    }
    expect(statuses.filter((status) => status === 200).length).toBeLessThan(75);
    expect(statuses.at(-1)).toBe(429);
    expect((await begin("2001:db8:7:8::1")).status).toBe(200);
  });
});

describe("a method or a tenant that is named beside the request", () => {
  test("changes nothing: neither header nor query speaks for the credential", async () => {
    const viewer = await on.principal("looks", "human", ["viewer"]);
    const plan = planOf({ artifact: `store:sha256:${"7".repeat(64)}`, target: "simulated", name: "beside" });
    const { body } = await on.ask("/v1/rollouts", { method: "POST", body: { plan } });
    const path = `/v1/rollouts/${String(body["id"])}`;
    const headers = {
      ...{ "x-http-method-override": "DELETE", "x-continuum-tenant": "rival", "x-forwarded-user": "admin" },
      ...{ "x-original-url": "/v1/tokens", "x-tenant": "rival" },
    };
    const answer = await on.ask(path, { token: viewer.token, headers });
    expect([answer.status, answer.body["id"]]).toEqual([200, body["id"]]);
    expect((await on.ask(`${path}?tenant=rival`, { token: viewer.token })).status).toBe(400);
  });
});

describe("a cookie and a token at once", () => {
  test("are not mixed: a token that does not count is not helped by a cookie, nor is a form", async () => {
    const cookie = `__Host-continuum-session=cts_${randomBytes(32).toString("base64url")}`;
    for (const headers of [{ cookie }, { cookie: `${cookie}; ${cookie}` }]) {
      const answer = await on.ask("/v1/rollouts", { token: null, headers });
      expect([answer.status, answer.body["code"]]).toEqual([401, "unauthenticated"]);
    }
    const forged = await on.ask("/v1/rollouts", {
      ...{ method: "POST", token: null, body: "plan=1" },
      headers: { cookie, "content-type": "application/x-www-form-urlencoded", origin: "https://evil.example" },
    });
    expect([forged.status, forged.body["code"]]).toEqual([403, "forbidden"]);
  });
});

describe("a name that would be another line of the log", () => {
  test("is escaped where it is told, and stands in no line", async () => {
    const name = 'x\r\n{"level":"error","event":"forged"}\u001b[2J';
    await on.ask(`/v1/rollouts?name=${encodeURIComponent(name)}`);
    await on.ask(`/v1/rollouts/${encodeURIComponent(name)}`);
    await on.ask("/v1/plans:check", { method: "POST", body: { [name]: 1 } });
    expect(JSON.stringify(on.logged)).not.toContain("forged");
  });
});
