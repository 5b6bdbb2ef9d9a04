import { createHmac } from "node:crypto";
import type { CapturedInference } from "./captured-inference.ts";

/**
 * Who knows a tenant's key can find out whose pseudonym one is, by trying; nobody else can. Both kinds are the first
 * 132 bits of an HMAC-SHA-256.
 */
const PSEUDONYM_CHARACTERS = 22;

/** A caller's own inference id: printable ASCII, as SageMaker takes it. */
export const INFERENCE_ID = /^[\x20-\x7e]{1,64}$/;

/** A tenant's own key, from the capture key (32 bytes) that all hosts share. */
export function captureTenantKey(captureKey: Uint8Array, tenant: string): Uint8Array {
  return createHmac("sha256", captureKey).update(`continuum capture v1: pseudonyms of ${tenant}`).digest();
}

/** What is kept in the place of an identifier within a body. */
export function pseudonymOf(tenantKey: Uint8Array, value: string): string {
  return `p_${createHmac("sha256", tenantKey).update(value).digest("base64url").slice(0, PSEUDONYM_CHARACTERS)}`;
}

/**
 * Under which name an inference is kept, from the id that its caller knows: the one it sent, or the `x-request-id` of
 * the answer. The capture, the monitor and whoever takes labels derive it alike. It differs from the pseudonym of the
 * same text within a body, so that the two cannot be joined by chance.
 */
export function inferencePseudonym(tenantKey: Uint8Array, inferenceId: string): string {
  const digest = createHmac("sha256", tenantKey).update(`inference\n${inferenceId}`).digest("base64url");
  return `i_${digest.slice(0, PSEUDONYM_CHARACTERS)}`;
}

/** The same name from a captured record, whether the capture made a pseudonym already or not. */
export function pseudonymOfInference(tenantKey: Uint8Array, { inferenceId }: CapturedInference): string {
  return "pseudonym" in inferenceId ? inferenceId.pseudonym : inferencePseudonym(tenantKey, inferenceId.raw);
}
