import { createHash, randomBytes } from "node:crypto";
import { appendAudit } from "../engine/audit-log.ts";
import type { Database, Transaction } from "../store/database.ts";
import {
  endSessions,
  forgetSessions,
  insertSession,
  type Moment,
  principalBySession,
  type SessionMethod,
  touchSession,
} from "../store/queries/sessions.ts";
import { limitedRolesOf, rolesOf } from "./held-roles.ts";
import type { PeopleParts } from "./people-parts.ts";
import type { Principal } from "./principal.ts";

const SHAPE = /^cts_[A-Za-z0-9_-]{43}$/;
/** A session that is used all the time is written once in this while, and not with each request. */
const TOUCH_AFTER_MS = 60_000;
/** How long the row of a session that is over stays, for whoever looks when somebody was here last. */
const KEPT_MS = 90 * 24 * 3600 * 1000;
const DEFAULTS: PeopleParts["session"] = { idleSeconds: 30 * 60, absoluteSeconds: 12 * 3600 };

export interface SessionParts {
  database: Database;
  people?: PeopleParts;
  nowMs(): number;
}

/**
 * The person whose browser holds this cookie; undefined when the session is unknown, over, or was not used for too long.
 * With `rests` the look does not count as use: a stream that is left open must not keep a session alive.
 */
export async function principalOfSession(
  parts: SessionParts,
  cookie: string,
  how: { rests?: boolean } = {},
): Promise<Principal | undefined> {
  if (!SHAPE.test(cookie)) return undefined;
  const moment = momentOf(parts);
  const row = await principalBySession(parts.database, hashOf(cookie), moment);
  if (row === undefined) return undefined;
  const { tenant, id, kind, roles, session } = row;
  if (how.rests !== true && moment.nowMs - session.seenAt.getTime() > TOUCH_AFTER_MS) {
    await touchSession(parts.database.forTenant(tenant), { tenant, id: session.id, seenAtMs: moment.nowMs });
  }
  return {
    ...{
      tenant,
      id,
      kind,
      roles: rolesOf(roles),
      limitedRoles: limitedRolesOf(roles),
      tokenId: session.id,
      expiresAtMs: session.expiresAt.getTime(),
    },
    session: { id: session.id, method: session.method, startedAtMs: session.createdAt.getTime() },
  };
}

/** What counts as an open session now. */
export function momentOf(parts: Omit<SessionParts, "database">): Moment {
  const { idleSeconds } = parts.people?.session ?? DEFAULTS;
  const nowMs = parts.nowMs();
  return { nowMs, seenAfterMs: nowMs - idleSeconds * 1000 };
}

export interface NewSession {
  /** Goes into the cookie and nowhere else. */
  secret: string;
  beganAtMs: number;
  expiresAtMs: number;
}

/**
 * Begins a session under a secret of its own. A session that the browser held before is ended by its caller: what was
 * known before signing in must open nothing afterwards.
 */
export async function beginSession(
  tx: Transaction,
  parts: SessionParts,
  person: { tenant: string; principal: string; roles: readonly string[]; method: SessionMethod },
): Promise<NewSession> {
  const { tenant, principal, roles, method } = person;
  const createdAtMs = parts.nowMs();
  const expiresAtMs = createdAtMs + (parts.people?.session ?? DEFAULTS).absoluteSeconds * 1000;
  const secret = `cts_${randomBytes(32).toString("base64url")}`;
  const id = `se_${randomBytes(8).toString("hex")}`;
  const secretHash = hashOf(secret);
  await forgetSessions(tx, { tenant, principal, overBeforeMs: createdAtMs - KEPT_MS });
  await insertSession(tx, { tenant, id, principal, secretHash, method, roles, createdAtMs, expiresAtMs });
  const actor = { id: principal, kind: "human" } as const;
  const details = { principal, kind: method, expiresAt: new Date(expiresAtMs).toISOString() };
  const fact = { tenant, atMs: createdAtMs, actor, subject: `session:${id}`, outcome: "accepted" } as const;
  await appendAudit(tx, { ...fact, action: "session.begin", details });
  return { secret, beganAtMs: createdAtMs, expiresAtMs };
}

/** Ends one of a person's sessions, or all of them; answers how many were open. */
export async function endPersonSessions(
  tx: Transaction,
  parts: Pick<SessionParts, "nowMs">,
  which: { tenant: string; principal: string; id?: string; by: { id: string; kind: "human" } },
): Promise<number> {
  const atMs = parts.nowMs();
  const { tenant, principal, by } = which;
  const ended = await endSessions(tx, { ...which, atMs });
  for (const id of ended) {
    const fact = { tenant, atMs, actor: by, subject: `session:${id}`, outcome: "accepted" } as const;
    await appendAudit(tx, { ...fact, action: "session.end", details: { principal } });
  }
  return ended.length;
}

function hashOf(text: string): Buffer {
  return createHash("sha256").update(text, "utf8").digest();
}
