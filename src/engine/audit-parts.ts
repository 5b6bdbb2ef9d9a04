import { randomBytes } from "node:crypto";
import { logOrigin } from "../core/audit/checkpoint.ts";
import type { CheckpointSigner } from "../core/audit/checkpoint-signer.ts";
import type { VerifierKey } from "../core/audit/verifier-key.ts";
import type { Archive } from "../drivers/archive/archive.ts";
import type { Queryable } from "../store/database.ts";
import { installationId, restoredAt } from "../store/queries/audit-checkpoints.ts";
import type { EngineParts } from "./engine.ts";

/** What making the audit logs prove themselves needs, beside the engine's own parts. */
export interface CheckpointParts {
  /** Reads the key when it is first needed. */
  signer(): Promise<CheckpointSigner>;
  /** Where checkpoints are published; their names differ. */
  archives: readonly Archive[];
  /** The witnesses' keys. */
  witnessKeys: readonly VerifierKey[];
  /** A log that grew gets a checkpoint this soon. */
  intervalMs: number;
}

export type NotaryParts = Pick<EngineParts, "database" | "nowMs" | "log"> & { checkpoints: CheckpointParts };

/** What follows and what precedes the tenant in the names of this installation's logs. */
export async function originParts(db: Queryable): Promise<{ prefix: string; suffix: string }> {
  const origin = await originOf(db, "t");
  const at = origin.indexOf("/t");
  return { prefix: origin.slice(0, at + 1), suffix: origin.slice(at + 2) };
}

/** The name of a tenant's log. */
export async function originOf(db: Queryable, tenant: string): Promise<string> {
  const installation = await installationId(db, () => randomBytes(8).toString("hex"));
  const restored = await restoredAt(db);
  return logOrigin({ installation, tenant, restoredAtMs: restored?.getTime() ?? null });
}
