import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { Parsed } from "../error.ts";

/**
 * What a backup says of itself: the last part but one of its file. It names every part with its size and SHA-256, so a
 * part that changed, is missing or was added is found; its own bytes are sealed with the artifact store's key, so
 * nobody without that key can make a backup that a restore takes.
 */

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
/** Quoted into SQL at a restore: lower-case names are all that the schema has. */
const identifier = z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/);
const partPath = z
  .string()
  .regex(
    /^(backup\.json|config\/continuum\.yaml|database\/[a-z_][a-z0-9_]{0,62}\/\d{6,9}\.copy|artifacts\/[0-9a-f]{64}\/[0-9a-f]{64})$/,
  );

const partSchema = z.strictObject({ path: partPath, bytes: count, sha256, rows: count.optional() });

export const manifestSchema = z.strictObject({
  format: z.literal("continuum-backup"),
  version: z.literal(1),
  createdAt: z.iso.datetime(),
  program: z.strictObject({ version: z.string().max(64) }),
  postgres: z.strictObject({ version: z.string().max(64) }),
  schema: z.strictObject({
    version: count,
    migrations: z.array(z.strictObject({ name: z.string().max(128), checksum: sha256 })).max(10_000),
  }),
  tables: z.array(z.strictObject({ name: identifier, columns: z.array(identifier).min(1), rows: count })).max(1000),
  sequences: z.array(z.strictObject({ name: identifier, value: count })).max(1000),
  /** Secrets that what is restored cannot be used without; never the secrets. */
  keys: z
    .array(
      z.strictObject({
        purpose: z.enum(["artifact-store", "artifact-store-previous", "webhooks"]),
        reference: z.string().max(4096),
        fingerprint: z.string().regex(/^[0-9a-f]{32}$/),
      }),
    )
    .max(16),
  parts: z.array(partSchema),
});

export type BackupManifest = z.infer<typeof manifestSchema>;
export type BackupPart = z.infer<typeof partSchema>;
export type BackupKey = BackupManifest["keys"][number];

export function parseManifest(bytes: Uint8Array): Parsed<BackupManifest> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return { ok: false, problem: { path: "", message: "is not JSON in UTF-8" } };
  }
  const parsed = manifestSchema.safeParse(value);
  if (parsed.success) return { ok: true, value: parsed.data };
  const [issue] = parsed.error.issues;
  const path = `/${(issue?.path ?? []).map(String).join("/")}`;
  return { ok: false, problem: { path, message: issue?.message ?? "is not a manifest" } };
}

/** Names a key without helping anybody to find it: 128 bits of an HMAC under a key of 256 random bits. */
export function keyFingerprint(key: Uint8Array): string {
  return createHmac("sha256", key).update("continuum backup: key fingerprint").digest("hex").slice(0, 32);
}

/** Hexadecimal HMAC-SHA-256 of the manifest's bytes. */
export function manifestSeal(key: Uint8Array, manifest: Uint8Array): string {
  return createHmac("sha256", key).update("continuum backup: manifest\n").update(manifest).digest("hex");
}

export function isSealedBy(key: Uint8Array, manifest: Uint8Array, seal: string): boolean {
  const expected = Buffer.from(manifestSeal(key, manifest), "hex");
  const given = Buffer.from(seal, "hex");
  return given.length === expected.length && timingSafeEqual(given, expected);
}
