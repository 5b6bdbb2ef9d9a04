import { sign, verify } from "node:crypto";
import type { PublicKey } from "./public-key.ts";
import type { SigningKey } from "./signing-key.ts";

/** DSSE v1.0.2 (secure-systems-lab/dsse, protocol.md): what is signed is the payload together with its type. */

/** The type of an in-toto statement's bytes. */
export const IN_TOTO_PAYLOAD_TYPE = "application/vnd.in-toto+json";

/** PAE(type, payload): the bytes that a DSSE signature is made over. Lengths are in bytes. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const type = Buffer.from(payloadType, "utf8");
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} `), type, Buffer.from(` ${payload.length} `), payload]);
}

/** The key's signature; ECDSA's in DER. Two signatures of the same payload differ: the schemes draw a nonce. */
export function signEnvelope(key: SigningKey, envelope: { payloadType: string; payload: Uint8Array }): Buffer {
  return sign(key.publicKey.hash, preAuthEncoding(envelope.payloadType, envelope.payload), {
    key: key.privateKey,
    dsaEncoding: "der",
  });
}

/** Whether the key made the signature over exactly these bytes. */
export function verifyEnvelope(
  key: PublicKey,
  envelope: { payloadType: string; payload: Uint8Array; signature: Uint8Array },
): boolean {
  const signed = preAuthEncoding(envelope.payloadType, envelope.payload);
  return verify(key.hash, signed, { key: key.key, dsaEncoding: "der" }, envelope.signature);
}
