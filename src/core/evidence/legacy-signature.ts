import { createHash, X509Certificate } from "node:crypto";
import { z } from "zod";
import type { Parsed } from "../error.ts";
import { decodeBase64 } from "./base64.ts";
import type { CertifiedBundle } from "./bundle.ts";
import { firstProblem } from "./first-problem.ts";
import type { ImageSignature } from "./image-signature.ts";
import { parseUtf8Json } from "./utf8-json.ts";

/**
 * The annotations of a layer in an image's `.sig` tag, as cosign before version 3 writes them. Where a certificate
 * signed, it and the log's entry are put together to the bundle that they would be today, and judged as such.
 * Source: cosign `specs/SIGNATURE_SPEC.md` and `specs/BUNDLE_SPEC.md`.
 */
export function legacySignature(
  payload: Uint8Array,
  annotations: Readonly<Record<string, string>>,
): Parsed<ImageSignature> {
  const signature = annotations[SIGNATURE];
  if (signature === undefined) return bad(SIGNATURE, "is missing: the layer holds no signature");
  const certificatePem = annotations[CERTIFICATE];
  if (certificatePem === undefined || certificatePem === "")
    return { ok: true, value: { kind: "simple-signing", payload, signature } };
  const certified = readCertified({ payload, signature, certificatePem, entry: annotations[LOG_ENTRY] });
  return certified.ok
    ? { ok: true, value: { kind: "simple-signing", payload, signature, certified: certified.value } }
    : certified;
}

const SIGNATURE = "dev.cosignproject.cosign/signature";
const CERTIFICATE = "dev.sigstore.cosign/certificate";
const LOG_ENTRY = "dev.sigstore.cosign/bundle";
const ONE_CERTIFICATE = /^-----BEGIN CERTIFICATE-----\r?\n[A-Za-z0-9+/=\r\n]+-----END CERTIFICATE-----$/;
const TEXT_CHARACTERS_MAX = 256 * 1024;

const entrySchema = z.strictObject({
  SignedEntryTimestamp: z.string().refine((text) => text !== "" && decodeBase64(text) !== null, "must be base64"),
  Payload: z.strictObject({
    body: z.string().min(1),
    integratedTime: z.number().int().positive(),
    logIndex: z.number().int().nonnegative(),
    logID: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hexadecimal digits"),
  }),
});
const bodySchema = z.looseObject({ kind: z.string(), apiVersion: z.string() });

function readCertified(parts: {
  payload: Uint8Array;
  signature: string;
  certificatePem: string;
  entry: string | undefined;
}): Parsed<CertifiedBundle> {
  const certificate = readCertificate(parts.certificatePem);
  const signature = decodeBase64(parts.signature);
  if (certificate === null) return bad(CERTIFICATE, "must be one certificate in PEM");
  if (signature === null) return bad(SIGNATURE, "must be standard base64 with its padding");
  const entry = entrySchema.safeParse(parseUtf8Json(parts.entry ?? "", TEXT_CHARACTERS_MAX));
  if (!entry.success) {
    const { path, message } = firstProblem(entry.error);
    return bad(LOG_ENTRY, `must be the log's entry as JSON: ${path} ${message}`);
  }
  const { SignedEntryTimestamp, Payload } = entry.data;
  const body = bodySchema.safeParse(parseUtf8Json(decodeBase64(Payload.body) ?? "", TEXT_CHARACTERS_MAX));
  if (!body.success) return bad(LOG_ENTRY, "must hold the body of a log's entry");
  const json = {
    mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.1",
    verificationMaterial: {
      x509CertificateChain: { certificates: [{ rawBytes: certificate.toString("base64") }] },
      tlogEntries: [
        {
          logIndex: String(Payload.logIndex),
          logId: { keyId: Buffer.from(Payload.logID, "hex").toString("base64") },
          kindVersion: { kind: body.data.kind, version: body.data.apiVersion },
          integratedTime: String(Payload.integratedTime),
          inclusionPromise: { signedEntryTimestamp: SignedEntryTimestamp },
          canonicalizedBody: Payload.body,
        },
      ],
    },
    messageSignature: {
      messageDigest: { algorithm: "SHA2_256", digest: createHash("sha256").update(parts.payload).digest("base64") },
      signature: parts.signature,
    },
  };
  return { ok: true, value: { certificates: [certificate], signature, json } };
}

function readCertificate(pem: string): Buffer | null {
  if (pem.length > TEXT_CHARACTERS_MAX || !ONE_CERTIFICATE.test(pem.trim())) return null;
  try {
    return new X509Certificate(pem).raw;
  } catch {
    return null;
  }
}

function bad(path: string, message: string): Parsed<never> {
  return { ok: false, problem: { path, message } };
}
