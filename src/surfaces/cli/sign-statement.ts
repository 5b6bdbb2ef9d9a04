import type { OperationOutput } from "../../contract/operations.ts";
import { type Consent, decodeConsent } from "../../core/approval/statement.ts";
import { writeDsseBundle } from "../../core/evidence/bundle.ts";
import { IN_TOTO_PAYLOAD_TYPE, signEnvelope } from "../../core/evidence/dsse.ts";
import type { SigningKey } from "../../core/evidence/signing-key.ts";
import { failed, malformed } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";
import { promptHidden } from "./prompt.ts";
import { readSigningKey } from "./read-keys.ts";

export type GivenStatement = OperationOutput<"approvals.statement">;

/** What a statement of this kind says, read from the very bytes that are signed. */
export function readStatement<Type extends Consent["type"]>(
  given: GivenStatement,
  type: Type,
): Extract<Consent, { type: Type }> {
  const consent = decodeConsent(Buffer.from(given.payload, "base64"));
  if (!consent.ok || consent.value.type !== type || given.payloadType !== IN_TOTO_PAYLOAD_TYPE)
    throw failed("the server gave a statement that says something else; nothing was signed");
  return consent.value as Extract<Consent, { type: Type }>;
}

/** What is handed in with a statement. */
export interface Proof {
  nonce: string;
  bundle?: Record<string, unknown>;
  stepUp?: { kind: "totp"; code: string };
}

/**
 * Signs the statement's exact bytes with the person's key and takes their one-time code, as far as the statement requires
 * it. The code comes last: it is good for half a minute.
 */
export async function proveStatement(
  context: CommandContext,
  given: GivenStatement,
  options: { key?: SigningKey } = {},
): Promise<Proof> {
  const proof: Proof = { nonce: given.nonce };
  if (given.requires.signed || context.text("key") !== undefined) {
    if (context.text("key") === undefined)
      throw malformed("--key is missing", "--key", "must be your own key: `continuum keys enroll` registers one");
    const key = options.key ?? (await readSigningKey(context));
    const envelope = { payloadType: given.payloadType, payload: Buffer.from(given.payload, "base64") };
    const text = writeDsseBundle(key.publicKey, { ...envelope, signature: signEnvelope(key, envelope) });
    proof.bundle = JSON.parse(text) as Record<string, unknown>;
  }
  if (given.requires.mfa) proof.stepUp = { kind: "totp", code: await oneTimeCode(context) };
  return proof;
}

/** Of `--code` or another option, else asked on the terminal. */
export async function oneTimeCode(
  context: CommandContext,
  { option = "code", question = "One-time code: " }: { option?: "code" | "oldCode"; question?: string } = {},
): Promise<string> {
  const given = context.text(option) ?? (await promptHidden(context.io, question));
  const code = given?.replaceAll(" ", "").trim();
  if (code !== undefined && /^[0-9]{6}$/.test(code)) return code;
  throw malformed(
    code === undefined ? "a one-time code is needed" : "not a one-time code",
    option === "code" ? "--code" : "--old-code",
    "must be six digits",
  );
}
