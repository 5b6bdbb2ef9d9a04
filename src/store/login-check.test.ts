import { afterAll, beforeAll, expect, test } from "vitest";
import { requireFitLogin } from "./login-check.ts";
import { DATABASE_ROLES } from "./roles.ts";
import { createTestDatabase, type TestDatabase } from "./testing/test-database.ts";

let on: TestDatabase;
beforeAll(async () => {
  on = await createTestDatabase({ max: 2 });
});
afterAll(() => on?.close());

// On an ordinary server the tests take roles on from a superuser, which is what the check is to find.
const ordinary = (process.env["CONTINUUM_TEST_DATABASE_URL"] ?? "") !== "";
const how = { roles: DATABASE_ROLES, allowPrivileged: false };

test.skipIf(ordinary)("the roles that own nothing are fit for what they are for", async () => {
  expect(await requireFitLogin(on.openAs("api"), { ...how, role: "api" })).toBeUndefined();
  expect(await requireFitLogin(on.openAs("worker"), { ...how, role: "worker" })).toBeUndefined();
});

test("one that is not held by the policies is refused, or told of where it is allowed", async () => {
  await expect(requireFitLogin(on.database, { ...how, role: "api" })).rejects.toMatchObject({
    code: "role-unfit",
    message: expect.stringContaining("GRANT continuum_api TO THE_LOGIN"),
  });
  expect(await requireFitLogin(on.database, { ...how, role: "api", allowPrivileged: true })).toBe("is a superuser");
  await expect(requireFitLogin(on.openAs("worker"), { ...how, role: "api" })).rejects.toMatchObject({
    message: expect.stringContaining("sees all tenants"),
  });
});

test.skipIf(ordinary)("one that the policies leave without a row is refused whatever is allowed", async () => {
  const unfit = requireFitLogin(on.openAs("api"), { ...how, role: "worker", allowPrivileged: true });
  await expect(unfit).rejects.toMatchObject({ code: "role-unfit", message: expect.stringContaining("no rights") });
});
