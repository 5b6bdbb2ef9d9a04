import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootstrap } from "./bootstrap.ts";
import type { Principal } from "./principal.ts";
import { type ServiceFixture, serviceFixture } from "./testing/service-fixture.ts";

let on: ServiceFixture;
const owning = ({ parts, database }: ServiceFixture) => ({ ...parts, database });
let admin: Principal;
beforeAll(async () => {
  on = await serviceFixture();
  admin = await on.admin();
});
afterAll(() => on.close());

describe("the first start", () => {
  test("makes one admin, and only once", async () => {
    expect(admin).toMatchObject({ id: "admin", kind: "human", tenant: "default", roles: ["admin"] });
    expect(await bootstrap(owning(on))).toBeUndefined();
  });

  test("of several at once gives one of them the token", async () => {
    const made = await Promise.all([1, 2, 3, 4].map(() => bootstrap(owning(on), { tenant: "raced" })));
    expect(made.filter((one) => one !== undefined)).toHaveLength(1);
  });

  test("keeps no secret: what is stored is a hash, and the log names the token only", async () => {
    const { rows } = await on.database.query<{ text: string }>(
      `SELECT string_agg(row_to_json(t)::text, '') || (SELECT string_agg(encode(entry, 'escape'), '') FROM audit_entries) AS text
       FROM tokens t`,
    );
    const secret = on.adminToken.split("_").slice(2).join("_");
    expect(rows[0]?.text).not.toContain(secret);
  });
});

describe("tokens", () => {
  test("say who asks, and end when they are revoked or expire", async () => {
    const ann = await on.principal("ann", "human", ["approver", "viewer"]);
    expect(await on.call("principal.show", ann)).toMatchObject({
      id: "ann",
      kind: "human",
      roles: ["viewer", "approver"],
    });
    await on.call("tokens.revoke", admin, { params: { id: ann.tokenId } });
    expect(await on.service.authenticate(ann.token)).toBeUndefined();
    const ben = await on.principal("ben", "human", ["viewer"]);
    on.clock.offsetMs = 31 * 24 * 3600 * 1000;
    expect(await on.service.authenticate(ben.token)).toBeUndefined();
    on.clock.offsetMs = 0;
    expect(await on.service.authenticate(ben.token)).toMatchObject({ id: "ben" });
  });

  test.each(["", "ctm_", "ctm_0123456789abcdef_short", "Bearer x", "ctm_0123456789abcdef_".padEnd(64, "A")])(
    "%j is nobody's",
    async (text) => {
      expect(await on.service.authenticate(text)).toBeUndefined();
    },
  );

  test("a token narrows its principal, and never widens it", async () => {
    const narrow = await on.principal("cleo", "human", ["viewer"]);
    await on.principal("cleo", "human", ["operator"]);
    expect(await on.service.authenticate(narrow.token)).toMatchObject({ roles: ["viewer"] });
    await on.database.query("UPDATE principals SET roles = '{invoker}' WHERE id = 'cleo'");
    expect(await on.service.authenticate(narrow.token)).toMatchObject({ roles: [] });
  });

  test("an agent has a person who answers for it, and nobody changes kind or owner", async () => {
    const { secret: _, ...agent } = await on.call("tokens.create", admin, {
      body: { principal: "bot", kind: "agent", roles: ["proposer"] },
    });
    expect(agent.principal).toEqual({ id: "bot", kind: "agent", owner: "admin" });
    const again = (body: object) =>
      on.call("tokens.create", admin, {
        body: { principal: "bot", kind: "agent", roles: ["proposer"], ...body } as never,
      });
    await expect(again({ kind: "human" })).rejects.toMatchObject({
      code: "malformed-request",
      details: { pointer: "/kind" },
    });
    await expect(again({ owner: "ben" })).rejects.toMatchObject({ details: { pointer: "/owner" } });
    await expect(again({ principal: "bot2", owner: "bot" })).rejects.toMatchObject({ details: { pointer: "/owner" } });
    await expect(again({ principal: "eve", kind: "human", owner: "admin" })).rejects.toMatchObject({
      code: "malformed-request",
    });
  });

  test("lists go on where a page ended, and take no other list's cursor", async () => {
    const first = await on.call("tokens.list", admin, { query: { limit: 2 } });
    expect(first.items).toHaveLength(2);
    const cursor = String(first.nextCursor);
    const second = await on.call("tokens.list", admin, { query: { limit: 200, cursor } });
    const ids = [...first.items, ...second.items].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(second.nextCursor).toBeNull();
    for (const wrong of ["", "x", Buffer.from('["tokens.list",1]').toString("base64url")]) {
      const asked = on.call("tokens.list", admin, { query: { cursor: wrong } });
      await expect(asked).rejects.toMatchObject({ code: "malformed-request" });
    }
    await expect(on.call("keys.list", admin, { query: { cursor } })).rejects.toMatchObject({
      code: "malformed-request",
    });
  });
});

describe("keys", () => {
  test("a private key is refused and not repeated", async () => {
    const publicKey = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0LXNlY3JldA==\n-----END PRIVATE KEY-----";
    const imported = on.call("keys.import", admin, { body: { purpose: "tests", publicKey } });
    await expect(imported).rejects.toMatchObject({
      code: "malformed-request",
      message: expect.not.stringContaining("c2Vj"),
    });
  });
});

describe("idempotency keys", () => {
  const body = (principal: string) => ({ principal, kind: "human" as const, roles: ["viewer" as const] });
  const count = async () => (await on.call("tokens.list", admin, { query: { limit: 200 } })).items.length;

  test("the same request is performed once and answered alike", async () => {
    const plan = { name: "x" };
    const ask = () => on.call("audit.verify", admin, { body: plan as never }, { idempotencyKey: "verify-1" });
    const first = await ask();
    await on.principal("moves-the-log", "human", ["viewer"]);
    expect(await ask()).toEqual(first);
  });

  test("another request under the same key is refused, and so is another principal's none", async () => {
    const key = { idempotencyKey: "one-key" };
    await on.call("tokens.create", admin, { body: body("kim") }, key);
    const before = await count();
    const other = on.call("tokens.create", admin, { body: body("lee") }, key);
    await expect(other).rejects.toMatchObject({ code: "idempotency-conflict" });
    expect(await count()).toBe(before);
    const second = await on.principal("second-admin", "human", ["admin"]);
    expect(await on.call("tokens.create", second, { body: body("lee") }, key)).toMatchObject({
      principal: { id: "lee" },
    });
  });

  test("an answer with a secret is given once, and its copy is not kept", async () => {
    const key = { idempotencyKey: "secret-key" };
    const { secret } = await on.call("tokens.create", admin, { body: body("max") }, key);
    const before = await count();
    const again = on.call("tokens.create", admin, { body: body("max") }, key);
    await expect(again).rejects.toMatchObject({
      code: "idempotency-conflict",
      message: expect.stringContaining("once"),
    });
    expect(await count()).toBe(before);
    const { rows } = await on.database.query<{ text: string }>(
      "SELECT string_agg(k::text, '') AS text FROM idempotency_keys k",
    );
    expect(rows[0]?.text).not.toContain(secret);
  });

  test("while the first is under way the second is told so; an abandoned one can be taken over", async () => {
    const ask = () => on.call("tokens.create", admin, { body: body("nia") }, { idempotencyKey: "together" });
    const outcomes = await Promise.allSettled([ask(), ask(), ask()]);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await on.database.query("UPDATE idempotency_keys SET status = NULL, response = NULL WHERE key = 'together'");
    await expect(ask()).rejects.toMatchObject({ message: expect.stringContaining("under way") });
    on.clock.offsetMs = 61_000;
    expect(await ask()).toMatchObject({ principal: { id: "nia" } });
    on.clock.offsetMs = 0;
  });

  test("a refusal is an answer too, and a failure is none", async () => {
    const approve = () =>
      on.call("approvals.reject", admin, { params: { id: "nothing" } }, { idempotencyKey: "refused" });
    await expect(approve()).rejects.toMatchObject({ code: "not-found" });
    await expect(approve()).rejects.toMatchObject({ code: "not-found" });
    const { rows } = await on.database.query("SELECT status FROM idempotency_keys WHERE key = 'refused'");
    expect(rows).toEqual([{ status: 404 }]);
  });
});
