import { z } from "zod";
import type { Operation } from "./operation.ts";
import { byId, page } from "./operation-parts.ts";
import { auditEntrySchema, pageOf, timeSchema } from "./views.ts";

const size = z.number().int();

/** A signed tree head, with what became of it. */
export const auditCheckpointSchema = z
  .object({
    origin: z.string(),
    size,
    createdAt: timeSchema,
    /** The signed note (C2SP), with the signatures of witnesses that came back. */
    note: z.string(),
    publications: z.array(
      z.object({
        archive: z.string(),
        state: z.enum(["pending", "published", "passed-over", "refused"]),
        failure: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: "AuditCheckpoint" });

export const auditOperations = {
  "audit.list": {
    summary: "Audit entries, oldest first",
    method: "GET",
    path: "/v1/audit",
    permission: "read",
    query: z.object({ ...page, subject: z.string().max(128).optional() }),
    output: pageOf(auditEntrySchema),
  },
  "audit.verify": {
    summary: "Recompute the whole log and hold it against its head, its signed checkpoints, and what it tells of",
    method: "POST",
    path: "/v1/audit:verify",
    permission: "read",
    output: z.object({
      ok: z.boolean(),
      size,
      root: z.string(),
      problem: z.object({ position: z.number().int(), message: z.string() }).nullable(),
      /** Checkpoints that the log was held against, in the database and in the archives that can be read from here. */
      checkpoints: z.object({ signed: size, archived: size, beforeRestore: size }),
    }),
  },
  "audit.prove": {
    summary: "Inclusion proofs for every entry about a subject",
    method: "GET",
    path: "/v1/audit/proofs/{subject}",
    permission: "read",
    params: z.object({ subject: z.string().max(128) }),
    output: z.object({
      subject: z.string(),
      size,
      root: z.string(),
      entries: z.array(z.object({ position: z.number().int(), entry: z.string(), proof: z.array(z.string()) })),
    }),
  },
  "audit.prove-rollout": {
    summary: "One rollout's whole story, with everything that somebody without access needs to check it",
    method: "GET",
    path: "/v1/rollouts/{id}/proof",
    permission: "read",
    params: byId,
    /** The file, exactly as it is to be written: `audit verify` reads it. */
    output: z.object({ rollout: z.string(), proof: z.string() }),
  },
  "audit.keys": {
    summary: "The public keys that the tenant's checkpoints verify with",
    method: "GET",
    path: "/v1/audit/keys",
    permission: "read",
    output: z.object({
      origin: z.string(),
      keys: z.array(
        z.object({
          /** C2SP's form of a verifier key. */
          vkey: z.string(),
          type: z.enum(["ed25519", "ml-dsa-65", "ed25519-cosignature", "ml-dsa-44-cosignature"]),
          of: z.enum(["log", "witness"]),
        }),
      ),
    }),
  },
  "audit.checkpoints": {
    summary: "Signed checkpoints of the log, smallest first, and whether each archive has them",
    method: "GET",
    path: "/v1/audit/checkpoints",
    permission: "read",
    query: z.object(page),
    output: pageOf(auditCheckpointSchema),
  },
  "audit.export": {
    summary: "The whole log as NDJSON that `audit verify` checks offline",
    method: "GET",
    path: "/v1/audit/export",
    permission: "read",
    output: z.string(),
    produces: "ndjson",
  },
} as const satisfies Record<string, Operation>;
