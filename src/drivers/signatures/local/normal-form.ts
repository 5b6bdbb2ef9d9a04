import { createHash, X509Certificate } from "node:crypto";
import {
  type Bundle,
  type CertifiedBundle,
  writeDsseBundle,
  writeMessageBundle,
} from "../../../core/evidence/bundle.ts";
import { preAuthEncoding } from "../../../core/evidence/dsse.ts";
import type { PublicKey } from "../../../core/evidence/public-key.ts";
import { lowerHalf } from "./lower-half.ts";

/** A bundle as it is stored, and the one name of what it says. */
export interface NormalForm {
  /** `sha256:...` over what was signed, by whom and with which signature. */
  /** Of the bundle's bytes. */
  id: string;
  bundle: Buffer;
  /** Of what was signed, by whom and with which signature alone. */
  signature: string;
}

/**
 * The bundle of a key's signature with nothing in it but what was signed. What stands around that could be anything,
 * and every variation of it would be stored as another piece of evidence, younger than the first.
 */
export function normalFormOf(bundle: Bundle, key: PublicKey): NormalForm {
  const signature = lowerHalf(bundle.signature, key.key);
  const text =
    bundle.kind === "dsse"
      ? writeDsseBundle(key, { payloadType: bundle.payloadType, payload: bundle.payload, signature })
      : writeMessageBundle(key, { digest: bundle.messageDigest, hash: bundle.hash, signature });
  return { id: sha256(text), bundle: Buffer.from(text, "utf8"), signature: sha256(text) };
}

/**
 * The bundle of a certificate's signature as it came: its log entries and timestamps are what proves it, and the same
 * signature may be given with other ones beside it.
 */
export function certifiedForm(given: Uint8Array, bundle: Bundle, certified: CertifiedBundle): NormalForm {
  const signed =
    bundle.kind === "dsse" ? preAuthEncoding(bundle.payloadType, bundle.payload) : Buffer.from(bundle.messageDigest);
  const [certificate] = certified.certificates;
  const signature = lowerHalf(bundle.signature, new X509Certificate(certificate).publicKey);
  const parts = [signed, signature, certificate].map((part) => sha256(part));
  const name = sha256(`certified ${bundle.kind} ${parts.join(" ")}`);
  return { id: sha256(given), bundle: Buffer.from(given), signature: name };
}

function sha256(bytes: string | Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
