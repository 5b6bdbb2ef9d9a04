import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readPolicyFiles, shippedPolicyFolder } from "./policy-files.ts";

const folder = mkdtempSync(join(tmpdir(), "continuum-policies-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("readPolicyFiles", () => {
  it("reads policies and tables below a folder, in order, and leaves the rest", () => {
    mkdirSync(join(folder, "tables"));
    for (const file of ["b.cedar", "a.cedar", "tables/t.yaml", "settings.json", "README.md", "a.cedar~"]) {
      writeFileSync(join(folder, file), file);
    }
    expect(readPolicyFiles(folder)).toEqual(
      ["a.cedar", "b.cedar", "settings.json", "tables/t.yaml"].map((path) => ({ path, text: path })),
    );
  });

  it("fails on a folder that is not there", () => {
    expect(() => readPolicyFiles(join(folder, "nothing"))).toThrow("cannot read the policy folder");
  });

  it("finds the shipped set", () => {
    const paths = readPolicyFiles(shippedPolicyFolder()).map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(["base.cedar", "schema.cedarschema", "settings.json", "prices.json"]));
  });
});
