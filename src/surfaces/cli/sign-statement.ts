import type { OperationOutput } from "../../contract/operations.ts";
import { type Consent, decodeConsent } from "../../core/approval/statement.ts";
import { writeDsseBundle } from "../../core/evidence/bundle.ts";
import { IN_TOTO_PAYLOAD_TYPE, signEnvelope } from "../../core/evidence/dsse.ts";
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

/** Signs the statement's exact bytes with the person's key, and takes their one-time code. */
export async function proveStatement(context: CommandContext, given: GivenStatement) {
  const key = await readSigningKey(context);
  const envelope = { payloadType: given.payloadType, payload: Buffer.from(given.payload, "base64") };
  const text = writeDsseBundle(key.publicKey, { ...envelope, signature: signEnvelope(key, envelope) });
  const bundle = JSON.parse(text) as Record<string, unknown>;
  return { bundle, stepUp: { kind: "totp" as const, code: await oneTimeCode(context) } };
}

async function oneTimeCode(context: CommandContext): Promise<string> {
  const code = context.text("code") ?? (await promptHidden(context.io, "One-time code: "));
  if (code !== undefined && /^[0-9]{6}$/.test(code.trim())) return code.trim();
  throw malformed(
    code === undefined ? "a one-time code is needed" : "not a one-time code",
    "--code",
    "must be six digits",
  );
}
