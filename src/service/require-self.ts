import { baseRoleOf } from "../core/tenancy/scoped-role.ts";
import type { Transaction } from "../store/database.ts";
import { lockPerson, personLinked } from "../store/queries/people.ts";
import { readPrincipal } from "../store/queries/principals.ts";
import { sessionsOf } from "../store/queries/sessions.ts";
import { limitedRolesOf, rolesOf } from "./held-roles.ts";
import { type Principal, permissionsOf } from "./principal.ts";
import { refuse } from "./refusal.ts";
import { momentOf, type SessionParts } from "./sessions.ts";

/**
 * Whoever brings in a passkey, codes or a key is that person later on, so it takes more than any credential of theirs.
 * A session must be open under the person's lock, which a reset takes as well: what it shut out must not slip in beside
 * it. Where no second factor is shown (`shown` false), a token must hold all that the person may, or it would become
 * more by a sign-in; and whoever signs in by the identity provider comes from there, since tokens are made by others.
 * Errors: `unauthenticated`, `forbidden`, `step-up-required`.
 */
export async function requireSelf(
  tx: Transaction,
  parts: Omit<SessionParts, "database">,
  { principal, shown }: { principal: Principal; shown: boolean },
): Promise<void> {
  const { tenant, id, session } = principal;
  await lockPerson(tx, tenant, id);
  if (session !== undefined) {
    const open = await sessionsOf(tx, { tenant, principal: id }, momentOf(parts));
    if (!open.some((one) => one.id === session.id)) refuse("unauthenticated", "The session is over: sign in again.");
    return;
  }
  if (shown) return;
  if (await personLinked(tx, tenant, id)) {
    refuse("step-up-required", "You sign in by the identity provider: do so in a browser, and register it there.");
  }
  const lacking = await rolesLacking(tx, principal);
  if (lacking !== undefined) {
    refuse("forbidden", `The token lacks your role ${lacking}: register with one that holds all of your roles.`);
  }
}

async function rolesLacking(tx: Transaction, principal: Principal): Promise<string | undefined> {
  const { tenant, id, limitedRoles = [] } = principal;
  const person = await readPrincipal(tx, tenant, id);
  const stored = [...rolesOf(person?.roles ?? []), ...limitedRolesOf(person?.roles ?? [])];
  const held: readonly string[] = [...principal.roles, ...limitedRoles];
  const reads = permissionsOf(principal.roles).has("read");
  return stored.find((role) => {
    const base = baseRoleOf(role);
    if (held.includes(role) || held.includes(base)) return false;
    return base === "viewer" ? !reads : base === "break-glass" || !held.includes("admin");
  });
}
