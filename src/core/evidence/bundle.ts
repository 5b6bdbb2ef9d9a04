import { z } from "zod";
import type { Parsed } from "../error.ts";
import { decodeBase64 } from "./base64.ts";
import { firstProblem } from "./first-problem.ts";
import type { PublicKey } from "./public-key.ts";
import { parseUtf8Json } from "./utf8-json.ts";

/**
 * Sigstore bundles, signed with a public key or a certificate. Source: sigstore/protobuf-specs `sigstore_bundle.proto`
 * in its JSON form. Exactly one signature. Beside a public key, entries of transparency logs and timestamps prove
 * nothing here, because the key itself is what is trusted; beside a certificate they are what proves it, and a
 * `KeylessVerifier` judges them.
 */

export const BUNDLE_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json";
/** The same format in its older versions and spelling, which are read and never written. */
const OLDER_MEDIA_TYPES = ["0.1", "0.2", "0.3"].map(
  (version) => `application/vnd.dev.sigstore.bundle+json;version=${version}`,
);

/** No bundle of ours comes near; a reader must have a limit before it parses anything. */
export const BUNDLE_BYTES_MAX = 8 * 1024 * 1024;

export type Bundle = DsseBundle | MessageBundle;

interface Signed {
  /** What the bundle says of its key, empty beside a certificate. Whoever wrote the bundle could write anything here. */
  hint: string;
  signature: Buffer;
  /** Null where a public key is what is trusted. */
  certified: CertifiedBundle | null;
}

export interface DsseBundle extends Signed {
  kind: "dsse";
  payloadType: string;
  payload: Buffer;
}

export interface MessageBundle extends Signed {
  kind: "message";
  /** The digest that the bundle says the message has, and by which hash. */
  messageDigest: Buffer;
  hash: MessageHash;
}

export type MessageHash = "sha256" | "sha384" | "sha512";

/** A bundle whose signer has a certificate. */
export interface CertifiedBundle {
  /** The certificate of the signer, then those between it and a root, in DER. */
  certificates: readonly [Buffer, ...Buffer[]];
  signature: Buffer;
  /** The whole bundle as parsed JSON, for whoever reads the log's entries and the timestamps. */
  json: unknown;
}

/** Reads a bundle's shape. Nothing in it is to be believed before its signature was verified over `payload`. */
export function readBundle(json: string | Uint8Array): Parsed<Bundle> {
  if (json.length > BUNDLE_BYTES_MAX) return problem("", `a bundle has at most ${BUNDLE_BYTES_MAX} bytes`);
  const value = parseUtf8Json(json, BUNDLE_BYTES_MAX);
  if (value === undefined) return problem("", "a bundle is JSON in UTF-8, with each key once");
  const result = bundleSchema.safeParse(value);
  if (!result.success) return { ok: false, problem: firstProblem(result.error) };
  const { verificationMaterial, dsseEnvelope, messageSignature } = result.data;
  const material = readMaterial(verificationMaterial);
  if (material === null)
    return problem("/verificationMaterial", "must hold one of publicKey, certificate and x509CertificateChain");
  const from = (signature: Buffer): Signed => ({
    hint: material.hint,
    signature,
    certified: material.certificates === null ? null : { certificates: material.certificates, signature, json: value },
  });
  const [signed] = dsseEnvelope?.signatures ?? [];
  if (dsseEnvelope !== undefined && signed !== undefined && messageSignature === undefined) {
    const { payloadType, payload } = dsseEnvelope;
    return { ok: true, value: { kind: "dsse", payloadType, payload, ...from(signed.sig) } };
  }
  if (messageSignature !== undefined && dsseEnvelope === undefined) {
    const { messageDigest, signature } = messageSignature;
    const hash = HASHES[messageDigest.algorithm];
    return { ok: true, value: { kind: "message", messageDigest: messageDigest.digest, hash, ...from(signature) } };
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
export function writeMessageBundle(
  key: PublicKey,
  message: { digest: Uint8Array; hash: MessageHash; signature: Uint8Array },
): string {
  const messageDigest = { algorithm: ALGORITHMS[message.hash], digest: base64(message.digest) };
  return write(key, { messageSignature: { messageDigest, signature: base64(message.signature) } });
}

const bytes = z.string().transform((text, context) => {
  const decoded = decodeBase64(text);
  if (decoded !== null) return decoded;
  context.addIssue({ code: "custom", message: "must be standard base64 with its padding" });
  return z.NEVER;
});

const certificate = z.strictObject({ rawBytes: bytes.refine((der) => der.length > 0, "must not be empty") });

const bundleSchema = z.strictObject({
  mediaType: z.enum([BUNDLE_MEDIA_TYPE, ...OLDER_MEDIA_TYPES], `must be ${BUNDLE_MEDIA_TYPE}`),
  verificationMaterial: z.strictObject({
    publicKey: z
      .strictObject({
        hint: z.string().max(1024).default(""),
        // Model Signing before 1.1 put the key itself here. It is not read: who signs may not say by which key to judge.
        rawBytes: z.string().max(8192).optional(),
        keyDetails: z.string().max(64).optional(),
      })
      .optional(),
    certificate: certificate.optional(),
    x509CertificateChain: z.strictObject({ certificates: z.array(certificate).min(1).max(8) }).optional(),
    tlogEntries: z.array(z.unknown()).max(64).optional(),
    timestampVerificationData: z.unknown().optional(),
  }),
  dsseEnvelope: z
    .strictObject({
      payload: bytes,
      payloadType: z.string().min(1).max(1024),
      signatures: z
        .array(z.strictObject({ sig: bytes, keyid: z.string().max(1024).nullish() }))
        .length(1, "must hold exactly one signature"),
    })
    .optional(),
  messageSignature: z
    .strictObject({
      messageDigest: z.strictObject({ algorithm: z.enum(["SHA2_256", "SHA2_384", "SHA2_512"]), digest: bytes }),
      signature: bytes,
    })
    .optional(),
});

const HASHES = { SHA2_256: "sha256", SHA2_384: "sha384", SHA2_512: "sha512" } as const;
const ALGORITHMS = { sha256: "SHA2_256", sha384: "SHA2_384", sha512: "SHA2_512" } as const;

function readMaterial({
  publicKey,
  certificate: single,
  x509CertificateChain: chain,
}: z.infer<typeof bundleSchema>["verificationMaterial"]): {
  hint: string;
  certificates: CertifiedBundle["certificates"] | null;
} | null {
  if ([publicKey, single, chain].filter((one) => one !== undefined).length !== 1) return null;
  if (publicKey !== undefined) return { hint: publicKey.hint, certificates: null };
  const [leaf, ...others] = chain?.certificates ?? (single === undefined ? [] : [single]);
  if (leaf === undefined) return null;
  return { hint: "", certificates: [leaf.rawBytes, ...others.map(({ rawBytes }) => rawBytes)] };
}

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
