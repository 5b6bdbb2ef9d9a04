import { randomBytes } from "node:crypto";
import { writeDsseBundle } from "../../evidence/bundle.ts";
import { IN_TOTO_PAYLOAD_TYPE, signEnvelope } from "../../evidence/dsse.ts";
import type { SigningKey } from "../../evidence/signing-key.ts";
import { APPROVAL_TYPE, type Consent, evidenceDigestOf, type RolloutConsent } from "../statement.ts";

/** Consents for tests, and people who sign them. */

export const digestOf = (digit: string) => `sha256:${digit.repeat(64)}`;
export const newNonce = () => randomBytes(32).toString("base64url");

export function rolloutSays(more: Partial<RolloutConsent> = {}): RolloutConsent {
  const evidence = more.evidence ?? [{ kind: "tests", subject: digestOf("c"), digest: digestOf("d") }];
  return {
    tenant: "acme",
    approver: "ann",
    issuedAt: "2026-11-23T12:00:00.000Z",
    notAfter: "2026-11-24T12:00:00.000Z",
    nonce: newNonce(),
    rollout: "r-01k",
    environment: "production",
    endpoint: "production/local/churn",
    planDigest: digestOf("a"),
    policyDigest: digestOf("b"),
    runtime: "gpu",
    verification: "full",
    effect: "live",
    role: "approver",
    evidence,
    evidenceDigest: evidenceDigestOf(evidence),
    ...more,
  };
}

export const rolloutConsentOf = (more: Partial<RolloutConsent> = {}): Consent => ({
  type: APPROVAL_TYPE,
  says: rolloutSays(more),
});

/** What a person's own program does with the bytes that it was given: it signs exactly them. */
export function signPayload(key: SigningKey, payload: Uint8Array, payloadType = IN_TOTO_PAYLOAD_TYPE): string {
  return writeDsseBundle(key.publicKey, {
    payloadType,
    payload,
    signature: signEnvelope(key, { payloadType, payload }),
  });
}
