import { type Operation, type Permission, ROLES, type Role } from "../contract/operation.ts";
import { environmentSourceOf } from "../contract/operation-environment.ts";
import { baseRoleOf, rolesHeldIn } from "../core/tenancy/scoped-role.ts";
import type { Queryable } from "../store/database.ts";
import { rolloutEnvironment } from "../store/queries/rollout-environment.ts";
import { type Principal, permissionsOf } from "./principal.ts";
import { refuse } from "./refusal.ts";

const KINDS = { human: "a person", agent: "an agent", service: "a service" } as const;

/** What programs never have, whatever their token says: a person answers for these. */
export const FOR_PEOPLE: readonly Permission[] = ["approve", "govern", "administer"];

/** Deny by default: what no role of the credential grants is refused, and so is whoever is no person where one is needed. */
function authorize(operation: Operation, principal: Principal): void {
  if (operation.humansOnly && principal.kind !== "human") {
    refuse("humans-only", `Only a person may do this, and ${principal.id} is ${KINDS[principal.kind]}.`);
  }
  const permitted = permissionsOf(principal.roles).has(operation.permission);
  if (permitted && (principal.kind === "human" || !FOR_PEOPLE.includes(operation.permission))) return;
  const where = (principal.limitedRoles ?? []).length > 0 ? " for all that this concerns" : "";
  refuse("forbidden", `This needs the permission ${operation.permission}, which the credential does not have${where}.`);
}

/** As far as it can be said before anything of the request is read: whether it is permitted in some environment. */
export function authorizeSomewhere(operation: Operation, principal: Principal): void {
  const source = environmentSourceOf(operation);
  authorize(operation, source === "none" ? principal : { ...principal, roles: allRoles(principal) });
}

/**
 * Refuses, or answers the principal with the roles that hold for what the request is about: the one thing that a use
 * case sees of them. Where nothing is any environment's, roles stay as they are.
 */
export async function authorizeHere(
  db: Queryable,
  asked: { operation: Operation; input: unknown },
  principal: Principal,
): Promise<Principal> {
  const { operation, input } = asked;
  const { tenant, limitedRoles = [] } = principal;
  const source = environmentSourceOf(operation);
  if (source === "any" || limitedRoles.length === 0) {
    authorizeSomewhere(operation, principal);
    return principal;
  }
  const here = rolesHeldIn(limitedRoles, await environmentOf(db, { source, input, tenant })) as Role[];
  const acting = { ...principal, roles: ordered([...principal.roles, ...here]) };
  authorize(operation, acting);
  return acting;
}

function allRoles({ roles, limitedRoles = [] }: Principal): Role[] {
  return ordered([...roles, ...limitedRoles.map((role) => baseRoleOf(role) as Role)]);
}

function ordered(roles: readonly Role[]): Role[] {
  return ROLES.filter((role) => roles.includes(role));
}

async function environmentOf(
  db: Queryable,
  { source, input, tenant }: { source: "path" | "plan" | "rollout" | "none"; input: unknown; tenant: string },
): Promise<string | undefined> {
  switch (source) {
    case "none":
      return undefined;
    case "path":
      return textAt(input, ["params", "environment"]);
    case "plan":
      return textAt(input, ["body", "plan", "spec", "environment"]) ?? textAt(input, ["body", "spec", "environment"]);
    case "rollout": {
      const id = textAt(input, ["params", "id"]);
      return id === undefined ? undefined : rolloutEnvironment(db, tenant, id);
    }
  }
}

function textAt(value: unknown, path: readonly string[]): string | undefined {
  const found = path.reduce<unknown>(
    (at, key) => (typeof at === "object" && at !== null ? (at as Record<string, unknown>)[key] : undefined),
    value,
  );
  return typeof found === "string" ? found : undefined;
}
