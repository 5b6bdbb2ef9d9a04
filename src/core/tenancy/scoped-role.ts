import { ENVIRONMENTS, type Environment } from "../plan/schema.ts";

/**
 * Roles that can be given for one environment alone, written `approver@production`. What the others permit is not an
 * environment's: a viewer reads the tenant, an admin makes its tokens.
 */
export const LIMITABLE_ROLES = ["proposer", "operator", "approver", "budget-owner", "break-glass"] as const;
export type LimitableRole = (typeof LIMITABLE_ROLES)[number];
export type LimitedRole = `${LimitableRole}@${Environment}`;

export const LIMITED_ROLES: readonly LimitedRole[] = LIMITABLE_ROLES.flatMap((role) =>
  ENVIRONMENTS.map((environment): LimitedRole => `${role}@${environment}`),
);

/** The role of `ROLE@ENVIRONMENT`, or of a role that holds everywhere. */
export function baseRoleOf(stored: string): string {
  return stored.split("@", 1)[0] ?? stored;
}

/** What of the stored roles holds in the environment; without one, what holds everywhere. */
export function rolesHeldIn(stored: readonly string[], environment: string | undefined): string[] {
  const held = stored.flatMap((role) => {
    const [base = "", where] = role.split("@", 2);
    return where === undefined || (where !== "" && where === environment) ? [base] : [];
  });
  return [...new Set(held)];
}
