import { type Permission, type PrincipalKind, ROLE_PERMISSIONS, type Role } from "../contract/operation.ts";
import type { LimitedRole } from "../core/tenancy/scoped-role.ts";
import type { Actor } from "../engine/engine.ts";

/** Who asks, exactly as the credential says; nothing of it ever comes from a request's payload. */
export interface Principal {
  tenant: string;
  id: string;
  kind: PrincipalKind;
  /** Those that hold everywhere; inside a use case, those that hold for what it is about. */
  roles: readonly Role[];
  /** Those that hold in one environment alone, such as `approver@production`. */
  limitedRoles?: readonly LimitedRole[];
  /** The person who answers for an agent or a service. */
  owner?: string;
  tokenId: string;
  expiresAtMs: number;
  /** Of a person who signed in by a browser, instead of a token; `tokenId` is then the session's id. */
  session?: { id: string; method: "passkey" | "oidc"; startedAtMs: number };
}

export function permissionsOf(roles: readonly Role[]): Set<Permission> {
  return new Set(roles.flatMap((role) => ROLE_PERMISSIONS[role]));
}

export function actorOf(principal: Principal): Actor {
  const { id, kind, owner } = principal;
  return owner === undefined ? { id, kind } : { id, kind, owner };
}
