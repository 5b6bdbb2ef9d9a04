import { z } from "zod";
import type { Parsed } from "../error.ts";
import { decodeBase64 } from "./base64.ts";
import { firstProblem } from "./first-problem.ts";
import { parseUtf8Json } from "./utf8-json.ts";

/**
 * The root of trust for signatures with certificates: which certificate authorities, logs and timestamp authorities
 * count, and when. It is pinned by the operator and never fetched by what it judges. Source: sigstore/protobuf-specs
 * `sigstore_trustroot.proto` in its JSON form.
 */
export interface TrustedRoot {
  /** The document as it was checked, for the library that reads it. */
  json: unknown;
  /** How many of each it names. */
  counts: { certificateAuthorities: number; tlogs: number; ctlogs: number; timestampAuthorities: number };
}

/** Reads a trusted root. What would make every signature fail, or let one pass without a bound in time, is a problem here. */
export function readTrustedRoot(json: string | Uint8Array): Parsed<TrustedRoot> {
  const value = parseUtf8Json(json, ROOT_BYTES_MAX);
  if (value === undefined)
    return { ok: false, problem: { path: "", message: "a trusted root is JSON in UTF-8, with each key once" } };
  const result = rootSchema.safeParse(value);
  if (!result.success) return { ok: false, problem: firstProblem(result.error) };
  const { certificateAuthorities, tlogs, ctlogs, timestampAuthorities } = result.data;
  const counts = {
    certificateAuthorities: certificateAuthorities.length,
    tlogs: tlogs.length,
    ctlogs: ctlogs.length,
    timestampAuthorities: timestampAuthorities.length,
  };
  return { ok: true, value: { json: value, counts } };
}

const ROOT_BYTES_MAX = 1024 * 1024;

const der = z
  .string()
  .max(65_536)
  .refine((text) => text !== "" && decodeBase64(text) !== null, "must be standard base64 with its padding");
const moment = z.iso.datetime({ offset: true, error: "must be a time such as 2026-01-01T00:00:00Z" });
/** A log or authority without a beginning would vouch for any time before it existed. */
const validFor = z
  .strictObject({ start: moment, end: moment.nullish() })
  .refine(({ start, end }) => !end || Date.parse(start) <= Date.parse(end), "must end after it starts");

/** The kinds of key that logs sign with; RSA is what the first logs of certificates had. */
const KEY_DETAILS = [
  "PKIX_ECDSA_P256_SHA_256",
  "PKIX_ECDSA_P384_SHA_384",
  "PKIX_ED25519",
  "PKIX_RSA_PKCS1V5",
  "PKCS1_RSA_PKCS1V5",
  "PKIX_RSA_PKCS1V15_2048_SHA256",
  "PKIX_RSA_PKCS1V15_3072_SHA256",
  "PKIX_RSA_PKCS1V15_4096_SHA256",
] as const;

const log = z.strictObject({
  baseUrl: z.string().max(2048),
  hashAlgorithm: z.literal("SHA2_256"),
  publicKey: z.strictObject({
    rawBytes: der,
    keyDetails: z.enum(KEY_DETAILS),
    validFor,
  }),
  logId: z.strictObject({ keyId: der }),
  checkpointKeyId: z.strictObject({ keyId: der }).nullish(),
  operator: z.string().max(1024).nullish(),
});

const authority = z.strictObject({
  subject: z.strictObject({ organization: z.string().max(1024), commonName: z.string().max(1024) }),
  uri: z.string().max(2048).nullish(),
  certChain: z.strictObject({
    certificates: z
      .array(z.strictObject({ rawBytes: der }))
      .min(1)
      .max(8),
  }),
  validFor,
  operator: z.string().max(1024).nullish(),
});

const rootSchema = z.strictObject({
  mediaType: z.enum(
    ["application/vnd.dev.sigstore.trustedroot+json;version=0.1", "application/vnd.dev.sigstore.trustedroot.v0.2+json"],
    "must be application/vnd.dev.sigstore.trustedroot+json;version=0.1 or application/vnd.dev.sigstore.trustedroot.v0.2+json",
  ),
  tlogs: z.array(log).min(1, "must name at least one transparency log").max(64),
  certificateAuthorities: z.array(authority).min(1, "must name at least one certificate authority").max(64),
  ctlogs: z.array(log).min(1, "must name at least one log of certificates").max(64),
  timestampAuthorities: z
    .array(authority)
    .max(64)
    .nullish()
    .transform((authorities) => authorities ?? []),
});
