import { z } from "zod";
import type { OperationOutput } from "../contract/operations.ts";
import { signerIdOf } from "../core/evidence/signer.ts";
import { appendAudit } from "../engine/audit-log.ts";
import { subjectsOfSigner } from "../store/queries/evidence.ts";
import {
  listTrustedIdentities,
  revokeTrustedIdentity,
  type TrustedIdentityRow,
  upsertTrustedIdentity,
} from "../store/queries/trust.ts";
import { changeTrust } from "./change-trust.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Call, Handlers, ServiceParts } from "./handler.ts";
import { refusePastEnd } from "./keys.ts";
import { notFound } from "./refusal.ts";
import { optionalTime } from "./rollout-view.ts";

type IdentityView = OperationOutput<"identities.add">;

const afterShape = z.tuple([z.string(), z.string()]);

/** Whom certificates may name for their signatures to count, each for one purpose, character by character. */
export function identityHandlers(
  parts: ServiceParts,
): Handlers<"identities.add" | "identities.list" | "identities.revoke"> {
  return {
    "identities.add": (call) => add(parts, call),

    "identities.list": async ({ principal, input }) => {
      const { cursor, limit = PAGE_LIMIT } = input.query;
      const after = decodeCursor("identities.list", cursor, afterShape);
      const rows = await listTrustedIdentities(parts.database, {
        tenant: principal.tenant,
        limit: limit + 1,
        ...(after === undefined ? {} : { after: { purpose: after[0], id: after[1] } }),
      });
      return toPage(rows, { list: "identities.list", limit, keyOf: (row) => [row.purpose, row.id], view });
    },

    "identities.revoke": (call) => revoke(parts, call),
  };
}

async function add(parts: ServiceParts, { principal, actor, input }: Call<"identities.add">): Promise<IdentityView> {
  const { tenant } = principal;
  const { purpose, issuer, subject, notAfter } = input.body;
  const id = signerIdOf({ kind: "identity", issuer, subject });
  const atMs = parts.nowMs();
  refusePastEnd(notAfter, atMs);
  const change = {
    ...{ tenant, actor, cause: `identity-added/${purpose}/${id}/${atMs}` },
    subjects: (tx: Parameters<typeof subjectsOfSigner>[0]) => subjectsOfSigner(tx, tenant, id),
  };
  const row = await changeTrust(parts, change, async (tx) => {
    const end = notAfter === undefined ? null : new Date(notAfter);
    const by = { addedBy: principal.id, addedAtMs: atMs, notAfter: end };
    const identity = await upsertTrustedIdentity(tx, { tenant, purpose, id, issuer, subject, ...by });
    const details = { keyId: id, purpose, ...(end === null ? {} : { expiresAt: end.toISOString() }) };
    const about = `identity:${id}`;
    await appendAudit(tx, {
      tenant,
      atMs,
      actor,
      action: "identity.add",
      subject: about,
      outcome: "accepted",
      details,
    });
    return identity;
  });
  return row === undefined ? notFound("identity") : view(row);
}

async function revoke(
  parts: ServiceParts,
  { principal, actor, input }: Call<"identities.revoke">,
): Promise<IdentityView> {
  const { tenant } = principal;
  const { purpose, id } = input.params;
  const atMs = parts.nowMs();
  const change = {
    ...{ tenant, actor, cause: `identity-revoked/${purpose}/${id}/${atMs}` },
    subjects: (tx: Parameters<typeof subjectsOfSigner>[0]) => subjectsOfSigner(tx, tenant, id),
  };
  return changeTrust(parts, change, async (tx) => {
    const row = await revokeTrustedIdentity(tx, { tenant, purpose, id, atMs });
    if (row === undefined) return notFound("identity");
    const details = { keyId: row.id, purpose: row.purpose };
    const about = `identity:${row.id}`;
    const act = { tenant, atMs, actor, action: "identity.revoke", outcome: "accepted" as const };
    await appendAudit(tx, { ...act, subject: about, details });
    return view(row);
  });
}

function view(row: TrustedIdentityRow): IdentityView {
  const { id, purpose, issuer, subject, addedBy, addedAt, notAfter, revokedAt } = row;
  return {
    ...{ id, purpose, issuer, subject, addedBy, addedAt: addedAt.toISOString() },
    notAfter: optionalTime(notAfter?.getTime() ?? null),
    revokedAt: optionalTime(revokedAt?.getTime() ?? null),
  };
}
