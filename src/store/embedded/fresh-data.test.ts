import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openDatabase } from "../database.ts";
import { startEmbedded } from "./embedded.ts";

let dataDir: string;
let cluster: string | undefined;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "continuum-fresh-"));
});
afterEach(() => {
  rmSync(dataDir, { recursive: true, force: true });
  if (cluster !== undefined) rmSync(cluster, { recursive: true, force: true });
});

async function query(url: string, sql: string): Promise<unknown[]> {
  const database = await openDatabase(url, { max: 1 });
  const { rows } = await database.query(sql);
  await database.close();
  return rows;
}

// It waits for the disk, and others may be waiting for it as well.
const PATIENCE = { timeout: 120_000 };

test("fresh data is on the disk before its address is told, else set aside and not used", PATIENCE, async () => {
  const first = await startEmbedded({ dataDir });
  cluster = first.clusterDir;
  const mark = join(cluster, "data.unsynced");
  expect(existsSync(mark)).toBe(false);
  await query(first.url, "CREATE TABLE kept (value text)");

  // A start that finds a server where an earlier one was killed too soon finishes its work, and uses the server.
  writeFileSync(mark, "");
  const beside = await startEmbedded({ dataDir });
  expect(existsSync(mark)).toBe(false);
  expect(await query(beside.url, "SELECT * FROM kept")).toEqual([]);
  await first.stop();

  writeFileSync(mark, "");
  const second = await startEmbedded({ dataDir });
  expect(await query(second.url, "SELECT to_regclass('kept') AS found")).toEqual([{ found: null }]);
  expect(readdirSync(cluster)).toContain("data.aside");
  expect(existsSync(mark)).toBe(false);
  await second.stop();
});
