import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { verifyExport } from "../core/audit/export.ts";
import { verifyEntryProof } from "../core/audit/proof.ts";
import type { Principal } from "./principal.ts";
import { planOf, type ServiceFixture, serviceFixture } from "./testing/service-fixture.ts";

let on: ServiceFixture;
let admin: Principal;
beforeAll(async () => {
  on = await serviceFixture();
  admin = await on.admin();
});
afterAll(() => on.close());

const verify = () => on.call("audit.verify", admin);

async function exported(): Promise<string> {
  let text = "";
  for await (const line of await on.call("audit.export", admin)) text += line;
  return text;
}

describe("whoever changes the database is found out", () => {
  // The log as it is now: the tenant, the first token, and three more.
  beforeAll(async () => {
    for (const name of ["a", "b", "c"]) await on.principal(name, "human", ["viewer"]);
    expect(await verify()).toMatchObject({ ok: true, size: 5 });
    await on.database.query("CREATE TABLE entries_before AS SELECT * FROM audit_entries");
    await on.database.query("CREATE TABLE trees_before AS SELECT * FROM audit_trees");
  });
  afterEach(async () => {
    await on.database.query("TRUNCATE audit_entries, audit_trees");
    await on.database.query("INSERT INTO audit_entries OVERRIDING SYSTEM VALUE SELECT * FROM entries_before");
    await on.database.query("INSERT INTO audit_trees SELECT * FROM trees_before");
    expect(await verify()).toMatchObject({ ok: true, size: 5 });
  });

  test.each([
    [
      "a byte of an entry",
      "UPDATE audit_entries SET entry = set_byte(entry, 10, get_byte(entry, 10) # 1) WHERE position = 2",
      2,
    ],
    [
      "an entry and its hash with it",
      `UPDATE audit_entries SET entry = replaced, leaf_hash = sha256('\\x00'::bytea || replaced)
       FROM (SELECT convert_to(replace(convert_from(entry, 'UTF8'), '"accepted"', '"refused"'), 'UTF8') AS replaced
             FROM audit_entries WHERE position = 2) AS r WHERE position = 2`,
      5,
    ],
    ["an entry that is gone", "DELETE FROM audit_entries WHERE position = 1", 1],
    ["the newest entry gone", "DELETE FROM audit_entries WHERE position = 4", 4],
    ["an entry filed elsewhere", "UPDATE audit_entries SET subject = 'hidden' WHERE position = 3", 3],
    [
      "two entries in each other's place",
      "UPDATE audit_entries SET position = CASE position WHEN 100 THEN 2 WHEN 2 THEN 1 END WHERE position IN (100, 2)",
      2,
    ],
    [
      "an entry added at the end",
      `INSERT INTO audit_entries (tenant, position, subject, entry, leaf_hash)
      SELECT tenant, 5, subject, entry, leaf_hash FROM audit_entries WHERE position = 0`,
      5,
    ],
    ["the head", "UPDATE audit_trees SET root = sha256('x'::bytea)", 5],
    ["the size", "UPDATE audit_trees SET size = 3", 3],
  ])("%s", async (what, sql, position) => {
    // The unique index has to be walked around to swap two.
    if (what.startsWith("two")) await on.database.query("UPDATE audit_entries SET position = 100 WHERE position = 1");
    await on.database.query(sql);
    if (what.startsWith("two")) expect(await verify()).toMatchObject({ ok: false });
    else expect(await verify()).toMatchObject({ ok: false, problem: { position } });
  });
});

describe("the audit log", () => {
  test("verifies, exports and proves itself", async () => {
    const rollout = await on.call("plans.submit", admin, {
      body: { plan: planOf({ artifact: `store:sha256:${"1".repeat(64)}`, target: "simulated" }) },
    });
    const { size, root, ...rest } = await verify();
    expect(rest).toEqual({ ok: true, problem: null, checkpoints: { signed: 0, archived: 0, beforeRestore: 0 } });
    const copy = await exported();
    expect(verifyExport(Buffer.from(copy))).toEqual({ ok: true, tenant: "default", size, rootHash: root });
    const proof = await on.call("audit.prove", admin, { params: { subject: rollout.id } });
    expect(proof).toMatchObject({ subject: rollout.id, size, root });
    expect(proof.entries.length).toBeGreaterThan(0);
    for (const entry of proof.entries) expect(verifyEntryProof(entry, { size, rootHash: root })).toEqual({ ok: true });
    await expect(on.call("audit.prove", admin, { params: { subject: "nobody" } })).rejects.toMatchObject({
      code: "not-found",
    });
  });

  test("keeps its order and has no gap when many write at once", async () => {
    await Promise.all(Array.from({ length: 20 }, (_, index) => on.principal(`p${index}`, "service", ["viewer"])));
    const { items } = await on.call("audit.list", admin, { query: { limit: 200 } });
    expect(items.map(({ position }) => position)).toEqual(items.map((_, index) => index));
    expect(await verify()).toMatchObject({ ok: true, size: items.length });
  });

  test("one with nothing in it is a log too", async () => {
    const stranger = { ...admin, tenant: "nobody-yet" };
    expect(await on.call("audit.verify", stranger)).toMatchObject({ ok: true, size: 0 });
    expect((await on.call("audit.list", stranger)).items).toEqual([]);
  });

  test("of another tenant stays unseen", async () => {
    const stranger = { ...admin, tenant: "elsewhere" };
    await on.database.query("INSERT INTO tenants (tenant) VALUES ('elsewhere')");
    await on.call("audit.list", { ...stranger, roles: [] }).catch(() => undefined);
    const { items } = await on.call("audit.list", stranger);
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({ action: "request.refuse" });
  });
});
