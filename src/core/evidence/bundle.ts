import { z } from "zod";
import type { Parsed } from "../error.ts";
import { decodeBase64 } from "./base64.ts";
import { firstProblem } from "./first-problem.ts";
import type { PublicKey } from "./public-key.ts";

/**
 * Sigstore bundles v0.3 whose signer is a public key. Source: sigstore/protobuf-specs `sigstore_bundle.proto` in its
 * JSON form. Exactly one signature; entries of transparency logs and timestamps may stand in a bundle and prove
 * nothing here, because the key itself is what is trusted.
 */
export const BUNDLE_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json";
/** The same format in its older spelling, which is read and never written. */
const OLDER_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle+json;version=0.3";

/** No bundle of ours comes near; a reader must have a limit before it parses anything. */
export const BUNDLE_BYTES_MAX = 8 * 1024 * 1024;

export interface DsseBundle {
  kind: "dsse";
  /** What the bundle says of its signer. Whoever wrote the bundle could write anything here. */
  hint: string;
  payloadType: string;
  payload: Buffer;
  signature: Buffer;
}

export interface MessageBundle {
  kind: "message";
  hint: string;
  /** The SHA-256 that the bundle says the message has. */
  messageDigest: Buffer;
  signature: Buffer;
}

/** Reads a bundle's shape. Nothing in it is to be believed before its signature was verified over `payload`. */
export function readBundle(json: string | Uint8Array): Parsed<DsseBundle | MessageBundle> {
  if (json.length > BUNDLE_BYTES_MAX) return problem("", `a bundle has at most ${BUNDLE_BYTES_MAX} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(typeof json === "string" ? json : new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch {
    return problem("", "a bundle is JSON in UTF-8");
  }
  const result = bundleSchema.safeParse(value);
  if (!result.success) return { ok: false, problem: firstProblem(result.error) };
  const { verificationMaterial, dsseEnvelope, messageSignature } = result.data;
  const { hint } = verificationMaterial.publicKey;
  const [signed] = dsseEnvelope?.signatures ?? [];
  if (dsseEnvelope !== undefined && signed !== undefined && messageSignature === undefined) {
    const { payloadType, payload } = dsseEnvelope;
    return { ok: true, value: { kind: "dsse", hint, payloadType, payload, signature: signed.sig } };
  }
  if (messageSignature !== undefined && dsseEnvelope === undefined) {
    const { messageDigest, signature } = messageSignature;
    return { ok: true, value: { kind: "message", hint, messageDigest: messageDigest.digest, signature } };
  }
  return problem("", "a bundle holds either a dsseEnvelope or a messageSignature");
}

/** A bundle around a signed payload, as JSON text. */
export function writeDsseBundle(
  key: PublicKey,
  envelope: { payloadType: string; payload: Uint8Array; signature: Uint8Array },
): string {
  const signatures = [{ sig: base64(envelope.signature) }];
  return write(key, {
    dsseEnvelope: { payload: base64(envelope.payload), payloadType: envelope.payloadType, signatures },
  });
}

/** A bundle around the signature of a file that lies elsewhere, as JSON text. */
export function writeMessageBundle(key: PublicKey, message: { sha256: Uint8Array; signature: Uint8Array }): string {
  const messageDigest = { algorithm: "SHA2_256", digest: base64(message.sha256) };
  return write(key, { messageSignature: { messageDigest, signature: base64(message.signature) } });
}

const bytes = z.string().transform((text, context) => {
  const decoded = decodeBase64(text);
  if (decoded !== null) return decoded;
  context.addIssue({ code: "custom", message: "must be standard base64 with its padding" });
  return z.NEVER;
});

const bundleSchema = z.strictObject({
  mediaType: z.enum([BUNDLE_MEDIA_TYPE, OLDER_MEDIA_TYPE], `must be ${BUNDLE_MEDIA_TYPE}`),
  verificationMaterial: z.strictObject({
    publicKey: z.strictObject({ hint: z.string().max(1024).default("") }),
    tlogEntries: z.array(z.unknown()).max(64).optional(),
    timestampVerificationData: z.unknown().optional(),
  }),
  dsseEnvelope: z
    .strictObject({
      payload: bytes,
      payloadType: z.string().min(1).max(1024),
      signatures: z
        .array(z.strictObject({ sig: bytes, keyid: z.string().max(1024).optional() }))
        .length(1, "must hold exactly one signature"),
    })
    .optional(),
  messageSignature: z
    .strictObject({
      messageDigest: z.strictObject({ algorithm: z.literal("SHA2_256"), digest: bytes }),
      signature: bytes,
    })
    .optional(),
});

function write(key: PublicKey, content: Record<string, unknown>): string {
  const verificationMaterial = { publicKey: { hint: key.hint }, tlogEntries: [] };
  return `${JSON.stringify({ mediaType: BUNDLE_MEDIA_TYPE, verificationMaterial, ...content })}\n`;
}

function base64(value: Uint8Array): string {
  return Buffer.from(value).toString("base64");
}

function problem(path: string, message: string): Parsed<never> {
  return { ok: false, problem: { path, message } };
}
