import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Operation } from "../../src/contract/operation.ts";
import { type OperationName, operations } from "../../src/contract/operations.ts";
import { signInOperations } from "../../src/contract/sign-in-operations.ts";
import { exchangeOperation } from "../../src/contract/workload-operations.ts";
import { generateSigningKey } from "../../src/core/evidence/signing-key.ts";
import { bootstrap } from "../../src/service/bootstrap.ts";
import { planOf, testEvidence } from "../../src/service/testing/service-fixture.ts";
import { type Answer, type HttpFixture, httpFixture } from "../../src/surfaces/http/testing/http-fixture.ts";

// Every operation of the contract, asked over the network by everybody who must not. What they are answered follows from
// the contract; that each role and kind is held to it is in the service's own tests, by the same list. An operation that
// names something by an id must be given one of ours here, or the first test fails.

const all = Object.entries(operations) as [OperationName, Operation][];
const named = all.filter(([, { path }]) => path.includes("{"));

let on: HttpFixture;
let rivalToken: string;
/** Of our tenant, by what the path of an operation begins with. */
let things: Readonly<Record<string, Record<string, string>>>;

const DIGEST = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;
const ABSENT = "0".repeat(16);

beforeAll(async () => {
  on = await httpFixture();
  rivalToken = (await bootstrap({ ...on.parts, database: on.database }, { tenant: "rival" }))?.token ?? "";
  things = await thingsOfOurs();
});
afterAll(() => on?.close());

async function made(name: OperationName, how: Parameters<HttpFixture["perform"]>[1]): Promise<Record<string, unknown>> {
  const answer = await on.perform(name, how);
  expect([name, answer.status, answer.body["detail"]]).toEqual([
    name,
    operations[name]["status" as never] ?? 200,
    undefined,
  ]);
  return answer.body;
}

async function thingsOfOurs(): Promise<typeof things> {
  const key = generateSigningKey(randomBytes);
  const bytes = Buffer.from("ours");
  const digest = DIGEST("ours");
  await made("artifacts.put", { params: { digest }, body: bytes });
  const trusted = await made("keys.import", { body: { purpose: "tests", publicKey: key.publicKey.spkiPem } });
  const evidence = await made("evidence.add", { body: { bundle: testEvidence(key, digest, "PASSED") } });
  const issuer = "https://token.actions.githubusercontent.com";
  const identity = await made("identities.add", {
    body: { purpose: "provenance", issuer, subject: "https://x/y.yml@z" },
  });
  const plan = planOf({ artifact: `store:${digest}`, name: "ours-only", target: "simulated" });
  const rollout = await made("plans.submit", { body: { plan } });
  const token = await made("tokens.create", { body: { principal: "ours-only", kind: "human", roles: ["viewer"] } });
  const webhook = await made("webhooks.create", { body: { url: "https://127.0.0.1:9443/ours" } });
  const claims = { repository: "ours/only", ref: "refs/heads/main", job_workflow_ref: "ours/only/x.yml@main" };
  const workload = await made("workloads.create", { body: { principal: "ours-only-ci", claims } });
  const policy = DIGEST("a version of ours");
  await on.database.query(
    `INSERT INTO policy_versions (tenant, digest, base_digest, files, created_at) VALUES ('default', $1, $1, $2, now())`,
    [policy, Buffer.from("[]")],
  );
  const id = (body: Record<string, unknown>) => ({ id: String(body["id"]) });
  return {
    "/v1/rollouts": id(rollout),
    "/v1/approvals": id(rollout),
    "/v1/endpoints": { environment: "development", target: "simulated", name: "ours-only" },
    "/v1/monitors": { environment: "development", target: "simulated", name: "ours-only" },
    "/v1/alarms": { environment: "development", target: "simulated", name: "ours-only" },
    "/v1/breakers": { environment: "development", target: "simulated", name: "ours-only" },
    "/v1/artifacts": { digest },
    "/v1/tokens": id(token),
    "/v1/audit": { subject: String(rollout["id"]) },
    "/v1/people": { id: "ours-only" },
    "/v1/evidence": id(evidence),
    "/v1/keys": { purpose: "tests", keyId: String(trusted["keyId"]) },
    "/v1/identities": { purpose: "provenance", ...id(identity) },
    "/v1/policy": { digest: policy },
    "/v1/webhooks": id(webhook),
    "/v1/workloads": id(workload),
    // A person's own: asked for by another person, in any tenant, they are not there.
    "/v1/me": { id: "se_ours", keyId: "ours" },
  };
}

/** What each operation's body must be for the thing that it names to be looked at. */
const BODIES: Partial<Record<OperationName, unknown>> = {
  "endpoints.scale": { instanceCount: 2 },
  "truths.add": { records: [{ inferenceId: "of-ours", label: 1 }] },
  "alarms.acknowledge": { alarm: "DataDriftAlarm" },
  "alarms.suppress": { alarm: "DataDriftAlarm", reason: "a feast day of ours", seconds: 600 },
  "alarms.unsuppress": { alarm: "DataDriftAlarm" },
  "approvals.statement": { role: "approver" },
  "approvals.approve": { planDigest: DIGEST("any") },
  "approvals.review": { verdict: "justified", comment: "of ours" },
  "evidence.revoke": { reason: "of ours" },
  "webhooks.replay": { message: "msg_none" },
  "policy.activate": { nonce: "none" },
};

/** Refused before anything is looked for: bytes that are not those of the digest, and a person who has to prove more. */
const OTHER_THAN_NOT_FOUND: Partial<Record<OperationName, number>> = {
  "artifacts.put": 409,
  "me.passkeys.remove": 403,
};

function thingOf({ path }: Operation): Record<string, string> | undefined {
  return Object.entries(things).find(
    ([start]) => path === start || path.startsWith(`${start}/`) || path.startsWith(`${start}:`),
  )?.[1];
}

/** Of the same shape, and nowhere. */
function absentLike(thing: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(thing).map(([key, value]) => {
      if (key === "environment" || key === "target" || key === "purpose") return [key, value];
      if (value.startsWith("sha256:")) return [key, `sha256:${"0".repeat(64)}`];
      return [key, key === "name" ? "nowhere" : `${value.slice(0, 3)}${ABSENT}`];
    }),
  );
}

/** All that a caller sees but what differs from request to request, and what was asked for. */
function seen(answer: Answer, asked: Record<string, string>): unknown {
  const text = Object.values(asked).reduce((left, value) => left.replaceAll(value, "(asked)"), answer.text);
  return { status: answer.status, text: text.replace(/"requestId":"[^"]+"/, '"requestId":""') };
}

async function ask(name: OperationName, params: Record<string, string>, token: string): Promise<Answer> {
  const { body, path } = operations[name] as Operation;
  // Bytes go by their digest: whoever sends those of another tenant's artifact has one of their own.
  const sent = body === undefined || path === "/v1/artifacts/{digest}" ? {} : { body: BODIES[name] ?? {} };
  return on.perform(name, { params, token, ...sent });
}

/** Every row of our tenant, table by table. */
async function rowsOfOurs(): Promise<Record<string, string>> {
  const { rows } = await on.database.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant'
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' ORDER BY 1`,
  );
  const digests: Record<string, string> = {};
  for (const { name } of rows) {
    const { rows: found } = await on.database.query<{ digest: string | null }>(
      `SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) AS digest FROM ${name} t WHERE tenant = 'default'`,
    );
    digests[name] = found[0]?.digest ?? "";
  }
  return digests;
}

test("every operation that names something has a thing of ours to be asked for", () => {
  expect(named.filter(([, operation]) => thingOf(operation) === undefined).map(([name]) => name)).toEqual([]);
  expect(named.length).toBeGreaterThan(30);
});

describe("another tenant's administrator", () => {
  test("hears of each thing of ours exactly what they hear of one that is nowhere, and changes nothing", async () => {
    const before = await rowsOfOurs();
    for (const [name, operation] of named) {
      const ours = thingOf(operation) ?? {};
      const nowhere = absentLike(ours);
      const [ofOurs, ofNothing] = [await ask(name, ours, rivalToken), await ask(name, nowhere, rivalToken)];
      expect([name, seen(ofOurs, ours)]).toEqual([name, seen(ofNothing, nowhere)]);
      expect([name, ofOurs.status]).toEqual([name, OTHER_THAN_NOT_FOUND[name] ?? 404]);
    }
    expect(await rowsOfOurs()).toEqual(before);
  });

  test("finds nothing of ours in whatever can be read as a whole, nor by a cursor of ours", async () => {
    const marks = [
      "ours",
      ...Object.values(things).flatMap((thing) => Object.values(thing).filter((value) => value.length > 20)),
    ];
    const shipped = (await on.perform("policy.list", { token: rivalToken })).text;
    for (const [name] of all.filter(([, { method, path }]) => method === "GET" && !path.includes("{"))) {
      const { text, status } = await on.perform(name, { token: rivalToken });
      expect([name, status < 500, marks.filter((mark) => text.includes(mark) && !shipped.includes(mark))]).toEqual([
        name,
        true,
        [],
      ]);
    }
    for (const name of ["rollouts.list", "audit.list", "tokens.list"] as const) {
      const { nextCursor } = (await on.perform(name, { query: "limit=1" })).body;
      if (nextCursor === null) continue;
      const { text } = await on.perform(name, {
        token: rivalToken,
        query: `cursor=${encodeURIComponent(String(nextCursor))}`,
      });
      expect([name, marks.filter((mark) => text.includes(mark))]).toEqual([name, []]);
    }
  });

  test("is not answered what we were, by a key of ours", async () => {
    const body = { principal: "twice", kind: "human", roles: ["viewer"] };
    const headers = { "idempotency-key": "ours-and-theirs" };
    const ours = await on.ask("/v1/tokens", { method: "POST", body, headers });
    const theirs = await on.ask("/v1/tokens", { method: "POST", body, headers, token: rivalToken });
    expect([ours.status, theirs.status]).toEqual([201, 201]);
    expect(theirs.body["id"]).not.toBe(ours.body["id"]);
  });

  test("asked by us, the same things are there", async () => {
    const gets = named.filter(
      ([name, { method, path }]) => method === "GET" && !path.startsWith("/v1/me/") && !name.startsWith("policy."),
    );
    // Only what waits is an approval; the audit log answers for any subject; a stream would not end.
    const looked = gets.filter(
      ([name]) => !["approvals.show", "rollouts.events", "audit.prove-rollout"].includes(name),
    );
    expect(looked.length).toBeGreaterThan(5);
    for (const [name, operation] of looked) {
      const { status } = await ask(name, thingOf(operation) ?? {}, on.adminToken);
      expect([name, status]).toEqual([name, 200]);
    }
  });
});

describe("a program", () => {
  test("may nothing that a person answers for, whatever is stored of it", async () => {
    const agent = await on.principal("agent", "agent", ["proposer"]);
    await on.database.query("UPDATE principals SET roles = '{admin,approver,policy-admin}' WHERE id = 'agent'");
    await on.database.query("UPDATE tokens SET roles = '{admin,approver,policy-admin}' WHERE id = $1", [agent.tokenId]);
    for (const [name, operation] of all) {
      const { humansOnly, permission } = operation;
      if (!humansOnly && !["administer", "approve", "govern"].includes(permission)) continue;
      const { status, body } = await on.perform(name, { params: thingOf(operation) ?? {}, token: agent.token });
      expect([name, status, body["code"]]).toEqual([name, 403, humansOnly ? "humans-only" : "forbidden"]);
    }
  });
});

describe("whoever has no credential that counts", () => {
  test("is told the same at every operation, whatever it is and whether or not what it names is there", async () => {
    const revoked = await on.principal("revoked", "human", ["admin"]);
    await on.perform("tokens.revoke", { params: { id: revoked.tokenId } });
    const expired = await on.principal("expired", "human", ["admin"]);
    await on.database.query("UPDATE tokens SET expires_at = now() - interval '1 second' WHERE id = $1", [
      expired.tokenId,
    ]);
    const unknown = `ctm_${ABSENT}_${"A".repeat(43)}`;
    const tokens = { none: null, malformed: "ctm_x", unknown, revoked: revoked.token, expired: expired.token };
    const told = new Map<string, Set<string>>();
    for (const [name, operation] of all)
      for (const [what, token] of Object.entries(tokens)) {
        const { status, text, headers } = await on.perform(name, { params: thingOf(operation) ?? {}, token });
        expect([name, what, status, headers.get("www-authenticate")]).toEqual([name, what, 401, "Bearer"]);
        const kind = what === "none" ? what : "one that does not count";
        told.set(kind, (told.get(kind) ?? new Set()).add(text.replace(/"requestId":"[^"]+"/, "")));
      }
    expect([...told].map(([kind, texts]) => [kind, texts.size])).toEqual([
      ["none", 1],
      ["one that does not count", 1],
    ]);
  });

  test("finds open only the ways in", async () => {
    const document = JSON.parse((await on.ask("/v1/openapi.json", { token: null })).text) as { paths: object };
    const known = new Set([
      ...all.map(([, { path }]) => path),
      ...Object.values(signInOperations).map(({ path }) => path),
    ]);
    known.add(exchangeOperation.path);
    expect(Object.keys(document.paths).filter((path) => !known.has(path) && !path.startsWith("/v1/sign-in"))).toEqual(
      [],
    );
  });
});
