import { tmpdir } from "node:os";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadConfig } from "../config/load.ts";
import { createTestDatabase, type TestDatabase } from "../store/testing/test-database.ts";
import { lookAtDatabase } from "./database.ts";

// On an ordinary server the tests have no logins of their own, only roles that a superuser takes on.
const ordinary = (process.env["CONTINUUM_TEST_DATABASE_URL"] ?? "") !== "";
let on: TestDatabase;
beforeAll(async () => {
  on = await createTestDatabase({ max: 1 });
});
afterAll(() => on?.close());

async function logins(variables: Record<string, string>) {
  const environment = { variables, workingDir: tmpdir(), homeDir: tmpdir(), hostName: "here" };
  const loaded = loadConfig({ environment });
  if (!loaded.ok) throw new Error(loaded.problem.message);
  const found = await lookAtDatabase(loaded.value.config);
  return found.filter(({ check }) => check.startsWith("database.login.")).map(({ state, seen }) => [state, seen]);
}

test("says of one's own PostgreSQL when the database would not keep tenants apart", async () => {
  const own = { CONTINUUM_DATABASE_URL: on.url };
  const all = [expect.stringMatching(/ is a superuser/), expect.stringMatching(/ is a superuser/)];
  expect(await logins(own)).toEqual(all.map((seen) => ["broken", seen]));
  const allowed = { ...own, CONTINUUM_ALLOW_PRIVILEGED_DATABASE_ROLE: "true" };
  expect((await logins(allowed)).map(([state]) => state)).toEqual(["note", "note"]);
});

test.skipIf(ordinary)("finds nothing against logins that own nothing, and one that is the other's", async () => {
  const fit = {
    ...{ CONTINUUM_DATABASE_URL: on.url, CONTINUUM_API_DATABASE_URL: on.urlAs("api") },
    CONTINUUM_WORKER_DATABASE_URL: on.urlAs("worker"),
  };
  expect(await logins(fit)).toEqual([
    ["ok", "continuum_api: one tenant at a time"],
    ["ok", "continuum_worker: all tenants, and no tables"],
  ]);
  const swapped = {
    ...fit,
    CONTINUUM_API_DATABASE_URL: on.urlAs("worker"),
    CONTINUUM_WORKER_DATABASE_URL: on.urlAs("api"),
  };
  expect(await logins(swapped)).toEqual([
    ["broken", "continuum_worker sees all tenants, as workers do"],
    ["broken", "continuum_api has no rights to the tables"],
  ]);
});
