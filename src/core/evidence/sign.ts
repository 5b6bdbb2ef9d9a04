import { createHash, sign } from "node:crypto";
import canonicalize from "canonicalize";
import { assert } from "../error.ts";
import { writeDsseBundle, writeMessageBundle } from "./bundle.ts";
import { IN_TOTO_PAYLOAD_TYPE, signEnvelope } from "./dsse.ts";
import type { SigningKey } from "./signing-key.ts";
import { type Statement, statementSchema } from "./statement.ts";

/** Signs a statement: a Sigstore bundle v0.3 as JSON text. Crashes on a statement that is none. */
export function signStatement(statement: Statement, key: SigningKey): string {
  const text = canonicalize(statementSchema.parse(statement));
  assert(text !== undefined, "a statement is JSON");
  const envelope = { payloadType: IN_TOTO_PAYLOAD_TYPE, payload: Buffer.from(text, "utf8") };
  return writeDsseBundle(key.publicKey, { ...envelope, signature: signEnvelope(key, envelope) });
}

/** Signs the bytes of a file as `cosign sign-blob --bundle` does: a message bundle as JSON text. */
export function signMessage(message: Uint8Array, key: SigningKey): string {
  const signature = sign(key.publicKey.hash, message, { key: key.privateKey, dsaEncoding: "der" });
  return writeMessageBundle(key.publicKey, { sha256: createHash("sha256").update(message).digest(), signature });
}
