import { z } from "zod";
import type { OperationOutput } from "../contract/operations.ts";
import { parseVerificationKey } from "../core/evidence/public-key.ts";
import { appendAudit } from "../engine/audit-log.ts";
import { readApproverKey } from "../store/queries/approvals.ts";
import { subjectsOfSigner } from "../store/queries/evidence.ts";
import { listTrustedKeys, revokeTrustedKey, type TrustedKeyRow, upsertTrustedKey } from "../store/queries/trust.ts";
import { changeTrust } from "./change-trust.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Call, Handlers, ServiceParts } from "./handler.ts";
import { notFound, refuse } from "./refusal.ts";
import { optionalTime } from "./rollout-view.ts";

type KeyView = OperationOutput<"keys.import">;

const afterShape = z.tuple([z.string(), z.string()]);

/** Which keys a tenant trusts, each for one purpose. None is trusted until a person imports it. */
export function keyHandlers(parts: ServiceParts): Handlers<"keys.import" | "keys.list" | "keys.revoke"> {
  return {
    "keys.import": (call) => importKey(parts, call),

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

    "keys.revoke": (call) => revokeKey(parts, call),
  };
}

async function importKey(parts: ServiceParts, { principal, actor, input }: Call<"keys.import">): Promise<KeyView> {
  const { tenant } = principal;
  const { purpose, publicKey, notAfter } = input.body;
  const parsed = parseVerificationKey(publicKey);
  if (!parsed.ok) return refuse("malformed-request", `The key ${parsed.problem.message}.`, { pointer: "/publicKey" });
  const { keyId, spkiPem } = parsed.value;
  const atMs = parts.nowMs();
  refusePastEnd(notAfter, atMs);
  if ((await readApproverKey(parts.database, tenant, keyId)) !== undefined) {
    const message = "The key is a person's own, for their approvals; what else is signed needs a key of its own.";
    refuse("not-acceptable-now", message, { pointer: "/publicKey" });
  }
  const change = {
    ...{ tenant, actor, cause: `key-imported/${purpose}/${keyId}/${atMs}` },
    subjects: (tx: Parameters<typeof subjectsOfSigner>[0]) => subjectsOfSigner(tx, tenant, keyId),
  };
  const row = await changeTrust(parts, change, async (tx) => {
    const end = notAfter === undefined ? null : new Date(notAfter);
    const by = { addedBy: principal.id, addedAtMs: atMs, notAfter: end };
    const key = await upsertTrustedKey(tx, { tenant, purpose, keyId, spkiPem, ...by });
    const details = { keyId, purpose, ...(end === null ? {} : { expiresAt: end.toISOString() }) };
    const subject = `key:${keyId}`;
    await appendAudit(tx, { tenant, atMs, actor, action: "key.import", subject, outcome: "accepted", details });
    return key;
  });
  return row === undefined ? notFound("key") : view(row);
}

/** An end in the past would be a revocation that nobody asked for by its name. */
export function refusePastEnd(notAfter: string | undefined, nowMs: number): void {
  if (notAfter === undefined || Date.parse(notAfter) > nowMs) return;
  refuse("malformed-request", "The end lies in the past; to end a trust now, revoke it.", { pointer: "/notAfter" });
}

async function revokeKey(parts: ServiceParts, { principal, actor, input }: Call<"keys.revoke">): Promise<KeyView> {
  const { tenant } = principal;
  const { purpose, keyId } = input.params;
  const atMs = parts.nowMs();
  const change = {
    ...{ tenant, actor, cause: `key-revoked/${purpose}/${keyId}/${atMs}` },
    subjects: (tx: Parameters<typeof subjectsOfSigner>[0]) => subjectsOfSigner(tx, tenant, keyId),
  };
  return changeTrust(parts, change, async (tx) => {
    const row = await revokeTrustedKey(tx, { tenant, purpose, keyId, atMs });
    if (row === undefined) return notFound("key");
    const details = { keyId: row.keyId, purpose: row.purpose };
    const subject = `key:${row.keyId}`;
    await appendAudit(tx, { tenant, atMs, actor, action: "key.revoke", subject, outcome: "accepted", details });
    return view(row);
  });
}

function view(row: TrustedKeyRow): KeyView {
  const { keyId, purpose, spkiPem, addedBy, addedAt, notAfter, revokedAt } = row;
  return {
    ...{ keyId, purpose, publicKey: spkiPem, addedBy, addedAt: addedAt.toISOString() },
    notAfter: optionalTime(notAfter?.getTime() ?? null),
    revokedAt: optionalTime(revokedAt?.getTime() ?? null),
  };
}
