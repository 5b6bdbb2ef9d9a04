import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCheckpoint } from "../core/audit/checkpoint.ts";
import { type CheckpointSigner, checkpointSigner } from "../core/audit/checkpoint-signer.ts";
import { verifyExport } from "../core/audit/export.ts";
import { parseVerifierKeys } from "../core/audit/verifier-key.ts";
import { assert } from "../core/error.ts";
import { MemoryArchive } from "../drivers/archive/memory/memory-archive.ts";
import { httpWitness } from "../drivers/archive/witness/http-witness.ts";
import { tinyWitness } from "../drivers/archive/witness/testing/tiny-witness.ts";
import { makeCheckpoint } from "../engine/audit-checkpoint.ts";
import { appendAudit } from "../engine/audit-log.ts";
import { AuditNotary } from "../engine/audit-notary.ts";
import type { CheckpointParts, NotaryParts } from "../engine/audit-parts.ts";
import { type PublicationResult, publishCheckpoints } from "../engine/audit-publish.ts";
import { SYSTEM } from "../engine/engine.ts";
import { rewriteLog } from "../engine/testing/rewrite-log.ts";
import type { Principal } from "./principal.ts";
import { planOf, type ServiceFixture, serviceFixture } from "./testing/service-fixture.ts";

const TENANT = "default";

async function append(on: ServiceFixture, count: number): Promise<void> {
  await on.database.transaction(async (tx) => {
    for (let at = 0; at < count; at += 1)
      await appendAudit(tx, {
        ...{ tenant: TENANT, atMs: 1_790_000_000_000 + at, actor: SYSTEM, action: "endpoint.observe" },
        ...{ subject: `endpoint:${at}`, outcome: "accepted", details: { count: at } },
      });
  });
}

async function exported(on: ServiceFixture, admin: Principal): Promise<Buffer> {
  return Buffer.from((await Array.fromAsync(await on.call("audit.export", admin))).join(""));
}

function archiveOf({ workerParts }: ServiceFixture): MemoryArchive {
  const [archive] = workerParts.checkpoints.archives;
  assert(archive instanceof MemoryArchive, "the fixture's archive lies in memory");
  return archive;
}

const withParts = (on: ServiceFixture, checkpoints: Partial<CheckpointParts>): NotaryParts => ({
  ...on.workerParts,
  checkpoints: { ...on.workerParts.checkpoints, ...checkpoints },
});

/** What an auditor keeps: the newest checkpoint and the keys, taken before anything happens. */
async function keptBy(on: ServiceFixture, admin: Principal) {
  const { keys } = await on.call("audit.keys", admin);
  const parsed = parseVerifierKeys(keys.map(({ vkey }) => vkey).join("\n"));
  const { items } = await on.call("audit.checkpoints", admin);
  assert(parsed.ok, "the keys are in the form that is read");
  const heads = items.map(({ note }) => {
    const opened = openCheckpoint(Buffer.from(note), parsed.value);
    assert(opened.ok, "the checkpoint verifies with the log's keys");
    return opened.value.checkpoint;
  });
  return { keys: parsed.value, heads, items };
}

describe("whoever rewrites the database is found out by what was signed before", () => {
  let on: ServiceFixture;
  let admin: Principal;
  let rollout: string;
  let kept: Awaited<ReturnType<typeof keptBy>>;

  beforeAll(async () => {
    on = await serviceFixture();
    admin = await on.admin();
    await append(on, 300);
    expect(await makeCheckpoint(on.workerParts, TENANT)).toBe(true);
    const worker = await on.worker();
    const plan = planOf({ artifact: await on.artifact("model") });
    rollout = (await on.call("plans.submit", admin, { body: { plan } })).id;
    await on.until(rollout, ["Succeeded"]);
    await worker.stop();
    expect(await makeCheckpoint(on.workerParts, TENANT)).toBe(true);
    await publishCheckpoints(on.workerParts);
    kept = await keptBy(on, admin);
    for (const [table] of TABLES) await on.database.query(`CREATE TABLE ${table}_before AS SELECT * FROM ${table}`);
  });
  afterAll(() => on.close());

  /** Done, looked at, and undone. */
  async function during<T>(attack: () => Promise<unknown>, look: () => Promise<T>): Promise<T> {
    try {
      await attack();
      return await look();
    } finally {
      await on.database.transaction(async (tx) => {
        await tx.query("SET LOCAL session_replication_role = replica");
        for (const [table, overriding] of TABLES) {
          await tx.query(`DELETE FROM ${table}`);
          await tx.query(`INSERT INTO ${table} ${overriding ?? ""} SELECT * FROM ${table}_before`);
        }
      });
      expect(await on.call("audit.verify", admin)).toMatchObject({ ok: true });
    }
  }

  const verify = () => on.call("audit.verify", admin);
  const sql = (text: string) => () => on.database.query(text);

  test("nothing is wrong while nobody does", async () => {
    expect(kept.heads.map(({ size }) => size)).toEqual([expect.any(Number), expect.any(Number)]);
    expect(await verify()).toMatchObject({ ok: true, problem: null, checkpoints: { signed: 2, archived: 2 } });
    expect(verifyExport(await exported(on, admin), { trustedHeads: kept.heads })).toMatchObject({ ok: true });
  });

  test.each([
    ["an entry was changed", (position: number) => position !== 250],
    ["an entry was removed", (position: number) => position !== 0],
    ["an entry of the rollout was removed", (position: number) => position !== 310],
  ])("the log was built anew with all its hashes after %s", async (_what, keep) => {
    const attack = () =>
      rewriteLog(on.database, TENANT, (entry, position) =>
        keep(position) ? entry : _what.endsWith("changed") ? { ...entry, outcome: "refused" } : null,
      );
    await during(attack, async () => {
      // The database is in itself as it should be: only what lies elsewhere tells.
      expect(verifyExport(await exported(on, admin))).toMatchObject({ ok: true });
      expect(verifyExport(await exported(on, admin), { trustedHeads: kept.heads })).toMatchObject({ ok: false });
      for (const head of kept.heads.slice(-1))
        expect(verifyExport(await exported(on, admin), { trustedHeads: [head] })).toMatchObject({ ok: false });
      expect(await verify()).toMatchObject({
        ok: false,
        problem: { message: expect.stringMatching(/in the memory.*(rewritten|its end is missing)/) },
      });
      await append(on, 20);
      await expect(makeCheckpoint(on.workerParts, TENANT)).rejects.toMatchObject({ code: "audit-rewritten" });
    });
  });

  test("the log was taken back to an earlier time", async () => {
    const attack = () => rewriteLog(on.database, TENANT, (entry, position) => (position < 305 ? entry : null));
    await during(attack, async () => {
      expect(await verify()).toMatchObject({ problem: { message: expect.stringContaining("its end is missing") } });
      const logged: string[] = [];
      const log = { ...on.workerParts.log, error: (event: string) => void logged.push(event) };
      let rewritten = 0;
      const notary = new AuditNotary({
        parts: { ...withParts(on, { intervalMs: 20 }), log },
        onRewritten: (logs) => {
          rewritten = logs;
        },
      });
      await notary.start();
      await expect.poll(() => rewritten).toBe(1);
      expect(notary.problems()).toEqual([expect.stringContaining("do not continue what was signed")]);
      await notary.stop();
      expect(logged).toEqual(["audit-rewritten"]);
    });
  });

  test.each([
    ["an event was removed", "DELETE FROM rollout_events WHERE sequence = 3", /event 3 of rollout r-.* is missing/],
    ["all events were removed", "DELETE FROM rollout_events", /event 1 of rollout r-.* is missing/],
    [
      "events were removed as if retention had",
      "WITH gone AS (DELETE FROM rollout_events) UPDATE rollouts SET events_removed_at = now()",
      /events of rollouts are gone and the log tells of 0/,
    ],
    [
      "an event was changed",
      `UPDATE rollout_events SET payload = payload || '{"more": 1}' WHERE sequence = 3`,
      /event 3 .* changed/,
    ],
    [
      "an event has another actor",
      "UPDATE rollout_events SET actor = 'mallory' WHERE sequence = 1",
      /event 1 .* changed/,
    ],
    ["a rollout stands elsewhere", "UPDATE rollouts SET phase = 'Failed'", /stands at step \d+, Failed; the log tells/],
    ["a decision was changed", `UPDATE rollouts SET decision = decision || '{"risk": "low "}'`, /the decision over/],
    [
      "a plan has other bytes",
      "UPDATE plans SET bytes = bytes || 'x'::bytea",
      /the plan sha256:.* not those of the digest/,
    ],
    ["evidence was removed", "DELETE FROM evidence", /the evidence sha256:.* was taken in and is missing/],
    ["evidence has other bytes", "UPDATE evidence SET bundle = bundle || 'x'::bytea", /the evidence sha256:/],
    [
      "an event was added",
      `INSERT INTO rollout_events SELECT tenant, rollout, 99, at, type, phase, weight_percent, actor, payload, 'x'
       FROM rollout_events WHERE sequence = 1`,
      /has an event 99 of which the log does not tell/,
    ],
    [
      "a kept node was changed",
      "SET session_replication_role = replica; UPDATE audit_nodes SET hash = sha256('x'::bytea); SET session_replication_role = origin",
      /kept roots/,
    ],
  ])("%s", async (_what, attack, message) => {
    await during(sql(attack), async () => {
      expect(await verify()).toMatchObject({ ok: false, problem: { message: expect.stringMatching(message) } });
    });
  });

  test("a checkpoint cannot be changed or taken away by those who run the program", async () => {
    for (const text of ["DELETE FROM audit_checkpoints", "UPDATE audit_checkpoints SET note = ''"]) {
      await expect(on.database.query(text)).rejects.toThrow("only ever appended to");
      await expect(on.workerParts.database.query(text)).rejects.toThrow("permission denied");
    }
  });
});

const TABLES: [table: string, overriding?: string][] = [
  ["audit_publications"],
  ["audit_checkpoints"],
  ["audit_nodes"],
  ["audit_trees"],
  ["audit_entries", "OVERRIDING SYSTEM VALUE"],
  ["rollout_events"],
  ["rollouts"],
  ["plans"],
  ["evidence"],
];

describe("checkpoints", () => {
  let on: ServiceFixture;
  let admin: Principal;
  beforeAll(async () => {
    on = await serviceFixture();
    admin = await on.admin();
  });
  afterAll(() => on.close());

  const signer = (...secrets: [number, number?]): CheckpointSigner => {
    const [current, previous] = secrets.map((byte) => Buffer.alloc(32, byte));
    return checkpointSigner({ current: current ?? Buffer.alloc(32), ...(previous === undefined ? {} : { previous }) });
  };

  test("are made once, whoever comes when, and not while nothing happens", async () => {
    await append(on, 3);
    const made = await Promise.all(Array.from({ length: 6 }, () => makeCheckpoint(on.workerParts, TENANT)));
    expect(made.filter(Boolean)).toHaveLength(1);
    expect(await makeCheckpoint(on.workerParts, TENANT)).toBe(false);
    expect((await on.call("audit.checkpoints", admin)).items).toHaveLength(1);
  });

  test("come soon after a rollout ended, and no rollout waits for an archive that is away", async () => {
    archiveOf(on).lost = true;
    const results: PublicationResult[] = [];
    const parts = withParts(on, { intervalMs: 60_000 });
    const notary = new AuditNotary({ parts, onPublication: (result) => results.push(result) });
    await notary.start();
    const worker = await on.worker();
    const plan = planOf({ artifact: await on.artifact("model") });
    const { id } = await on.call("plans.submit", admin, { body: { plan } });
    await on.until(id, ["Succeeded"]);
    const covered = async () => (await on.call("audit.checkpoints", admin)).items.at(-1)?.size;
    const { size } = await on.call("audit.verify", admin).catch(() => ({ size: Number.POSITIVE_INFINITY }));
    expect(size).toBe(Number.POSITIVE_INFINITY); // An archive that cannot be read is no clean verdict.
    const { items } = await on.call("audit.list", admin, { query: { subject: id, limit: 200 } });
    await expect.poll(covered, { timeout: 10_000 }).toBeGreaterThan(items.at(-1)?.position ?? 0);
    await expect.poll(() => results.length).toBeGreaterThan(0);
    expect(new Set(results.map(({ result }) => result))).toEqual(new Set(["unavailable"]));
    expect(notary.problems()).toEqual([expect.stringContaining("do not reach the archive memory")]);
    await Promise.all([notary.stop(), worker.stop()]);
    archiveOf(on).lost = false;
    on.clock.offsetMs += 3_600_000;
    await publishCheckpoints(on.workerParts);
    const published = (await on.call("audit.checkpoints", admin)).items;
    expect(new Set(published.flatMap(({ publications }) => publications.map(({ state }) => state)))).toEqual(
      new Set(["published"]),
    );
    expect(await on.call("audit.verify", admin)).toMatchObject({ ok: true });
  });

  test("go on under another key, which the old one vouches for while both sign", async () => {
    const { keys: old } = await keptBy(on, admin);
    await append(on, 1);
    const both = withParts(on, { signer: async () => signer(4, 3) });
    expect(await makeCheckpoint(both, TENANT)).toBe(true);
    const note = Buffer.from((await on.call("audit.checkpoints", admin)).items.at(-1)?.note ?? "");
    const origin = old[0]?.name ?? "";
    expect(openCheckpoint(note, old).ok).toBe(true);
    expect(openCheckpoint(note, signer(4).keys(origin)).ok).toBe(true);
    await append(on, 1);
    expect(await makeCheckpoint(withParts(on, { signer: async () => signer(4) }), TENANT)).toBe(true);
    const newest = Buffer.from((await on.call("audit.checkpoints", admin)).items.at(-1)?.note ?? "");
    expect(openCheckpoint(newest, old)).toMatchObject({ ok: false });
    expect(openCheckpoint(newest, signer(4).keys(origin)).ok).toBe(true);
    // The new key came into the log while the old one still vouched for it.
    const added = (await Array.fromAsync(await on.call("audit.export", admin))).filter((line) =>
      line.includes("audit.key-add"),
    );
    expect(added).toHaveLength(2);
    for (const { keyId } of signer(4).keys(origin)) expect(added.join("")).toContain(keyId);
    expect(await on.call("audit.verify", admin)).toMatchObject({ ok: true });
  });

  test("are witnessed, and the signatures stand on them", async () => {
    const witness = await tinyWitness((origin) => signer(3).keys(origin));
    try {
      const parts = withParts(on, { archives: [httpWitness(witness)], witnessKeys: witness.keys });
      for (const count of [1, 2, 3]) {
        await append(on, count);
        expect(await makeCheckpoint(parts, TENANT)).toBe(true);
      }
      await publishCheckpoints(parts);
      const { items } = await on.call("audit.checkpoints", admin);
      const states = items.slice(-3).map(({ publications }) => publications.map(({ state }) => state));
      expect(states).toEqual([["passed-over"], ["passed-over"], ["published"]]);
      const keys = [...signer(3).keys(items.at(-1)?.origin ?? ""), ...witness.keys];
      const opened = openCheckpoint(Buffer.from(items.at(-1)?.note ?? ""), keys);
      expect(opened.ok && opened.value.witnessedBy).toHaveLength(2);
    } finally {
      await witness.close();
    }
  });

  test("after a restore are of a log of their own", async () => {
    const before = (await on.call("audit.keys", admin)).origin;
    await on.database.query("INSERT INTO restores VALUES ('2026-11-23T08:00:00Z', 1, 2)");
    await append(on, 1);
    expect(await makeCheckpoint(on.workerParts, TENANT)).toBe(true);
    const { origin, keys } = await on.call("audit.keys", admin);
    expect(origin).toBe(`${before}/restored-${Date.parse("2026-11-23T08:00:00Z")}`);
    expect(keys).toHaveLength(2);
    // What the lost time signed names entries that nobody has any more.
    archiveOf(on)
      .held.get(before)
      ?.set(900_000, Buffer.from(signer(3).sign({ origin: before, size: 900_000, rootHash: "00".repeat(32) })));
    expect(await on.call("audit.verify", admin)).toMatchObject({ ok: true, checkpoints: { beforeRestore: 1 } });
  });
});
