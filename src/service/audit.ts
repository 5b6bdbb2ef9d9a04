import { z } from "zod";
import { exportAudit, listAudit, proveAudit } from "../engine/audit-log.ts";
import { verifyAudit } from "../engine/audit-verify.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Handlers, ServiceParts } from "./handler.ts";
import { notFound } from "./refusal.ts";

const afterShape = z.tuple([z.number().int().min(0)]);
/** Of a subject with more entries, the newest are proved: each proof hashes the whole log once. */
const PROOFS_MAX = 200;

export function auditHandlers(
  parts: ServiceParts,
): Handlers<"audit.list" | "audit.verify" | "audit.prove" | "audit.export"> {
  const { database } = parts;
  return {
    "audit.list": async ({ principal, input }) => {
      const { subject, cursor, limit = PAGE_LIMIT } = input.query;
      const after = decodeCursor("audit.list", cursor, afterShape)?.[0];
      const rows = await listAudit(database, {
        tenant: principal.tenant,
        fromPosition: after === undefined ? 0 : after + 1,
        limit: limit + 1,
        ...(subject === undefined ? {} : { subject }),
      });
      return toPage(rows, {
        list: "audit.list",
        limit,
        keyOf: ({ position }) => [position],
        view: ({ position, entry, leafHash }) => ({
          position,
          at: entry.at,
          actor: entry.actor.id,
          actorKind: entry.actor.kind,
          action: entry.action,
          subject: entry.subject.id,
          outcome: entry.outcome,
          details: entry.details,
          leafHash,
        }),
      });
    },

    "audit.verify": ({ principal }) => verifyAudit(database, principal.tenant),

    "audit.prove": async ({ principal, input }) => {
      const { subject } = input.params;
      const proof = await proveAudit(database, { tenant: principal.tenant, subject, limit: PROOFS_MAX });
      return proof.entries.length === 0 ? notFound("subject in the audit log") : { subject, ...proof };
    },

    "audit.export": async ({ principal }) => exportAudit(database, principal.tenant),
  };
}
