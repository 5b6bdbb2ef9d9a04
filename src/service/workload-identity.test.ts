import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootstrap } from "./bootstrap.ts";
import { createService } from "./create-service.ts";
import type { Principal } from "./principal.ts";
import type { Service } from "./service.ts";
import { planOf, type ServiceFixture, serviceFixture } from "./testing/service-fixture.ts";

const AUDIENCE = "continuum.example";
const WORKFLOW = "acme/churn/.github/workflows/deploy.yml@refs/heads/main";
const CLAIMS = {
  repository: "acme/churn",
  repository_id: "42",
  ref: "refs/heads/main",
  job_workflow_ref: WORKFLOW,
  environment: "staging",
};

type Key = Awaited<ReturnType<typeof generateKeyPair>>;

let on: ServiceFixture;
let service: Service;
let issuer: Server;
let url: string;
let key: Key;
let strangers: Key;
let workload: string;
let fetched = 0;

beforeAll(async () => {
  [key, strangers] = await Promise.all([generateKeyPair("RS256"), generateKeyPair("RS256")]);
  const jwk = { ...(await exportJWK(key.publicKey)), kid: "one", alg: "RS256", use: "sig" };
  issuer = createServer((_request, response) => {
    fetched += 1;
    response.setHeader("content-type", "application/json").end(JSON.stringify({ keys: [jwk] }));
  });
  await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
  on = await serviceFixture();
  const workloadIssuer = { issuer: url, jwksUrl: `${url}/jwks`, audience: AUDIENCE, tenant: "default" };
  service = createService({ ...on.parts, workloadIssuer });
  workload = (await trust({ claims: { repository: CLAIMS.repository, ref: CLAIMS.ref, job_workflow_ref: WORKFLOW } }))
    .id;
});
afterAll(async () => {
  issuer?.close();
  await on?.close();
});

async function trust(body: object): Promise<{ id: string }> {
  const input = { params: undefined, query: undefined, body: { principal: "ci-churn", ...body } };
  return service.call("workloads.create", { principal: await on.admin(), input: input as never, requestId: "r" });
}

async function token(
  claims: object = {},
  how: { key?: Key; header?: object; ageSeconds?: number } = {},
): Promise<string> {
  const nowSeconds = Math.floor(on.parts.nowMs() / 1000) - (how.ageSeconds ?? 0);
  const payload = {
    iss: url,
    aud: AUDIENCE,
    sub: "repo:acme/churn",
    iat: nowSeconds,
    exp: nowSeconds + 300,
    ...CLAIMS,
    ...claims,
  };
  const header = { alg: "RS256", kid: "one", ...how.header };
  return new SignJWT(payload).setProtectedHeader(header).sign((how.key ?? key).privateKey);
}

let hosts = 0;
/** Each from an address of its own, so that failures do not slow the next one down. */
function nextAddress(): string {
  hosts += 1;
  return `10.0.0.${hosts}`;
}
const exchange = (text: string, tenant?: string) =>
  service.workloads.exchange({ address: nextAddress() }, { token: text, tenant });
const refusal = (given: Promise<unknown>) =>
  given.then(
    () => "accepted",
    ({ code }: { code: string }) => code,
  );

async function holder(text: string): Promise<Principal> {
  const principal = await service.authenticate((await exchange(text)).secret);
  if (principal === undefined) throw new Error("the token is not known");
  return principal;
}

test("a job that is trusted gets a short token of a service, which proposes and nothing else", async () => {
  const given = await exchange(await token());
  expect(given).toMatchObject({ tenant: "default", principal: "ci-churn", roles: ["proposer"] });
  const seconds = (Date.parse(given.expiresAt) - on.parts.nowMs()) / 1000;
  expect(seconds).toBeGreaterThan(890);
  expect(seconds).toBeLessThanOrEqual(900);
  const principal = await holder(await token());
  expect(principal).toMatchObject({ kind: "service", owner: "admin", roles: ["proposer"] });
  const call = (name: Parameters<Service["call"]>[0], body: object) =>
    refusal(
      service.call(name, { principal, input: { params: { id: "r-none" }, query: {}, body } as never, requestId: "r" }),
    );
  const artifact = await on.artifact("from a pipeline");
  expect(await call("plans.check", planOf({ artifact }))).toBe("accepted");
  expect(await call("rollouts.pause", {})).toBe("forbidden");
  expect(await call("approvals.approve", {})).toBe("humans-only");
  expect(await call("tokens.create", {})).toBe("humans-only");
});

test("the issuer's keys are fetched once for many jobs", async () => {
  const before = fetched;
  for (let i = 0; i < 5; i += 1) await exchange(await token());
  expect(fetched - before).toBeLessThanOrEqual(1);
});

describe("an identity token is refused", () => {
  test.each([
    ["of another repository", { repository: "acme/other" }],
    ["of a repository whose name goes on", { repository: "acme/churn2" }],
    ["of another case", { repository: "Acme/churn" }],
    ["of another branch", { ref: "refs/heads/feature" }],
    ["of a pull request", { ref: "refs/pull/7/merge" }],
    ["of another workflow", { job_workflow_ref: "acme/churn/.github/workflows/other.yml@refs/heads/main" }],
    ["with a list where a text belongs", { repository: ["acme/churn"] }],
    ["for another service", { aud: "sts.amazonaws.com" }],
    ["for us and for another service", { aud: [AUDIENCE, "sts.amazonaws.com"] }],
    ["of another issuer", { iss: "https://token.actions.githubusercontent.com" }],
    ["of an issuer whose name goes on", { iss: "http://127.0.0.1:1/x" }],
    ["that has expired", { exp: 1 }],
    ["without an end", { exp: undefined }],
    ["without a repository", { repository: undefined }],
  ])("%s", async (_what, claims) => {
    expect(await refusal(exchange(await token(claims)))).toBe("exchange-refused");
  });

  test("by whatever else is wrong with it", async () => {
    expect(await refusal(exchange(await token({}, { key: strangers })))).toBe("exchange-refused");
    expect(await refusal(exchange(await token({}, { ageSeconds: 2000 })))).toBe("exchange-refused");
    const [header = "", payload = "", signature = ""] = (await token()).split(".");
    const none = Buffer.from(JSON.stringify({ alg: "none" })).toString("base64url");
    const hmac = await new SignJWT({ ...CLAIMS, iss: url, aud: AUDIENCE, sub: "s" })
      .setProtectedHeader({ alg: "HS256", kid: "one" })
      .setIssuedAt()
      .setExpirationTime("5m")
      .sign(Buffer.from(JSON.stringify(await exportJWK(key.publicKey))));
    for (const text of [
      `${none}.${payload}.`,
      hmac,
      `${header}.${payload}`,
      `${header}.${payload}.${signature}x`,
      "no token",
    ])
      expect(await refusal(exchange(text))).toBe("exchange-refused");
  });

  test("by a tenant that trusts nobody, in the same words as by one that is not there", async () => {
    await bootstrap({ ...on.parts, database: on.database }, { tenant: "rival" });
    const said = async (tenant: string) =>
      exchange(await token(), tenant).then(
        () => "accepted",
        ({ code, message }: Error & { code: string }) => `${code}: ${message}`,
      );
    expect(await said("rival")).toMatch(/^exchange-refused/);
    expect(await said("nobody")).toBe(await said("rival"));
    expect(await said("a'b")).toBe(await said("rival"));
  });
});

test("an address that is refused again and again has to wait", async () => {
  const tries = [];
  for (let i = 0; i < 14; i += 1)
    tries.push(await refusal(service.workloads.exchange({ address: "192.0.2.1" }, { token: "no token" })));
  expect(tries.slice(0, 10)).toEqual(Array(10).fill("exchange-refused"));
  expect(tries.at(-1)).toBe("too-many-requests");
});

test("a pipeline that is trusted no more has nothing, and what it had ends", async () => {
  const { secret } = await exchange(await token());
  expect(await service.authenticate(secret)).toBeDefined();
  const input = { params: { id: workload }, query: undefined, body: undefined } as never;
  await service.call("workloads.delete", { principal: await on.admin(), input, requestId: "r" });
  expect(await service.authenticate(secret)).toBeUndefined();
  expect(await refusal(exchange(await token()))).toBe("exchange-refused");
  const { items } = await on.call("audit.list", await on.admin(), { query: { limit: 200 } });
  const actions = items.map(({ action }) => action);
  expect(actions).toEqual(expect.arrayContaining(["workload.trust", "token.exchange", "workload.distrust"]));
});

test("an environment can stand for the branch, and limits what is proposed", async () => {
  const { repository } = CLAIMS;
  await trust({
    claims: { repository, environment: "staging", job_workflow_ref: WORKFLOW },
    roles: ["proposer@staging"],
  });
  expect((await exchange(await token({ ref: "refs/tags/v1" }))).roles).toEqual(["proposer@staging"]);
  expect(await refusal(exchange(await token({ environment: "production" })))).toBe("exchange-refused");
});
