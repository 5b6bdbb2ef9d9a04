import type { Queryable } from "./database.ts";
import type { DatabaseRole, DatabaseRoles } from "./roles.ts";
import { StoreError } from "./store-error.ts";

/** What a login to the database is, as far as row-level security is concerned. */
export interface LoginFacts {
  login: string;
  superuser: boolean;
  bypassesRowSecurity: boolean;
  /** Owns tables of ours, or may become who does. */
  owner: boolean;
  /** May make tables in the schema. */
  creates: boolean;
  /** Holds the rights of the role. */
  api: boolean;
  worker: boolean;
}

export async function readLoginFacts(db: Queryable, roles: DatabaseRoles): Promise<LoginFacts> {
  const { rows } = await db.query<LoginFacts>(
    `SELECT current_user AS login, r.rolsuper AS superuser, r.rolbypassrls AS "bypassesRowSecurity",
       EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
         AND pg_has_role(session_user, c.relowner, 'MEMBER')) AS owner,
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS creates,
       EXISTS (SELECT FROM pg_roles WHERE rolname = $1 AND pg_has_role(oid, 'USAGE')) AS api,
       EXISTS (SELECT FROM pg_roles WHERE rolname = $2 AND pg_has_role(oid, 'USAGE')) AS worker
     FROM pg_roles r WHERE r.rolname = current_user`,
    [roles.api, roles.worker],
  );
  const [facts] = rows;
  if (facts === undefined) throw new Error("broken invariant: whoever asks is a role");
  return facts;
}

/** What the login may that no running program needs; undefined when there is nothing. */
export function excessOf(facts: LoginFacts, role: DatabaseRole): string | undefined {
  if (facts.superuser) return "is a superuser";
  if (facts.bypassesRowSecurity) return "passes row-level security by (BYPASSRLS)";
  if (facts.owner) return "owns the tables, or may become who does";
  if (role === "api" && facts.worker) return "sees all tenants, as workers do";
  return facts.creates ? "may make tables" : undefined;
}

/**
 * Refuses a login that row-level security does not hold, unless that is allowed, and one that it leaves without a row.
 * Answers what is allowed and should not stay so. Errors: `role-unfit`.
 */
export async function requireFitLogin(
  db: Queryable,
  { role, roles, allowPrivileged }: { role: DatabaseRole; roles: DatabaseRoles; allowPrivileged: boolean },
): Promise<string | undefined> {
  const facts = await readLoginFacts(db, roles);
  const { login } = facts;
  const excess = excessOf(facts, role);
  const grant = (to: string) => `GRANT ${roles[role]} TO ${to}`;
  if (excess !== undefined && !allowPrivileged) {
    throw new StoreError(
      "role-unfit",
      `The login ${login} ${excess}, so the database would not keep tenants apart: log in as one that owns nothing and run \`${grant("THE_LOGIN")}\`, or set allowPrivilegedDatabaseRole.`,
      { details: { login } },
    );
  }
  const sees = facts.superuser || facts.bypassesRowSecurity || facts.owner || facts[role];
  if (!sees) {
    throw new StoreError(
      "role-unfit",
      `The login ${login} has no rights to the tables: as their owner, run \`${grant(login)}\` (and \`continuum migrate\`, where that was never done).`,
      { details: { login } },
    );
  }
  return excess;
}
