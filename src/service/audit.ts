import { z } from "zod";
import { withCosignatures } from "../core/audit/checkpoint.ts";
import { parseSignatureLine, parseSignedNote } from "../core/audit/signed-note.ts";
import { assert } from "../core/error.ts";
import { verifyWithCheckpoints } from "../engine/audit-known-heads.ts";
import { exportAudit, listAudit, proveAudit } from "../engine/audit-log.ts";
import { originOf } from "../engine/audit-parts.ts";
import { proveRollout } from "../engine/audit-rollout-proof.ts";
import { type CheckpointListRow, listCheckpoints } from "../store/queries/audit-checkpoints.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Handlers, ServiceParts } from "./handler.ts";
import { notFound } from "./refusal.ts";

const afterShape = z.tuple([z.number().int().min(0)]);
const afterCheckpointShape = z.tuple([z.string(), z.number().int().min(0)]);
/** Of a subject with more entries, the newest are proved. */
const PROOFS_MAX = 200;

type AuditOperation = "list" | "verify" | "prove" | "prove-rollout" | "keys" | "checkpoints" | "export";

export function auditHandlers(parts: ServiceParts): Handlers<`audit.${AuditOperation}`> {
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

    "audit.verify": ({ principal }) => verifyWithCheckpoints(parts, principal.tenant),

    "audit.prove": async ({ principal, input }) => {
      const { subject } = input.params;
      const proof = await proveAudit(database, { tenant: principal.tenant, subject, limit: PROOFS_MAX });
      return proof.entries.length === 0 ? notFound("subject in the audit log") : { subject, ...proof };
    },

    "audit.prove-rollout": async ({ principal, input }) => {
      const { id: rollout } = input.params;
      const proof = await proveRollout(parts, { tenant: principal.tenant, rollout });
      return proof === undefined ? notFound("rollout") : { rollout, proof: proof.toString("utf8") };
    },

    "audit.keys": async ({ principal }) => {
      const origin = await originOf(database, principal.tenant);
      const { signer, witnessKeys } = parts.checkpoints;
      const own = (await signer()).keys(origin).map(({ vkey, type }) => ({ vkey, type, of: "log" as const }));
      return {
        origin,
        keys: [...own, ...witnessKeys.map(({ vkey, type }) => ({ vkey, type, of: "witness" as const }))],
      };
    },

    "audit.checkpoints": async ({ principal, input }) => {
      const { cursor, limit = PAGE_LIMIT } = input.query;
      const after = decodeCursor("audit.checkpoints", cursor, afterCheckpointShape);
      const rows = await listCheckpoints(database, {
        tenant: principal.tenant,
        limit: limit + 1,
        ...(after === undefined ? {} : { after: { origin: after[0], size: after[1] } }),
      });
      return toPage(rows, {
        ...{ list: "audit.checkpoints", limit, view: checkpointView },
        keyOf: ({ origin, size }) => [origin, size],
      });
    },

    "audit.export": async ({ principal }) => exportAudit(database, principal.tenant),
  };
}

function checkpointView({ origin, size, note, createdAt, publications }: CheckpointListRow) {
  const parsed = parseSignedNote(note);
  assert(parsed.ok, "a checkpoint that was signed here is a note");
  const lines = publications.flatMap(({ cosignatures }) => cosignatures);
  return {
    ...{ origin, size, createdAt: createdAt.toISOString() },
    note: withCosignatures(
      parsed.value,
      lines.flatMap((line) => parseSignatureLine(line) ?? []),
    ),
    publications: publications.map(({ archive, state, failure }) => ({ archive, state, failure })),
  };
}
