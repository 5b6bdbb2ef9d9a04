import { ROLES, type Role } from "../contract/operation.ts";
import type { Handlers } from "./handler.ts";
import { timeOf } from "./rollout-view.ts";

export function principalHandlers(): Handlers<"principal.show"> {
  return {
    "principal.show": async ({ principal }) => {
      const { id, kind, tenant, roles, expiresAtMs } = principal;
      return { id, kind, tenant, roles: [...roles], expiresAt: timeOf(expiresAtMs) };
    },
  };
}

/** Stored roles that this version knows, in the contract's order; one that it does not know grants nothing. */
export function rolesOf(stored: readonly string[]): Role[] {
  return ROLES.filter((role) => stored.includes(role));
}
