import { ROLES, type Role } from "../contract/operation.ts";
import { LIMITED_ROLES, type LimitedRole } from "../core/tenancy/scoped-role.ts";
import type { Handlers } from "./handler.ts";
import { timeOf } from "./rollout-view.ts";

export function principalHandlers(): Handlers<"principal.show"> {
  return {
    "principal.show": async ({ principal }) => {
      const { id, kind, tenant, expiresAtMs } = principal;
      const roles = [...principal.roles, ...(principal.limitedRoles ?? [])];
      return { id, kind, tenant, roles, expiresAt: timeOf(expiresAtMs) };
    },
  };
}

/** Stored roles that this version knows, in the contract's order; one that it does not know grants nothing. */
export function rolesOf(stored: readonly string[]): Role[] {
  return ROLES.filter((role) => stored.includes(role));
}

export function limitedRolesOf(stored: readonly string[]): LimitedRole[] {
  return LIMITED_ROLES.filter((role) => stored.includes(role));
}
