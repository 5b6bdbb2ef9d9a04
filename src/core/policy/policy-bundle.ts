import { hkdfSync } from "node:crypto";
import { z } from "zod";
import { BUNDLE_BYTES_MAX, readBundle, writeDsseBundle } from "../evidence/bundle.ts";
import { signEnvelope, verifyEnvelope } from "../evidence/dsse.ts";
import { firstProblem } from "../evidence/first-problem.ts";
import type { PublicKey } from "../evidence/public-key.ts";
import { generateSigningKey, type SigningKey } from "../evidence/signing-key.ts";
import { canonicalJson } from "../plan/canonical.ts";
import { policyDigestOf } from "./load-policy-set.ts";
import type { PolicyFile } from "./policy.ts";

/**
 * A policy in force, to be decided by where its server is not asked: everything that decides, signed by the installation.
 * The signature stands in a Sigstore bundle around a DSSE envelope, ECDSA P-256 with SHA-256, whose payload is this JSON.
 */
export const POLICY_BUNDLE_TYPE = "application/vnd.continuum.policy-bundle.v1+json";

export interface PolicyBundle {
  tenant: string;
  /** Counts the tenant's activations: a bundle with a smaller one is older. */
  sequence: number;
  policyDigest: string;
  issuedAtMs: number;
  expiresAtMs: number;
  /** Policies, schema, settings, prices and tables; `own/` marks the tenant's. */
  files: readonly PolicyFile[];
}

const time = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/, "must be a UTC time");
const payloadSchema = z.strictObject({
  version: z.literal(1),
  tenant: z.string().min(1).max(64),
  sequence: z.number().int().min(1),
  policyDigest: z.string().regex(/^sha256:[0-9a-f]{64}$/, "must be a sha256: digest"),
  issuedAt: time,
  expiresAt: time,
  files: z.array(z.strictObject({ path: z.string().min(1).max(1024), text: z.string() })).max(1000),
});

/** Signs a bundle: its text, ended by a line feed. */
export function signPolicyBundle(bundle: PolicyBundle, key: SigningKey): string {
  const { tenant, sequence, policyDigest, issuedAtMs, expiresAtMs, files } = bundle;
  const times = { issuedAt: new Date(issuedAtMs).toISOString(), expiresAt: new Date(expiresAtMs).toISOString() };
  const payload = {
    version: 1,
    tenant,
    sequence,
    policyDigest,
    ...times,
    files: files.map(({ path, text }) => ({ path, text })),
  };
  const envelope = { payloadType: POLICY_BUNDLE_TYPE, payload: Buffer.from(canonicalJson(payload), "utf8") };
  return writeDsseBundle(key.publicKey, { ...envelope, signature: signEnvelope(key, envelope) });
}

/** What a client remembers of the bundles that one key signed for one tenant. */
export interface SeenBundle {
  tenant: string;
  sequence: number;
  policyDigest: string;
}

export type BundleProblem = "malformed" | "wrong-key" | "changed" | "expired" | "older";
export type OpenedBundle =
  | { ok: true; bundle: PolicyBundle; keyId: string }
  | { ok: false; code: BundleProblem; message: string };

/**
 * Reads a bundle that one of these keys signed and that counts now. Nothing in it is looked at before its signature was
 * verified. `seen` answers the newest that was seen of a key and a tenant: with an older one, somebody gives back a rule
 * that was taken away.
 */
export function openPolicyBundle(
  text: string,
  how: {
    keys: readonly PublicKey[];
    nowMs: number;
    seen(keyId: string, tenant: string): SeenBundle | undefined;
  },
): OpenedBundle {
  const read = readBundle(text);
  if (!read.ok) return refused("malformed", `it is no policy bundle: ${read.problem.message}`);
  const signed = read.value;
  if (signed.kind !== "dsse" || signed.payloadType !== POLICY_BUNDLE_TYPE)
    return refused("malformed", "it is a bundle of something else; `continuum policy pull` makes policy bundles");
  const signer = how.keys.find((key) => verifyEnvelope(key, signed));
  if (signer === undefined)
    return refused("wrong-key", "its signature is by none of the keys that are trusted here, or it was changed since");
  const parsed = parsePayload(signed.payload);
  if (!parsed.ok) return refused("malformed", parsed.problem.message);
  const bundle = parsed.value;
  const problem = presentProblem(bundle, { nowMs: how.nowMs, seen: how.seen(signer.keyId, bundle.tenant) });
  return problem ?? { ok: true, bundle, keyId: signer.keyId };
}

/** What our own server signed has this shape; another one is of another version of the program. */
function parsePayload(payload: Uint8Array) {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch {
    return { ok: false, problem: { path: "", message: "its payload is not JSON in UTF-8" } } as const;
  }
  const parsed = payloadSchema.safeParse(value);
  if (!parsed.success) {
    const { path, message } = firstProblem(parsed.error);
    return { ok: false, problem: { path, message: `${path} ${message}`.trim() } } as const;
  }
  const { issuedAt, expiresAt, version: _, ...rest } = parsed.data;
  return {
    ok: true,
    value: { ...rest, issuedAtMs: Date.parse(issuedAt), expiresAtMs: Date.parse(expiresAt) },
  } as const;
}

function presentProblem(
  bundle: PolicyBundle,
  { nowMs, seen }: { nowMs: number; seen: SeenBundle | undefined },
): OpenedBundle | undefined {
  if (policyDigestOf(bundle.files) !== bundle.policyDigest)
    return refused("changed", "its files are not those of its digest");
  if (!(nowMs < bundle.expiresAtMs))
    return refused("expired", `it counted until ${new Date(bundle.expiresAtMs).toISOString()}; pull it again`);
  if (seen === undefined || bundle.sequence > seen.sequence) return undefined;
  if (bundle.sequence === seen.sequence && bundle.policyDigest === seen.policyDigest) return undefined;
  const other = bundle.sequence === seen.sequence ? "another policy than" : "older than";
  return refused("older", `it is ${other} the one seen before (${seen.sequence}: ${seen.policyDigest})`);
}

function refused(code: BundleProblem, message: string): OpenedBundle {
  return { ok: false, code, message };
}

export { BUNDLE_BYTES_MAX as POLICY_BUNDLE_BYTES_MAX };

const SECRET_BYTES = 32;

/**
 * The signing key that a secret of 32 random bytes (or their 64 hexadecimal digits) stands for; undefined for any other
 * secret. The key is drawn from HKDF-SHA-256 (RFC 5869) over the secret: the same secret is the same key everywhere.
 */
export function policySigningKey(secret: Uint8Array): SigningKey | undefined {
  const bytes = secretBytes(secret);
  if (bytes === undefined) return undefined;
  let draw = 0;
  return generateSigningKey((count) => {
    draw += 1;
    return new Uint8Array(hkdfSync("sha256", bytes, "", `continuum policy bundles ${draw}`, count));
  });
}

function secretBytes(secret: Uint8Array): Uint8Array | undefined {
  if (secret.length === SECRET_BYTES) return secret;
  const text = Buffer.from(secret).toString("latin1").trim();
  return /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, "hex") : undefined;
}
