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
