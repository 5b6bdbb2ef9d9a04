import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { markOf } from "../store/embedded/living-process.ts";
import { onlyStart } from "./only-start.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-only-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("one start holds the folder, the next is told who does, and leaves nothing of its own", async () => {
  const release = await onlyStart(folder);
  await expect(onlyStart(folder)).rejects.toMatchObject({ code: "already-running", details: { pid: process.pid } });
  expect(readdirSync(folder)).toEqual(["start.lock"]);
  await release();
  expect(readdirSync(folder)).toEqual([]);
  await (await onlyStart(folder))();
});

test("what a killed start left is set aside", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  await once(child, "spawn");
  writeFileSync(join(folder, "start.lock"), JSON.stringify(markOf(child.pid ?? 0)));
  await expect(onlyStart(folder)).rejects.toMatchObject({ code: "already-running" });
  child.kill("SIGKILL");
  await once(child, "exit");
  const release = await onlyStart(folder);
  expect(readdirSync(folder)).toEqual(["start.lock"]);
  await release();
});

test("a lock that a power cut left empty names nobody and is set aside", async () => {
  for (const text of ["", "no mark", "null", '{"pid":0}']) {
    writeFileSync(join(folder, "start.lock"), text);
    const release = await onlyStart(folder);
    expect(readdirSync(folder)).toEqual(["start.lock"]);
    await release();
  }
});
