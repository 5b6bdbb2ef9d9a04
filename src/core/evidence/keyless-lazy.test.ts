import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const SOURCES = new URL("../..", import.meta.url).pathname;

test("Sigstore's libraries are loaded by one file, and that file only by who meets a certificate", () => {
  const files = readdirSync(SOURCES, { recursive: true, encoding: "utf8" }).filter(
    (name) => name.endsWith(".ts") && !name.endsWith(".test.ts") && !name.includes("/testing/"),
  );
  const holding = (pattern: RegExp): string[] =>
    files.filter((name) => pattern.test(readFileSync(join(SOURCES, name), "utf8")));
  expect(holding(/from "@sigstore\//)).toEqual(["core/evidence/keyless.ts"]);
  expect(holding(/^import (?!type).*from "[^"]*\/keyless\.ts";/m)).toEqual([]);
  expect(holding(/await import\("[^"]*\/keyless\.ts"\)/).length).toBeGreaterThan(0);
});
