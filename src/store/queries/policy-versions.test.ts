import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database } from "../database.ts";
import { createTestDatabase } from "../testing/test-database.ts";
import {
  activateFirstPolicy,
  countOpenProposals,
  endPolicyProposal,
  keepPolicyVersion,
  listActivations,
  listActivePolicies,
  listPolicyVersions,
  openPolicyProposal,
  readActivePolicy,
  readPolicyFilesOf,
  readPolicyVersion,
  recentPlans,
  replaceActivePolicy,
} from "./policy-versions.ts";

const TENANT = "acme";
const FIRST = digest("1");
const SECOND = digest("2");
const FORMER = digest("f");
const FILES = Buffer.from("[]");

let database: Database;
let close: () => Promise<void>;

beforeAll(async () => {
  ({ database, close } = await createTestDatabase({ max: 4 }));
  await database.query("INSERT INTO tenants (tenant) VALUES ($1), ('other')", [TENANT]);
});
afterAll(() => close());

function digest(character: string): string {
  return `sha256:${character.repeat(64)}`;
}

function version(of: string, atMs = 1000) {
  return { tenant: TENANT, digest: of, baseDigest: FIRST, files: FILES, atMs };
}

const audit = { subject: FIRST, entry: Buffer.from("{}"), leafHash: Buffer.alloc(32) };

const change = { tenant: TENANT, atMs: 3000, by: "ada", proposal: "p-1", approval: Buffer.from("bundle") };

test("of several that activate a tenant's first policy at once, one does and tells of it", async () => {
  // What an older program left under way, decided by the same files under their former name, and by others.
  await database.query("INSERT INTO plans (tenant, digest, bytes) VALUES ($1, 'p', '')", [TENANT]);
  await database.query(
    "INSERT INTO endpoints (tenant, environment, target, name) VALUES ($1, 'staging', 'local', 'churn')",
    [TENANT],
  );
  for (const [id, of] of [
    ["r-open", FORMER],
    ["r-other", SECOND],
  ] as const)
    await database.query(
      `INSERT INTO rollouts (tenant, id, environment, target, name, plan_digest, phase, active, terminal, dry_run, simulation, sequence, state, decision)
       VALUES ($1, $2, 'staging', 'local', 'churn', 'p', 'Queued', false, false, false, false, 1, $3, '{}')`,
      [TENANT, id, JSON.stringify({ policyDigest: of })],
    );
  const first = () => activateFirstPolicy(database, { ...version(FIRST), formerDigest: FORMER, by: "system", audit });
  await Promise.all([first(), first(), first()]);
  const { rows } = await database.query("SELECT id, state ->> 'policyDigest' AS digest FROM rollouts ORDER BY id");
  expect(rows).toEqual([
    { id: "r-open", digest: FIRST },
    { id: "r-other", digest: SECOND },
  ]);
  const { rowCount: told } = await database.query("SELECT FROM audit_entries WHERE tenant = $1", [TENANT]);
  expect(told).toBe(1);
  expect(await readActivePolicy(database, TENANT)).toEqual({
    digest: FIRST,
    baseDigest: FIRST,
    sequence: 1,
    since: new Date(1000),
  });
  await activateFirstPolicy(database, { ...version(SECOND), formerDigest: FORMER, by: "system", audit });
  expect((await listActivePolicies(database)).map(({ tenant, digest: of }) => [tenant, of])).toEqual([[TENANT, FIRST]]);
  expect(await readPolicyFilesOf(database, TENANT, SECOND)).toBeUndefined();
});

test("a tenant that is not there gets none", async () => {
  await activateFirstPolicy(database, {
    ...version(FIRST),
    tenant: "nobody",
    formerDigest: FORMER,
    by: "system",
    audit,
  });
  expect(await readActivePolicy(database, "nobody")).toBeUndefined();
});

test("whoever asked for a version first stays the one who did", async () => {
  await keepPolicyVersion(database, version(SECOND, 2000));
  await keepPolicyVersion(database, version(SECOND, 9000));
  const ask = (id: string, by: string) =>
    database.transaction((tx) =>
      openPolicyProposal(tx, { tenant: TENANT, id, digest: SECOND, by, owner: null, atMs: 2500, comment: null }),
    );
  expect(await ask("p-1", "olga")).toBe(true);
  expect(await ask("p-2", "mallory")).toBe(false);
  expect(await countOpenProposals(database, TENANT)).toBe(1);
  expect(await readPolicyVersion(database, TENANT, SECOND)).toEqual({
    digest: SECOND,
    baseDigest: FIRST,
    createdAt: new Date(2000),
    proposal: { id: "p-1", by: "olga", owner: null, at: new Date(2500), comment: null },
    activatedAt: null,
    active: false,
  });
  expect(await readPolicyVersion(database, "other", SECOND)).toBeUndefined();
});

test("a version replaces exactly the one that was seen", async () => {
  const replace = (from: string) =>
    database.transaction((tx) => replaceActivePolicy(tx, { ...change, from, to: SECOND }));
  expect(await replace(digest("9"))).toBeUndefined();
  expect(await replace(FIRST)).toBe(2);
  expect(await replace(FIRST)).toBeUndefined();
  const end = () =>
    database.transaction((tx) =>
      endPolicyProposal(tx, { tenant: TENANT, id: "p-1", outcome: "activated", atMs: 3000 }),
    );
  expect([await end(), await end()]).toEqual([true, false]);
  expect(await listActivations(database, { tenant: TENANT, limit: 9 })).toMatchObject([
    { sequence: 2, digest: SECOND, replaced: FIRST, by: "ada", proposedBy: "olga", approval: Buffer.from("bundle") },
    { sequence: 1, digest: FIRST, replaced: null, by: "system", proposedBy: null, approval: null },
  ]);
  const listed = await listPolicyVersions(database, { tenant: TENANT, limit: 9 });
  expect(listed.map((row) => [row.digest, row.active, row.proposal, row.activatedAt?.getTime()])).toEqual([
    [SECOND, true, null, 3000],
    [FIRST, false, null, 1000],
  ]);
  const after = { createdAtMs: 2000, digest: SECOND };
  expect(await listPolicyVersions(database, { tenant: TENANT, limit: 9, after })).toHaveLength(1);
});

test("recent plans are told each once, and none where nobody proposed any", async () => {
  expect(await recentPlans(database, TENANT, 5)).toMatchObject([{ planDigest: "p" }]);
  expect(await recentPlans(database, "other", 5)).toEqual([]);
});
