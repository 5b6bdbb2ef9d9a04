import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFile, mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openLocalArtifacts } from "../../drivers/artifacts/local/local-artifacts.ts";
import { storeKey, tenantFolder } from "../../drivers/artifacts/sealed-object.ts";
import { sequenceAudit } from "../../engine/audit-log.ts";
import { verifyAudit } from "../../engine/audit-verify.ts";
import { loadRollout } from "../../engine/rollout-rows.ts";
import { type EngineFixture, engineFixture, engineParts, TENANT } from "../../engine/testing/engine-fixture.ts";
import { Worker } from "../../engine/worker.ts";
import { type Database, openDatabase } from "../../store/database.ts";
import { createTestDatabase, type TestDatabase } from "../../store/testing/test-database.ts";
import { rekeyArtifacts } from "../rekey-artifacts.ts";
import { createBackup } from "./create-backup.ts";
import { restoreBackup } from "./restore-backup.ts";
import { verifyBackup } from "./verify-backup.ts";

const KEY = { purpose: "artifact-store" as const, reference: "file:/keys/artifact-store.key", bytes: randomBytes(32) };
const BAKE = { stepPercent: 50, bakeSeconds: 1, deadlineSeconds: 600 };

let folder: string;
let source: EngineFixture;
let backup: string;
const opened: TestDatabase[] = [];

/** A database as PostgreSQL makes it: nothing in it. */
async function emptyDatabase(): Promise<TestDatabase> {
  const made = await createTestDatabase({ max: 4 });
  opened.push(made);
  await made.database.query("DROP SCHEMA public CASCADE");
  await made.database.query("CREATE SCHEMA public");
  return made;
}

const partsIn = (root: string) => ({ artifactsRoot: join(folder, root), keys: [KEY] });
const create = (out: string, more: Partial<Parameters<typeof createBackup>[0]> = {}) =>
  createBackup({
    ...{ database: source.database, parts: partsIn("artifacts"), out, programVersion: "1.2.3", nowMs: Date.now },
    ...more,
  });
const restore = (path: string, database: Database, root = `restored-${randomBytes(4).toString("hex")}`) =>
  restoreBackup({
    ...{ path, parts: partsIn(root), dataDir: folder, nowMs: Date.now },
    openDatabase: async () => database,
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "continuum-backup-"));
  backup = join(folder, "first.tar");
  source = await engineFixture();
  const store = await openLocalArtifacts({ root: join(folder, "artifacts"), key: KEY.bytes });
  await store.put(TENANT, randomBytes(3_000_000));
  await store.put(TENANT, randomBytes(10));
  const worker = await source.worker();
  const done = await source.propose({ name: "done" });
  await source.ended(done.id);
  const baking = await source.propose({ name: "baking", rollout: BAKE });
  await source.until(baking.id, ({ phase }) => phase === "Baking");
  await create(backup, { configText: "logLevel: warn\n" });
  await source.ended(baking.id);
  await worker.stop();
});
afterAll(async () => {
  await source?.close();
  for (const { close } of opened) await close();
  await rm(folder, { recursive: true, force: true });
});

describe("a backup", () => {
  test("is a tar file that its owner alone reads, with everything in it and no secret", async () => {
    const names = execFileSync("tar", ["-tf", backup], { encoding: "utf8" }).trim().split("\n");
    expect(names.slice(0, 2)).toEqual(["backup.json", "config/continuum.yaml"]);
    expect(names.slice(-2)).toEqual(["manifest.json", "seal.json"]);
    expect(names.filter((name) => name.startsWith("artifacts/"))).toHaveLength(2);
    for (const table of ["rollouts", "audit_entries", "jobs"]) expect(names).toContain(`database/${table}/000001.copy`);
    expect(names.join()).not.toContain("workers");
    expect(
      (await open(backup).then(async (file) => (await file.stat().finally(() => file.close())).mode)) & 0o777,
    ).toBe(0o600);
    const bytes = await readFile(backup);
    expect(bytes.includes(KEY.bytes)).toBe(false);
    expect(bytes.includes(KEY.bytes.toString("hex"))).toBe(false);
  });

  test("says what it holds, and which key it needs", async () => {
    const { summary, seal, archive } = await verifyBackup(backup, [KEY]);
    await archive.close();
    expect(seal).toBe("verified");
    expect(summary).toMatchObject({ programVersion: "1.2.3", artifacts: 2, hasConfig: true });
    expect(summary.keys).toEqual([
      { purpose: "artifact-store", reference: KEY.reference, fingerprint: expect.stringMatching(/^[0-9a-f]{32}$/) },
    ]);
    expect(summary.sizeBytes).toBe((await readFile(backup)).length);
    const without = await verifyBackup(backup, []);
    await without.archive.close();
    expect(without.seal).toBe("no-key");
  });

  test("is told in the audit log, once it is whole", async () => {
    await sequenceAudit(source.database, TENANT);
    const { rows } = await source.database.query<{ entry: string }>(
      "SELECT convert_from(entry, 'UTF8') AS entry FROM audit_entries WHERE subject LIKE $1",
      ["%"],
    );
    expect(rows.filter(({ entry }) => entry.includes('"backup.create"')).length).toBeGreaterThan(0);
  });

  test("leaves nothing when it cannot be finished, and takes away what a killed one left", async () => {
    const stop = new AbortController();
    stop.abort(new Error("stopped"));
    await expect(create(join(folder, "stopped.tar"), { signal: stop.signal })).rejects.toThrow("stopped");
    await expect(create(backup)).rejects.toMatchObject({ code: "backup-not-written" });
    await expect(create(join(folder, "none", "x.tar"))).rejects.toMatchObject({ code: "backup-not-written" });
    // A number that no process has: above the largest that Linux gives.
    await writeFile(join(folder, ".again.tar.4194999.unfinished"), "half");
    await create(join(folder, "again.tar"));
    expect((await readdir(folder)).filter((name) => name.includes("unfinished") || name.includes("stopped"))).toEqual(
      [],
    );
  });
});

describe("a restore", () => {
  test("gives back the database and the artifacts, and running rollouts go on to their end", async () => {
    const { database } = await emptyDatabase();
    const summary = await restore(backup, database, "restored");
    expect(summary).toMatchObject({ tenants: 1, openRollouts: 1, artifacts: 2 });
    expect(summary.auditEntries).toBeGreaterThan(10);
    expect(await readFile(summary.configFile ?? "", "utf8")).toBe("logLevel: warn\n");
    const store = await openLocalArtifacts({ root: join(folder, "restored"), key: KEY.bytes });
    expect(await store.list(TENANT)).toHaveLength(2);

    const ids = await database.query<{ id: string; generation: number }>(
      "SELECT r.id, j.generation FROM rollouts r JOIN jobs j ON j.rollout = r.id WHERE NOT terminal",
    );
    const highest = await source.database.query<{ last: number }>("SELECT last_value AS last FROM effect_generation");
    const [open] = ids.rows;
    expect(open?.generation).toBeGreaterThan(highest.rows[0]?.last ?? 0);
    const parts = engineParts(database, { logged: [], behaviour: new Map(), faults: { plan: () => undefined } });
    const worker = new Worker({ parts, host: "elsewhere" });
    await worker.start();
    try {
      await expect
        .poll(async () => (await loadRollout(database, { tenant: TENANT, rolloutId: open?.id ?? "" }))?.phase, {
          timeout: 15_000,
        })
        .toBe("Succeeded");
    } finally {
      await worker.stop();
    }
    const { rows } = await database.query<{ sequence: number }>(
      "SELECT sequence FROM rollout_events WHERE rollout = $1 ORDER BY sequence",
      [open?.id],
    );
    expect(rows.map(({ sequence }) => sequence)).toEqual(rows.map((_, index) => index + 1));
    expect(await verifyAudit(database, TENANT)).toMatchObject({ ok: true });
    const told = await database.query(
      "SELECT FROM audit_entries WHERE convert_from(entry, 'UTF8') LIKE '%backup.restore%'",
    );
    expect(told.rowCount).toBe(1);
  });

  test("refuses a place that is not empty, and changes nothing there", async () => {
    const before = await source.database.query("SELECT count(*) AS count FROM rollouts");
    await expect(restore(backup, source.database)).rejects.toMatchObject({ code: "not-empty" });
    expect((await source.database.query("SELECT count(*) AS count FROM rollouts")).rows).toEqual(before.rows);
    const other = await openLocalArtifacts({ root: join(folder, "others"), key: KEY.bytes });
    await other.put(TENANT, randomBytes(20));
    const { database } = await emptyDatabase();
    await expect(restore(backup, database, "others")).rejects.toMatchObject({ code: "not-empty" });
  });

  test("refuses another key than the one that it was made with", async () => {
    const { database } = await emptyDatabase();
    const parts = { ...partsIn("x"), keys: [{ ...KEY, reference: "file:/other", bytes: randomBytes(32) }] };
    await expect(
      restoreBackup({ path: backup, parts, dataDir: folder, nowMs: Date.now, openDatabase: async () => database }),
    ).rejects.toMatchObject({ code: "backup-key", message: expect.stringContaining("file:/other") });
    const none = { ...partsIn("x"), keys: [] };
    await expect(
      restoreBackup({
        path: backup,
        parts: none,
        dataDir: folder,
        nowMs: Date.now,
        openDatabase: async () => database,
      }),
    ).rejects.toMatchObject({ code: "backup-key", message: expect.stringContaining(KEY.reference) });
  });

  test("refuses a damaged file wherever it is damaged, says where, and leaves the database empty", async () => {
    const { database } = await emptyDatabase();
    const whole = await readFile(backup);
    const copy = join(folder, "copy.tar");
    const places = [0, 700, ...Array.from({ length: 12 }, (_, n) => Math.floor(((n + 0.5) * whole.length) / 12))];
    for (const place of places) {
      const changed = Buffer.from(whole);
      changed[place] = (changed[place] ?? 0) ^ 0x01;
      // Padding between parts says nothing: a change there changes nothing.
      await writeFile(copy, changed);
      const at = await verifyBackup(copy, [KEY]).then(
        async ({ archive }) => archive.close().then(() => "sound"),
        (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
      );
      if (at === "sound") expect(whole[place]).toBe(0);
      else expect(at).toMatch(/^backup-(damaged: .*(byte \d+|sealed)|key)/);
    }
    await writeFile(copy, whole);
    for (const length of [whole.length - 1, whole.length - 1024, Math.floor(whole.length / 2), 100, 0]) {
      await truncate(copy, length);
      await expect(restore(copy, database)).rejects.toMatchObject({ code: "backup-damaged" });
    }
    await writeFile(copy, whole);
    await appendFile(copy, "x");
    await expect(restore(copy, database)).rejects.toMatchObject({ code: "backup-damaged" });
    const { rows } = await database.query("SELECT count(*) AS count FROM pg_tables WHERE schemaname = 'public'");
    expect(rows).toEqual([{ count: 0 }]);
  });

  test("refuses an audit log that does not hold", async () => {
    const broken = await emptyDatabase();
    await restore(backup, broken.database);
    await broken.database.query(
      "UPDATE audit_entries SET leaf_hash = decode(md5('x') || md5('y'), 'hex') WHERE position = 2",
    );
    const out = join(folder, "broken.tar");
    await create(out, { database: broken.database });
    const { database } = await emptyDatabase();
    await expect(restore(out, database)).rejects.toMatchObject({
      code: "backup-damaged",
      message: expect.stringContaining("entry 2"),
    });
    expect((await database.query("SELECT count(*) AS count FROM pg_tables WHERE schemaname = 'public'")).rows).toEqual([
      { count: 0 },
    ]);
  });

  test("that a later migration follows brings the old rows to the new schema, and a later backup is refused", async () => {
    const { manifest, archive } = await verifyBackup(backup, [KEY]);
    await archive.close();
    const { checkSchema } = await import("../../store/backup/load-database.ts");
    const version = manifest.schema.version + 1;
    expect(() => checkSchema({ ...manifest.schema, version })).toThrow(/newer one/);
    const [first, ...others] = manifest.schema.migrations;
    const foreign = [{ name: first?.name ?? "", checksum: "0".repeat(64) }, ...others];
    expect(() => checkSchema({ ...manifest.schema, migrations: foreign })).toThrow(/different build/);
  });
});

test("the connection that a backup reads by is let go", async () => {
  const { rows } = await openDatabase(source.url, { max: 1 }).then(async (database) => {
    const answer = await database.query<{ count: number }>(
      "SELECT count(*) AS count FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'",
    );
    await database.close();
    return answer;
  });
  expect(rows).toEqual([{ count: 0 }]);
});

describe("a store whose key was changed", () => {
  const NEXT = { ...KEY, bytes: randomBytes(32), reference: "file:/keys/next.key" };
  const PREVIOUS = { ...KEY, purpose: "artifact-store-previous" as const };
  const root = () => join(folder, "rekeyed");
  const parts = (keys: Parameters<typeof createBackup>[0]["parts"]["keys"]) => ({ artifactsRoot: root(), keys });
  const openBoth = () => openLocalArtifacts({ root: root(), key: NEXT.bytes, previousKey: KEY.bytes });
  const restoreWith = async (path: string, keys: Parameters<typeof parts>[0]) => {
    const { database } = await emptyDatabase();
    const place = join(folder, `restored-${randomBytes(4).toString("hex")}`);
    const summary = await restoreBackup({
      ...{ path, parts: { artifactsRoot: place, keys }, dataDir: folder, nowMs: Date.now },
      openDatabase: async () => database,
    });
    return { summary, place };
  };

  test("is backed up whole while it changes, restored with both keys, and afterwards with the new one alone", async () => {
    const old = await openLocalArtifacts({ root: root(), key: KEY.bytes });
    const models = [randomBytes(5000), randomBytes(10)];
    const digests = await Promise.all(models.map(async (model) => (await old.put(TENANT, model)).digest));
    const both = await openBoth();
    await both.put(TENANT, Buffer.from("under the new key"));
    const during = join(folder, "during.tar");
    await create(during, { parts: parts([NEXT, PREVIOUS]) });

    const { keyId, ...done } = await rekeyArtifacts({
      ...{ database: source.database, artifacts: both, keyId: "0123456789abcdef", nowMs: Date.now },
    });
    expect({ keyId, ...done }).toEqual({ keyId: "0123456789abcdef", tenants: 1, moved: 2, damaged: [], foreign: 0 });
    await sequenceAudit(source.database, TENANT);
    const { rows } = await source.database.query<{ entry: string }>(
      "SELECT convert_from(entry, 'UTF8') AS entry FROM audit_entries",
    );
    const told = rows.filter(({ entry }) => entry.includes('"artifact.rekey"')).map(({ entry }) => JSON.parse(entry));
    expect(told).toMatchObject([
      { outcome: "accepted", subject: { type: "key", id: "0123456789abcdef" }, details: { count: 2, errors: 0 } },
    ]);
    const after = join(folder, "after.tar");
    await create(after, { parts: parts([NEXT]) });

    for (const [path, keys] of [
      [during, [NEXT, PREVIOUS]],
      [after, [NEXT]],
    ] as const) {
      const { place } = await restoreWith(path, keys);
      const read = await openLocalArtifacts({
        root: place,
        key: NEXT.bytes,
        ...(keys.length === 2 ? { previousKey: KEY.bytes } : {}),
      });
      for (const [at, digest] of digests.entries())
        expect(Buffer.from(await read.read(TENANT, digest)).equals(models[at] ?? Buffer.of())).toBe(true);
    }
    await expect(restoreWith(during, [NEXT])).rejects.toMatchObject({ code: "backup-key" });
    await expect(restoreWith(after, [KEY])).rejects.toMatchObject({ code: "backup-key" });
    // A set-up that has changed its key since still knows the backup for its own, and opens it with the old key beside.
    const verified = await verifyBackup(during, [NEXT]);
    await verified.archive.close();
    expect(verified.seal).toBe("verified");
    const { place } = await restoreWith(backup, [NEXT, PREVIOUS]);
    expect(
      await (await openLocalArtifacts({ root: place, key: NEXT.bytes, previousKey: KEY.bytes })).list(TENANT),
    ).toHaveLength(2);
  });

  test("is told with what could not be opened, and a second time only when there is something to tell", async () => {
    const both = await openBoth();
    const again = { database: source.database, artifacts: both, keyId: "0123456789abcdef", nowMs: Date.now };
    expect(await rekeyArtifacts(again)).toMatchObject({ moved: 0, damaged: [], foreign: 0 });
    const old = await openLocalArtifacts({ root: root(), key: KEY.bytes });
    const { digest } = await old.put(TENANT, Buffer.from("to be damaged"));
    const file = join(root(), tenantFolder(storeKey(KEY.bytes), TENANT), digest.slice(7));
    await truncate(file, 100);
    expect(await rekeyArtifacts(again)).toMatchObject({ moved: 0, damaged: [{ tenant: TENANT, digest }], foreign: 0 });
    await rm(file);
  });
});
