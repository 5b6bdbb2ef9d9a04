import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cacheFolder, keepCompiled } from "./compile-cache.ts";
import type { Environment } from "./environment.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "continuum-cache-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const environment = (variables: Record<string, string> = {}): Environment => ({
  variables,
  homeDir: home,
  workingDir: home,
  hostName: "here",
});

describe("what was compiled", () => {
  it("is kept under the user's home, or where the user keeps caches", () => {
    expect(cacheFolder(environment())).toBe(join(home, ".cache", "continuum", "compiled"));
    expect(cacheFolder(environment({ XDG_CACHE_HOME: "/var/caches" }))).toBe("/var/caches/continuum/compiled");
    expect(cacheFolder(environment({ XDG_CACHE_HOME: "relative" }))).toBe(cacheFolder(environment()));
  });

  it.skipIf(process.platform === "win32")("is not kept where others could write what is run", () => {
    const folder = cacheFolder(environment());
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o777);
    expect(keepCompiled(environment())).toBeUndefined();
  });

  it("is not kept where there is no folder to be made", () => {
    writeFileSync(join(home, ".cache"), "a file");
    expect(keepCompiled(environment())).toBeUndefined();
    expect(existsSync(cacheFolder(environment()))).toBe(false);
  });
});
