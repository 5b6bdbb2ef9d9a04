import { z } from "zod";
import type { OperationOutput } from "../contract/operations.ts";
import { KEY_ENROLMENT_TYPE } from "../core/approval/statement.ts";
import { type PublicKey, parsePublicKey } from "../core/evidence/public-key.ts";
import { appendAudit } from "../engine/audit-log.ts";
import type { Transaction } from "../store/database.ts";
import {
  type ApproverKeyRow,
  insertApproverKey,
  isTenantKey,
  listApproverKeys,
  readApproverKey,
  revokeApproverKey,
} from "../store/queries/approvals.ts";
import { checkProof, prepareStatement } from "./approval-statements.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Call, Handlers, ServiceParts } from "./handler.ts";
import { notFound, refuse } from "./refusal.ts";
import { requireSelf } from "./require-self.ts";
import { optionalTime } from "./rollout-view.ts";
import { hasSecondFactor } from "./step-up-handlers.ts";

type KeyView = OperationOutput<"me.keys.enroll">;

/** A statement that enrols a key counts while it is handed in, and says nothing afterwards. */
const VALID_MS = 15 * 60_000;
const afterShape = z.tuple([z.number(), z.string()]);

/**
 * Keys that people approve with. Each is registered by the person alone, whose key must sign the registration; from the
 * first second factor on that is due as well, so that a stolen token cannot bring in a key.
 */
export function approvalKeyHandlers(
  parts: ServiceParts,
): Handlers<"me.keys.statement" | "me.keys.enroll" | "me.keys.list" | "me.keys.revoke"> {
  return {
    "me.keys.statement": async ({ principal, input }) => {
      const { tenant, id } = principal;
      const { kind, label = kind } = input.body;
      const { keyId } = newKey(input.body.publicKey);
      await refuseKnown(parts, tenant, keyId);
      const requires = { mfa: await hasSecondFactor(parts.database, principal), signed: true };
      return parts.database.transaction(async (tx) => {
        await requireSelf(tx, parts, { principal, shown: requires.mfa });
        return prepareStatement(tx, parts, {
          ...{ principal, kind: "key", about: keyId, requires },
          make: ({ nonce, issuedAtMs }) => ({
            type: KEY_ENROLMENT_TYPE,
            says: {
              ...{ tenant, approver: id, nonce, keyId, kind, label, effect: "enrol" },
              issuedAt: new Date(issuedAtMs).toISOString(),
              notAfter: new Date(issuedAtMs + VALID_MS).toISOString(),
            },
          }),
        });
      });
    },

    "me.keys.enroll": (call) => enroll(parts, call),

    "me.keys.list": async ({ principal, input }) => {
      const { cursor, limit = PAGE_LIMIT } = input.query;
      const after = decodeCursor("me.keys.list", cursor, afterShape);
      const rows = await listApproverKeys(parts.database, {
        ...{ tenant: principal.tenant, principal: principal.id, limit: limit + 1 },
        ...(after === undefined ? {} : { after: { addedAtMs: after[0], keyId: after[1] } }),
      });
      const keyOf = (row: ApproverKeyRow) => [row.addedAt.getTime(), row.keyId];
      return toPage(rows, { list: "me.keys.list", limit, keyOf, view });
    },

    // The safe direction: it needs no second factor, because it can only take away.
    "me.keys.revoke": async ({ principal, actor, input }) => {
      const { tenant, id } = principal;
      const { keyId } = input.params;
      const atMs = parts.nowMs();
      return parts.database.transaction(async (tx) => {
        const row = await revokeApproverKey(tx, { tenant, principal: id, keyId, atMs });
        if (row === undefined) return notFound("key");
        const at = { tenant, atMs, actor, subject: `key:${row.keyId}`, outcome: "accepted" as const };
        await appendAudit(tx, { ...at, action: "approver-key.revoke", details: { keyId: row.keyId, principal: id } });
        return view(row);
      });
    },
  };
}

async function enroll(parts: ServiceParts, { principal, actor, input }: Call<"me.keys.enroll">): Promise<KeyView> {
  const { tenant, id } = principal;
  const { publicKey, nonce, bundle, stepUp } = input.body;
  const { keyId, spkiPem } = newKey(publicKey);
  await refuseKnown(parts, tenant, keyId);
  const requires = { mfa: await hasSecondFactor(parts.database, principal), signed: true };
  const proof = {
    ...(nonce === undefined ? {} : { nonce }),
    ...(bundle === undefined ? {} : { bundle }),
    ...(stepUp === undefined ? {} : { stepUp }),
  };
  const checked = await checkProof(parts, {
    ...{ principal, kind: "key", about: keyId, type: KEY_ENROLMENT_TYPE, requires, proof, keys: [{ keyId, spkiPem }] },
  });
  const { kind, label } = checked.consent.says;
  const addedAt = new Date(parts.nowMs());
  await parts.database.transaction(async (tx: Transaction) => {
    await requireSelf(tx, parts, { principal, shown: checked.stepUp !== null });
    if (checked.stepUp === null && (await hasSecondFactor(tx, principal))) {
      refuse("step-up-required", "You have a second factor: show it with this request.");
    }
    await checked.consume(tx);
    const added = await insertApproverKey(tx, tenant, { keyId, principal: id, kind, label, spkiPem, addedAt });
    if (!added) refuse("not-acceptable-now", KNOWN);
    const at = { tenant, atMs: addedAt.getTime(), actor, subject: `key:${keyId}`, outcome: "accepted" as const };
    const details = { keyId, principal: id, kind, mfa: checked.stepUp !== null };
    await appendAudit(tx, { ...at, action: "approver-key.enroll", details });
  });
  return view({ keyId, principal: id, kind, label, spkiPem, addedAt, revokedAt: null });
}

function newKey(pem: string): PublicKey {
  const parsed = parsePublicKey(pem);
  if (parsed.ok) return parsed.value;
  return refuse("malformed-request", `The key ${parsed.problem.message}.`, { pointer: "/publicKey" });
}

/** One key, one purpose, one person: what signs test results or another's approvals signs no approval of this one's. */
async function refuseKnown(parts: ServiceParts, tenant: string, keyId: string): Promise<void> {
  const [registered, trusted] = await Promise.all([
    readApproverKey(parts.database, tenant, keyId),
    isTenantKey(parts.database, tenant, keyId),
  ]);
  if (registered !== undefined || trusted) refuse("not-acceptable-now", KNOWN);
}

const KNOWN =
  "The key was registered before, or is trusted for something else; make one for your approvals alone (`continuum keys generate`).";

function view(row: ApproverKeyRow): KeyView {
  const { keyId, kind, label, spkiPem, addedAt, revokedAt } = row;
  return {
    ...{ keyId, kind, label, publicKey: spkiPem, addedAt: addedAt.toISOString() },
    revokedAt: optionalTime(revokedAt?.getTime() ?? null),
  };
}
