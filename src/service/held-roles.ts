import { ROLES, type Role } from "../contract/operation.ts";
import { LIMITED_ROLES, type LimitedRole } from "../core/tenancy/scoped-role.ts";

/** Stored roles that this version knows, in the contract's order; one that it does not know grants nothing. */
export function rolesOf(stored: readonly string[]): Role[] {
  return ROLES.filter((role) => stored.includes(role));
}

/** Those of them that hold in one environment alone. */
export function limitedRolesOf(stored: readonly string[]): LimitedRole[] {
  return LIMITED_ROLES.filter((role) => stored.includes(role));
}
