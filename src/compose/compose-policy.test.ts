import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { loadConfig } from "../config/load.ts";
import { shippedPolicyFolder } from "../config/policy-files.ts";
import type { Config } from "../config/schema.ts";
import { baseDigestOf, policyDigestOf } from "../core/policy/load-policy-set.ts";
import { encodePolicyFiles, readPolicyInForce } from "../engine/policy-book.ts";
import { keepPolicyVersion, replaceActivePolicy } from "../store/queries/policy-versions.ts";
import { createTestDatabase, type TestDatabase } from "../store/testing/test-database.ts";
import { checkPolicyInForce, composePolicy, policyBundleSecret, programPolicyFiles } from "./compose-policy.ts";

const OWN = `@id("ACME-1")
@level("deny")
@reason("At most {limit} instances; the plan asks for {observed}")
@source("acme#capacity")
@observed("instanceCount")
@limit("4")
forbid (principal, action in Action::"deploy", resource)
when { context.instanceCount > 4 };
`;

let root: string;
let whole: string;
let own: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "continuum-policy-"));
  whole = join(root, "whole");
  own = join(root, "own");
  cpSync(shippedPolicyFolder(), whole, { recursive: true });
  mkdirSync(own);
  writeFileSync(join(own, "acme.cedar"), OWN);
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const breakIt = () => appendFileSync(join(whole, "schema.cedarschema"), "\nentity Broken {");

test("a set that cannot be used stops the start of what decides at once", async () => {
  breakIt();
  await expect(composePolicy({ load: "now", policyDir: whole })).rejects.toMatchObject({
    code: "policy-unusable",
    message: expect.stringContaining("schema.cedarschema"),
  });
});

test("a set that is loaded when asked fails at every look, not only the first", async () => {
  breakIt();
  const { policySet } = await composePolicy({ load: "when-asked", policyDir: whole });
  for (const look of [1, 2]) {
    expect(() => policySet.policies, `look ${look}`).toThrow(expect.objectContaining({ code: "policy-unusable" }));
  }
});

test("a set that is loaded when asked is the one that lay there at the start", async () => {
  const now = await composePolicy({ load: "now", policyDir: whole });
  const later = await composePolicy({ load: "when-asked", policyDir: whole });
  breakIt();
  expect(later.policySet.digest).toBe(now.policySet.digest);
  expect([...later.policySet.policies.keys()]).toEqual([...now.policySet.policies.keys()]);
});

test("a folder stands beside the shipped set, or for it when it holds a schema", async () => {
  const beside = await composePolicy({ load: "now", policyDir: own });
  expect(beside.policySet.policies.get("ACME-1")?.owner).toBe("own");
  expect(beside.policySet.policies.has("AO-4")).toBe(true);
  const shipped = await composePolicy({ load: "when-asked" });
  expect((await composePolicy({ load: "when-asked", policyDir: whole })).policySet.digest).toBe(
    shipped.policySet.digest,
  );
});

test("not even the operator's files take away a clause that admits no exception", async () => {
  rmSync(join(whole, "agentops", "environments.cedar"));
  await expect(composePolicy({ load: "now", policyDir: whole })).rejects.toMatchObject({
    code: "policy-unusable",
    message: expect.stringContaining("AO-1"),
  });
});

test("the key of bundles is made once, and is where the settings say", async () => {
  const config = configOf({ CONTINUUM_DATA_DIR: root });
  const first = await policyBundleSecret(config);
  expect(first).toHaveLength(32);
  expect(await policyBundleSecret(config)).toEqual(first);
});

function configOf(variables: Record<string, string>): Config {
  const environment = { variables, homeDir: root, workingDir: root, hostName: "here" };
  const loaded = loadConfig({ environment });
  if (!loaded.ok) throw new Error(loaded.problem.message);
  return loaded.value.config;
}

describe("a start", () => {
  let on: TestDatabase;
  beforeAll(async () => {
    on = await createTestDatabase({ max: 2 });
    await on.database.query("INSERT INTO tenants (tenant) VALUES ('default')");
  });
  afterAll(() => on.close());

  const warned: unknown[] = [];
  const log = { warn: (_event: string, facts?: object) => void warned.push(facts) };
  const start = (variables: Record<string, string> = {}) => checkPolicyInForce(on.database, configOf(variables), log);
  const inForce = async () => {
    const parts = { ...(await composePolicy({ load: "when-asked" })), nowMs: () => 1000 };
    return readPolicyInForce(on.database, parts, "default");
  };
  /** As if people had activated the files of a folder. */
  const activate = async (folder: string) => {
    const from = (await inForce()).digest;
    const files = programPolicyFiles(folder);
    const digest = policyDigestOf(files);
    const baseDigest = folder === whole ? baseDigestOf(programPolicyFiles(undefined)) : baseDigestOf(files);
    const at = { tenant: "default", atMs: 1000 };
    await keepPolicyVersion(on.database, { ...at, digest, baseDigest, files: encodePolicyFiles(files) });
    const change = { ...at, from, to: digest, by: "ada", proposal: "p", approval: Buffer.from("") };
    await on.database.transaction((tx) => replaceActivePolicy(tx, change));
  };

  test("with whatever files is good while nothing is in force", () => start({ CONTINUUM_POLICY_DIR: own }));

  test("with other files than those in force is refused, and says the way out", async () => {
    expect((await inForce()).digest).toBe(policyDigestOf(programPolicyFiles(undefined)));
    await start();
    appendFileSync(join(whole, "prices.json"), " ");
    for (const folder of [whole, own]) {
      const refused = start({ CONTINUUM_POLICY_DIR: folder });
      await expect(refused).rejects.toMatchObject({ code: "policy-differs" });
      await expect(refused).rejects.toThrow(/policyDir .*keep-active.*policy activate/s);
    }
  });

  test("goes on with the policy in force when it was told to, and says so in the log", async () => {
    await start({ CONTINUUM_POLICY_DIR: own, CONTINUUM_POLICY_ON_DIFFERENCE: "keep-active" });
    expect(warned).toMatchObject([{ tenant: "default", reason: expect.stringContaining(own) }]);
  });

  test("is good with the files that what people activated stands on", async () => {
    await activate(own);
    await start();
    await start({ CONTINUUM_POLICY_DIR: own });
    appendFileSync(join(whole, "prices.json"), " ");
    await activate(whole);
    await start();
    await start({ CONTINUUM_POLICY_DIR: whole });
    await expect(start({ CONTINUUM_POLICY_DIR: own })).rejects.toMatchObject({ code: "policy-differs" });
  });
});
