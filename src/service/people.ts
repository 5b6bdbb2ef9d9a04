import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { OperationOutput } from "../contract/operations.ts";
import { appendAudit } from "../engine/audit-log.ts";
import type { Transaction } from "../store/database.ts";
import { passkeysOf, removePasskeys } from "../store/queries/passkeys.ts";
import {
  forgetEnrolments,
  insertEnrolment,
  listPeople,
  lockPerson,
  type PersonRow,
  personLinked,
} from "../store/queries/people.ts";
import { sessionsOf } from "../store/queries/sessions.ts";
import { readTotp } from "../store/queries/totp.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Call, Handlers, ServiceParts } from "./handler.ts";
import { limitedRolesOf, rolesOf } from "./held-roles.ts";
import type { Principal } from "./principal.ts";
import { notFound, refuse } from "./refusal.ts";
import { requireSelf } from "./require-self.ts";
import { optionalTime } from "./rollout-view.ts";
import { endPersonSessions, momentOf } from "./sessions.ts";
import { codeHash } from "./sign-in.ts";
import { dropFactors, useTotp } from "./step-up.ts";
import { ensurePrincipal, grantable } from "./tokens.ts";

/** A link is sent by some other way and used the same day, or made again. */
const INVITED_SECONDS = 24 * 3600;
/** A code for oneself is used at once. */
const OWN_SECONDS = 15 * 60;
/** What changes who somebody is needs a passkey's answer that is not older. */
const FRESH_MS = 10 * 60_000;
const afterShape = z.tuple([z.string()]);

type Name =
  | "people.list"
  | "people.invite"
  | "people.reset"
  | "me.enroll"
  | "me.passkeys.list"
  | "me.passkeys.remove"
  | "me.sessions.list"
  | "me.sessions.end";

type PeopleNeeds = Pick<ServiceParts, "database" | "nowMs" | "people" | "webhooks">;

export function peopleHandlers(parts: PeopleNeeds): Handlers<Name> {
  return {
    "people.list": async ({ principal, input }) => {
      const { cursor, limit = PAGE_LIMIT } = input.query;
      const after = decodeCursor("people.list", cursor, afterShape)?.[0];
      const page = { tenant: principal.tenant, limit: limit + 1, ...(after === undefined ? {} : { after }) };
      const rows = await listPeople(parts.database, page);
      return toPage(rows, { list: "people.list", limit, keyOf: (row) => [row.id], view: personView });
    },
    "people.invite": (call) => invite(parts, call),
    "people.reset": (call) => reset(parts, call),
    "me.enroll": (call) => enrollSelf(parts, call),
    "me.passkeys.list": async ({ principal: { tenant, id } }) => {
      const rows = await passkeysOf(parts.database, tenant, id);
      const view = ({ id, label, createdAt, lastUsedAt }: (typeof rows)[number]) => ({
        ...{ id, label, createdAt: createdAt.toISOString(), lastUsedAt: optionalTime(lastUsedAt?.getTime() ?? null) },
      });
      return { items: rows.map(view) };
    },
    "me.passkeys.remove": (call) => removeOwn(parts, call),
    "me.sessions.list": async ({ principal }) => {
      const { tenant, id, session } = principal;
      const rows = await sessionsOf(parts.database, { tenant, principal: id }, momentOf(parts));
      const items = rows.map((row) => ({
        ...{ id: row.id, method: row.method, current: row.id === session?.id },
        ...{ createdAt: row.createdAt.toISOString(), seenAt: row.seenAt.toISOString() },
        expiresAt: row.expiresAt.toISOString(),
      }));
      return { items };
    },
    "me.sessions.end": async ({ principal: { tenant, id }, input }) => {
      const which = { tenant, principal: id, id: input.params.id, by: { id, kind: "human" } as const };
      const ended = await parts.database.transaction((tx) => endPersonSessions(tx, parts, which));
      return ended === 0 ? notFound("session") : { ended: true };
    },
  };
}

type Enrolment = OperationOutput<"people.invite">;

/**
 * A person's first way in. Whoever has a second factor is not invited over it: a second code would let whoever made it come
 * in under their name.
 */
async function invite(parts: PeopleNeeds, call: Call<"people.invite">): Promise<Enrolment> {
  const { principal: by, input } = call;
  const { tenant } = by;
  const roles = grantable(by, input.body.roles);
  const { principal } = input.body;
  return parts.database.transaction(async (tx) => {
    await ensurePrincipal(tx, tenant, { principal, kind: "human", roles }, by.id);
    await refuseSecondWay(tx, tenant, principal);
    const seconds = input.body.expiresInSeconds ?? INVITED_SECONDS;
    return enrolment(tx, parts, { call, principal, seconds, action: "person.invite", roles });
  });
}

async function refuseSecondWay(tx: Transaction, tenant: string, principal: string): Promise<void> {
  if (await personLinked(tx, tenant, principal)) {
    refuse("not-acceptable-now", `${principal} signs in by the identity provider, which says who they are.`);
  }
  const codes = await readTotp(tx, { tenant, principal });
  if (codes?.secret == null && (await passkeysOf(tx, tenant, principal)).length === 0) return;
  refuse(
    "not-acceptable-now",
    `${principal} has a passkey or one-time codes; if they are lost, reset the person first.`,
  );
}

/**
 * For oneself: the first passkey by whatever the person has, which is a one-time code where they have those, and each
 * further one by a passkey's fresh answer. A token alone must not bring a second factor in beside another.
 * Errors: `step-up-required`, `step-up-failed`.
 */
async function enrollSelf(parts: PeopleNeeds, call: Call<"me.enroll">): Promise<Enrolment> {
  const { tenant, id } = call.principal;
  const { expiresInSeconds: seconds = OWN_SECONDS, totpCode } = call.input.body;
  if (totpCode !== undefined) await useTotp(parts, call.principal, totpCode);
  return parts.database.transaction(async (tx) => {
    await requireSelf(tx, parts, { principal: call.principal, shown: totpCode !== undefined });
    if ((await passkeysOf(tx, tenant, id)).length > 0) requireFresh(parts, call.principal);
    else if (totpCode === undefined && (await readTotp(tx, { tenant, principal: id }))?.secret != null) {
      refuse("step-up-required", "You have one-time codes: show one with this request.");
    }
    return enrolment(tx, parts, { call, principal: id, seconds, action: "person.enroll" });
  });
}

/** Errors: `step-up-required`. */
function requireFresh(parts: PeopleNeeds, { session }: Principal): void {
  const isFresh = session?.method === "passkey" && parts.nowMs() - session.startedAtMs <= FRESH_MS;
  if (!isFresh)
    refuse("step-up-required", "Sign in by your passkey first: this needs a sign-in of the last 10 minutes.");
}

async function enrolment(
  tx: Transaction,
  parts: PeopleNeeds,
  asked: {
    call: Pick<Call<"me.enroll">, "principal" | "actor">;
    principal: string;
    seconds: number;
    action: string;
    roles?: string[];
  },
): Promise<Enrolment> {
  const { call, principal, seconds, action, roles } = asked;
  const { tenant } = call.principal;
  const atMs = parts.nowMs();
  const expiresAtMs = atMs + seconds * 1000;
  const code = `cte_${randomBytes(32).toString("base64url")}`;
  const id = `en_${randomBytes(8).toString("hex")}`;
  const times = { createdAtMs: atMs, expiresAtMs };
  await insertEnrolment(tx, {
    tenant,
    id,
    principal,
    secretHash: codeHash(code),
    createdBy: call.principal.id,
    ...times,
  });
  const expiresAt = new Date(expiresAtMs).toISOString();
  const fact = { tenant, atMs, actor: call.actor, subject: `principal:${principal}`, outcome: "accepted" } as const;
  await appendAudit(tx, {
    ...fact,
    action,
    details: { principal, expiresAt, ...(roles === undefined ? {} : { roles }) },
  });
  const origin = parts.people?.relyingParty()?.origin;
  return { principal, code, link: origin === undefined ? null : `${origin}/#enroll=${code}`, expiresAt };
}

async function reset(parts: PeopleNeeds, call: Call<"people.reset">): Promise<OperationOutput<"people.reset">> {
  const { principal: by, actor, input } = call;
  const { tenant } = by;
  const { id } = input.params;
  const atMs = parts.nowMs();
  return parts.database.transaction(async (tx) => {
    await lockPerson(tx, tenant, id);
    // First: of a code that is being used at this moment the passkey is there afterwards, and goes with the others.
    const codes = await forgetEnrolments(tx, tenant, id);
    const removed = await removePasskeys(tx, { tenant, principal: id, atMs });
    const who = { id: by.id, kind: "human" } as const;
    const sessions = await endPersonSessions(tx, parts, { tenant, principal: id, by: who });
    const { keys, totp } = await dropFactors(tx, { tenant, principal: id, atMs });
    if (removed.length === 0 && sessions === 0 && keys === 0 && !totp && codes === 0)
      return notFound("person with a passkey, a session, one-time codes or a key");
    const fact = { tenant, atMs, actor, subject: `principal:${id}`, outcome: "accepted" } as const;
    await appendAudit(tx, {
      ...fact,
      action: "person.reset",
      details: { principal: id, count: removed.length + keys + (totp ? 1 : 0) },
    });
    return { passkeys: removed.length, sessions, totp };
  });
}

async function removeOwn(parts: PeopleNeeds, call: Call<"me.passkeys.remove">): Promise<{ removed: boolean }> {
  const { principal, actor, input } = call;
  const { tenant, id } = principal;
  const atMs = parts.nowMs();
  requireFresh(parts, principal);
  return parts.database.transaction(async (tx) => {
    const own = await passkeysOf(tx, tenant, id);
    if (!own.some((one) => one.id === input.params.id)) return notFound("passkey");
    if (own.length === 1) refuse("not-acceptable-now", "This is your only passkey: register another one first.");
    await removePasskeys(tx, { tenant, principal: id, id: input.params.id, atMs });
    const fact = { tenant, atMs, actor, subject: `passkey:${input.params.id}`, outcome: "accepted" } as const;
    await appendAudit(tx, { ...fact, action: "passkey.remove", details: { principal: id } });
    return { removed: true };
  });
}

function personView(row: PersonRow): OperationOutput<"people.list">["items"][number] {
  const { id, passkeys, linked, lastSeenAt } = row;
  return {
    id,
    roles: [...rolesOf(row.roles), ...limitedRolesOf(row.roles)],
    passkeys,
    linked,
    lastSeenAt: optionalTime(lastSeenAt?.getTime() ?? null),
  };
}
