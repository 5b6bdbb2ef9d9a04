import { createHash, sign } from "node:crypto";
import canonicalize from "canonicalize";
import { assert } from "../error.ts";
import { writeDsseBundle, writeMessageBundle } from "./bundle.ts";
import { IN_TOTO_PAYLOAD_TYPE, signEnvelope } from "./dsse.ts";
import { type ModelManifest, modelStatement } from "./model-manifest.ts";
import type { SigningKey } from "./signing-key.ts";
import { type Statement, statementSchema } from "./statement.ts";

/** Signs a statement: a Sigstore bundle v0.3 as JSON text. Crashes on a statement that is none. */
export function signStatement(statement: Statement, key: SigningKey): string {
  const text = canonicalize(statementSchema.parse(statement));
  assert(text !== undefined, "a statement is JSON");
  const envelope = { payloadType: IN_TOTO_PAYLOAD_TYPE, payload: Buffer.from(text, "utf8") };
  return writeDsseBundle(key.publicKey, { ...envelope, signature: signEnvelope(key, envelope) });
}

/**
 * Signs a model's manifest as OpenSSF Model Signing does. Its program knows a key by the SHA-256 of its PEM text, in
 * hexadecimal, and refuses a bundle that names the key otherwise (`sign_ec_key.py` of sigstore/model-transparency).
 */
export function signModelManifest(manifest: ModelManifest, key: SigningKey): string {
  const hint = createHash("sha256").update(key.publicKey.spkiPem).digest("hex");
  return signStatement(modelStatement(manifest), { ...key, publicKey: { ...key.publicKey, hint } });
}

/** Signs the bytes of a file as `cosign sign-blob --bundle` does: a message bundle as JSON text. */
export function signMessage(message: Uint8Array, key: SigningKey): string {
  const signature = sign(key.publicKey.hash, message, { key: key.privateKey, dsaEncoding: "der" });
  const hash = key.publicKey.hash ?? "sha256";
  return writeMessageBundle(key.publicKey, { digest: createHash(hash).update(message).digest(), hash, signature });
}
