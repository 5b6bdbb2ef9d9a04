import { z } from "zod";
import {
  GRANTABLE_ROLES,
  type GrantableRole,
  type Permission,
  type PrincipalKind,
  type Role,
} from "../contract/operation.ts";
import type { OperationInput, OperationOutput } from "../contract/operations.ts";
import { baseRoleOf } from "../core/tenancy/scoped-role.ts";
import { appendAudit } from "../engine/audit-log.ts";
import type { Transaction } from "../store/database.ts";
import { personLinked } from "../store/queries/people.ts";
import {
  insertToken,
  listTokens,
  readPrincipal,
  readToken,
  revokeToken,
  type TokenRow,
  upsertPrincipal,
} from "../store/queries/principals.ts";
import { FOR_PEOPLE } from "./authorize.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Handlers, ServiceParts } from "./handler.ts";
import { type Principal, permissionsOf } from "./principal.ts";
import { notFound, refuse } from "./refusal.ts";
import { optionalTime } from "./rollout-view.ts";
import { TENANCY } from "./tenancy.ts";
import { newToken } from "./token.ts";

const afterShape = z.tuple([z.string()]);
const EXPIRES_IN_SECONDS = 30 * 24 * 3600;

export function tokenHandlers(parts: ServiceParts): Handlers<"tokens.create" | "tokens.list" | "tokens.revoke"> {
  return {
    "tokens.create": async ({ principal, actor, input }) => {
      const { tenant } = principal;
      const roles = grantable(principal, input.body.roles);
      refuseForPrograms(input.body.kind, roles);
      const atMs = parts.nowMs();
      const expiresAtMs = atMs + secondsOf(parts, input.body) * 1000;
      const token = newToken();
      const row = await parts.database.transaction(async (tx) => {
        const holder = await ensurePrincipal(tx, tenant, { ...input.body, roles }, principal.id);
        const { id, hash: secretHash } = token;
        const times = { createdAtMs: atMs, expiresAtMs };
        await insertToken(tx, { tenant, id, principal: holder.id, secretHash, roles, ...times });
        const expiresAt = new Date(expiresAtMs).toISOString();
        const details = { principal: holder.id, principalKind: holder.kind, roles, expiresAt };
        const subject = `token:${id}`;
        await appendAudit(tx, { tenant, atMs, actor, action: "token.create", subject, outcome: "accepted", details });
        return readToken(tx, tenant, id);
      });
      return row === undefined ? notFound("token") : { ...view(row), secret: token.text };
    },

    "tokens.list": async ({ principal, input }) => {
      const { cursor, limit = PAGE_LIMIT } = input.query;
      const after = decodeCursor("tokens.list", cursor, afterShape)?.[0];
      const page = { tenant: principal.tenant, limit: limit + 1, ...(after === undefined ? {} : { after }) };
      const rows = await listTokens(parts.database, page);
      return toPage(rows, { list: "tokens.list", limit, keyOf: (row) => [row.id], view });
    },

    "tokens.revoke": async ({ principal, actor, input }) => {
      const { tenant } = principal;
      const { id } = input.params;
      const atMs = parts.nowMs();
      return parts.database.transaction(async (tx) => {
        if (!(await revokeToken(tx, { tenant, id, atMs }))) return notFound("token");
        const row = await readToken(tx, tenant, id);
        if (row === undefined) return notFound("token");
        const details = { principal: row.principal };
        const subject = `token:${id}`;
        await appendAudit(tx, { tenant, atMs, actor, action: "token.revoke", subject, outcome: "accepted", details });
        return view(row);
      });
    },
  };
}

/** Nobody hands on what they do not have. */
export function grantable(creator: Principal, roles: readonly GrantableRole[]): GrantableRole[] {
  const own = permissionsOf(creator.roles);
  const beyond = roles.find((role) => permitted(role).some((permission) => !own.has(permission)));
  if (beyond !== undefined) refuse("forbidden", `You cannot give the role ${beyond}: it may more than you may.`);
  return GRANTABLE_ROLES.filter((role) => roles.includes(role));
}

/** A person answers for what these permit: no token of a program ever does. */
function refuseForPrograms(kind: PrincipalKind, roles: readonly GrantableRole[]): void {
  if (kind === "human") return;
  const role = roles.find((one) => permitted(one).some((permission) => FOR_PEOPLE.includes(permission)));
  if (role !== undefined)
    refuse(
      "humans-only",
      `The role ${role} is for people: ${kind === "agent" ? "an agent" : "a service"} never has it.`,
    );
}

/** A program that may change something gets a token for a while; one that may only invoke or read may keep it. */
function secondsOf(
  { tenancy = TENANCY }: ServiceParts,
  asked: { kind: PrincipalKind; roles: readonly GrantableRole[]; expiresInSeconds?: number | undefined },
): number {
  const changes = asked.roles.some((role) => permitted(role).some((one) => one === "propose" || one === "operate"));
  const secondsMax = tenancy.programTokenSecondsMax;
  if (asked.kind === "human" || !changes) return asked.expiresInSeconds ?? EXPIRES_IN_SECONDS;
  if ((asked.expiresInSeconds ?? 0) <= secondsMax)
    return asked.expiresInSeconds ?? Math.min(EXPIRES_IN_SECONDS, secondsMax);
  const message = `A token of ${asked.kind === "agent" ? "an agent" : "a service"} that may change something lasts ${secondsMax} s at most here (tenants.programTokenSecondsMax).`;
  return refuse("malformed-request", message, { pointer: "/expiresInSeconds" });
}

function permitted(role: GrantableRole): Permission[] {
  return [...permissionsOf([baseRoleOf(role) as Role])];
}

type NewPrincipal = Pick<OperationInput<"tokens.create">["body"], "principal" | "kind" | "owner" | "roles">;

export async function ensurePrincipal(
  tx: Transaction,
  tenant: string,
  wanted: NewPrincipal,
  creator: string,
): Promise<{ id: string; kind: PrincipalKind }> {
  const { principal: id, kind, owner } = wanted;
  const existing = await readPrincipal(tx, tenant, id);
  if (existing !== undefined && existing.kind !== kind) {
    refuse("malformed-request", `${id} is known as ${existing.kind}, and stays that.`, { pointer: "/kind" });
  }
  if (existing !== undefined && owner !== undefined && existing.owner !== owner) {
    refuse("malformed-request", `${id} has another owner, and keeps it.`, { pointer: "/owner" });
  }
  const wider = wanted.roles.find((role) => existing?.roles.includes(role) === false);
  // Asked only then: an identity provider says what its people may, and no token makes it more.
  if (wider !== undefined && kind === "human" && (await personLinked(tx, tenant, id)))
    refuse("not-acceptable-now", `${id} has the roles that the identity provider gives, and ${wider} is none of them.`);
  // A person answers for every agent and service; who makes one and names nobody answers for it, and can never approve
  // its plans: whoever holds a program's token could else propose by it and approve in their own name.
  const answering = owner ?? (kind === "human" ? undefined : creator);
  if (existing === undefined) await checkOwner(tx, tenant, { id, kind, owner: answering });
  const row = { tenant, id, kind, owner: existing?.owner ?? answering ?? null, roles: [...wanted.roles] };
  return (await upsertPrincipal(tx, row)) ?? refuse("internal", "The principal could not be stored.");
}

async function checkOwner(
  tx: Transaction,
  tenant: string,
  { id, kind, owner }: { id: string; kind: PrincipalKind; owner: string | undefined },
): Promise<void> {
  if (owner === undefined) return;
  if (kind === "human") refuse("malformed-request", `${id} is a person and has no owner.`, { pointer: "/owner" });
  const person = await readPrincipal(tx, tenant, owner);
  if (person?.kind !== "human")
    refuse("malformed-request", `The owner must be a person of the tenant; ${owner} is none.`, { pointer: "/owner" });
}

function view(row: TokenRow): OperationOutput<"tokens.revoke"> {
  return {
    id: row.id,
    principal: { id: row.principal, kind: row.kind, owner: row.owner },
    roles: GRANTABLE_ROLES.filter((role) => row.roles.includes(role)),
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
    revokedAt: optionalTime(row.revokedAt?.getTime() ?? null),
  };
}
