import { z } from "zod";
import type { OperationOutput } from "../contract/operations.ts";
import { parsePublicKey } from "../core/evidence/public-key.ts";
import { appendAudit } from "../engine/audit-log.ts";
import { listTrustedKeys, revokeTrustedKey, type TrustedKeyRow, upsertTrustedKey } from "../store/queries/evidence.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Handlers, ServiceParts } from "./handler.ts";
import { notFound, refuse } from "./refusal.ts";
import { optionalTime } from "./rollout-view.ts";

const afterShape = z.tuple([z.string(), z.string()]);

/** Which keys a tenant trusts, each for one purpose. None is trusted until a person imports it. */
export function keyHandlers(parts: ServiceParts): Handlers<"keys.import" | "keys.list" | "keys.revoke"> {
  return {
    "keys.import": async ({ principal, actor, input }) => {
      const { tenant } = principal;
      const { purpose, publicKey } = input.body;
      const parsed = parsePublicKey(publicKey);
      if (!parsed.ok)
        return refuse("malformed-request", `The key ${parsed.problem.message}.`, { pointer: "/publicKey" });
      const { keyId, spkiPem } = parsed.value;
      const atMs = parts.nowMs();
      const row = await parts.database.transaction(async (tx) => {
        const key = await upsertTrustedKey(tx, {
          tenant,
          purpose,
          keyId,
          spkiPem,
          addedBy: principal.id,
          addedAtMs: atMs,
        });
        const details = { keyId, purpose };
        const subject = `key:${keyId}`;
        await appendAudit(tx, { tenant, atMs, actor, action: "key.import", subject, outcome: "accepted", details });
        return key;
      });
      return row === undefined ? notFound("key") : view(row);
    },

    "keys.list": async ({ principal, input }) => {
      const { cursor, limit = PAGE_LIMIT } = input.query;
      const after = decodeCursor("keys.list", cursor, afterShape);
      const rows = await listTrustedKeys(parts.database, {
        tenant: principal.tenant,
        limit: limit + 1,
        ...(after === undefined ? {} : { after: { purpose: after[0], keyId: after[1] } }),
      });
      return toPage(rows, { list: "keys.list", limit, keyOf: (row) => [row.purpose, row.keyId], view });
    },

    "keys.revoke": async ({ principal, actor, input }) => {
      const { tenant } = principal;
      const { purpose, keyId } = input.params;
      const atMs = parts.nowMs();
      return parts.database.transaction(async (tx) => {
        const row = await revokeTrustedKey(tx, { tenant, purpose, keyId, atMs });
        if (row === undefined) return notFound("key");
        const details = { keyId: row.keyId, purpose: row.purpose };
        const subject = `key:${row.keyId}`;
        await appendAudit(tx, { tenant, atMs, actor, action: "key.revoke", subject, outcome: "accepted", details });
        return view(row);
      });
    },
  };
}

function view(row: TrustedKeyRow): OperationOutput<"keys.import"> {
  const { keyId, purpose, spkiPem, addedBy, addedAt, revokedAt } = row;
  const times = { addedAt: addedAt.toISOString(), revokedAt: optionalTime(revokedAt?.getTime() ?? null) };
  return { keyId, purpose, publicKey: spkiPem, addedBy, ...times };
}
