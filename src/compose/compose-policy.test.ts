import { appendFileSync, cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { shippedPolicyFolder } from "../config/policy-files.ts";
import { composePolicy } from "./compose-policy.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-policy-"));
  cpSync(shippedPolicyFolder(), folder, { recursive: true });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const breakIt = () => appendFileSync(join(folder, "schema.cedarschema"), "\nentity Broken {");

test("a set that cannot be used stops the start of what decides at once", async () => {
  breakIt();
  await expect(composePolicy({ load: "now", folder })).rejects.toMatchObject({
    code: "policy-unusable",
    message: expect.stringContaining("schema.cedarschema"),
  });
});

test("a set that is loaded when asked fails at every look, not only the first", async () => {
  breakIt();
  const { policySet } = await composePolicy({ load: "when-asked", folder });
  for (const look of [1, 2]) {
    expect(() => policySet.digest, `look ${look}`).toThrow(expect.objectContaining({ code: "policy-unusable" }));
  }
});

test("a set that is loaded when asked is the one that lay there at the start", async () => {
  const now = await composePolicy({ load: "now", folder });
  const later = await composePolicy({ load: "when-asked", folder });
  breakIt();
  expect(later.policySet.digest).toBe(now.policySet.digest);
  expect([...later.policySet.policies.keys()]).toEqual([...now.policySet.policies.keys()]);
});
