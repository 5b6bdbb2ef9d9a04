import { Secret, TOTP } from "otpauth";
import type { GrantableRole } from "../contract/operation.ts";
import type { OperationOutput } from "../contract/operations.ts";
import { APPROVAL_TYPE, KEY_ENROLMENT_TYPE, type RolloutConsent } from "../core/approval/statement.ts";
import { writeDsseBundle } from "../core/evidence/bundle.ts";
import { signEnvelope } from "../core/evidence/dsse.ts";
import { generateSigningKey, type SigningKey } from "../core/evidence/signing-key.ts";
import { createApiClient } from "../surfaces/cli/client.ts";
import { readStatement } from "../surfaces/cli/sign-statement.ts";
import { expectThat, type Stage, type ThrowawayPerson } from "./stage.ts";

type Statement = OperationOutput<"approvals.statement">;

const STEP_MS = 30_000;

/** A person who signs: with a key of their own, and one-time codes as their authenticator program shows them. */
export interface ThrowawayApprover extends ThrowawayPerson {
  keyId: string;
  /** What the person signed, read from the very bytes. */
  approve(rollout: { id: string; planDigest: string }): Promise<RolloutConsent>;
}

export async function throwawayPerson(
  stage: Pick<Stage, "api">,
  id: string,
  roles: GrantableRole[],
): Promise<ThrowawayPerson> {
  const body = { principal: id, kind: "human" as const, roles, expiresInSeconds: 3600 };
  const { secret } = await stage.api.call("tokens.create", { body });
  return { id, api: createApiClient({ url: stage.api.url, token: secret }) };
}

/** A person who registers a key by its signature, then one-time codes by a first one, as `keys enroll` and `mfa` do it. */
export async function throwawayApprover(stage: Stage, id: string, roles: GrantableRole[]): Promise<ThrowawayApprover> {
  const person = await throwawayPerson(stage, id, roles);
  const { api } = person;
  const key = generateSigningKey(stage.random);
  const own = { publicKey: key.publicKey.spkiPem, kind: "cosign" as const, label: "throwaway" };
  const enrolment = await api.call("me.keys.statement", { body: own });
  const { says } = readStatement(enrolment, KEY_ENROLMENT_TYPE);
  expectThat(
    says.keyId === key.publicKey.keyId && says.approver === id,
    "expected to enrol the key that was asked for",
  );
  await api.call("me.keys.enroll", { body: { ...own, bundle: signed(enrolment, key) } });
  const { secret } = await api.call("me.totp.enroll", {});
  const nextCode = authenticator(secret);
  await api.call("me.totp.confirm", { body: { code: await nextCode() } });
  return {
    ...person,
    keyId: key.publicKey.keyId,
    approve: async ({ id: rollout, planDigest }) => {
      const statement = await api.call("approvals.statement", { params: { id: rollout }, body: {} });
      const consent = readStatement(statement, APPROVAL_TYPE).says;
      expectThat(consent.planDigest === planDigest, "expected the statement to be about the plan that was read");
      const stepUp = { kind: "totp" as const, code: await nextCode() };
      const body = { planDigest, bundle: signed(statement, key), stepUp };
      await api.call("approvals.approve", { params: { id: rollout }, body });
      return consent;
    },
  };
}

function signed(given: Statement, key: SigningKey): Record<string, unknown> {
  const envelope = { payloadType: given.payloadType, payload: Buffer.from(given.payload, "base64") };
  return JSON.parse(writeDsseBundle(key.publicKey, { ...envelope, signature: signEnvelope(key, envelope) }));
}

/**
 * Codes in the order of their half minutes, each given once, because the server takes none twice. It takes the one that
 * comes next as well, as clocks differ; beyond that one has to wait, as anybody.
 */
function authenticator(secret: string): () => Promise<string> {
  const totp = new TOTP({ secret: Secret.fromBase32(secret) });
  let lastStep = 0;
  return async () => {
    const step = Math.max(lastStep + 1, Math.floor(Date.now() / STEP_MS));
    const earlyMs = (step - 1) * STEP_MS - Date.now();
    if (earlyMs > 0) await new Promise((resolve) => setTimeout(resolve, earlyMs));
    lastStep = step;
    return totp.generate({ timestamp: step * STEP_MS });
  };
}
