import { expect, test } from "vitest";
import { baseRoleOf, LIMITED_ROLES, rolesHeldIn } from "./scoped-role.ts";

test("a role that is limited to an environment holds there and nowhere else", () => {
  const stored = ["viewer", "approver@production", "approver@staging", "proposer@staging"];
  expect(rolesHeldIn(stored, "production")).toEqual(["viewer", "approver"]);
  expect(rolesHeldIn(stored, "staging")).toEqual(["viewer", "approver", "proposer"]);
  expect(rolesHeldIn(stored, "development")).toEqual(["viewer"]);
  expect(rolesHeldIn(stored, undefined)).toEqual(["viewer"]);
  expect(rolesHeldIn(["approver@"], "")).toEqual([]);
});

test("only roles whose permissions are an environment's can be limited", () => {
  expect(new Set(LIMITED_ROLES.map(baseRoleOf))).toEqual(
    new Set(["proposer", "operator", "approver", "budget-owner", "break-glass"]),
  );
  expect(LIMITED_ROLES).toContain("approver@production");
});
