import { randomBytes } from "node:crypto";
import { Secret, TOTP } from "otpauth";
import type { Role } from "../../contract/operation.ts";
import type { OperationInput, OperationOutput } from "../../contract/operations.ts";
import { signPayload } from "../../core/approval/testing/consents.ts";
import { generateSigningKey, type SigningKey } from "../../core/evidence/signing-key.ts";
import type { Principal } from "../principal.ts";
import type { ServiceFixture } from "./service-fixture.ts";

type Statement = OperationOutput<"approvals.statement">;
type ApproveBody = OperationInput<"approvals.approve">["body"];

/** A person with a key of their own and an authenticator, as a program of theirs would act. */
export interface Approver {
  principal: Principal & { token: string };
  key: SigningKey;
  /** The next code; moves the clock on, because each step is good for one. */
  code(): string;
  /** The code of a step that is over. */
  lastCode(): string;
  statement(id: string, body?: OperationInput<"approvals.statement">["body"]): Promise<Statement>;
  /** A bundle over exactly these bytes. */
  sign(statement: Statement, key?: SigningKey): Record<string, unknown>;
  approve(rollout: WaitingRollout, body?: Partial<ApproveBody>): Promise<OperationOutput<"approvals.approve">>;
  /** Statement, signature, code: all of it. */
  approveSigned(
    rollout: WaitingRollout,
    body?: OperationInput<"approvals.statement">["body"],
  ): Promise<OperationOutput<"approvals.approve">>;
}

export interface WaitingRollout {
  id: string;
  planDigest: string;
}

const STEP_MS = 30_000;

export async function approverOn(on: ServiceFixture, id: string, roles: Role[]): Promise<Approver> {
  const principal = await on.principal(id, "human", roles);
  const key = generateSigningKey(randomBytes);
  const { secret } = await on.call("me.totp.enroll", principal);
  const totp = new TOTP({ secret: Secret.fromBase32(secret) });
  const code = () => {
    on.clock.offsetMs += STEP_MS;
    return totp.generate({ timestamp: on.parts.nowMs() });
  };
  await on.call("me.totp.confirm", principal, { body: { code: code() } });
  const approver: Approver = {
    ...{ principal, key, code },
    lastCode: () => totp.generate({ timestamp: on.parts.nowMs() }),
    statement: (rollout, body = {}) => on.call("approvals.statement", principal, { params: { id: rollout }, body }),
    sign: (statement, by = key) => JSON.parse(signPayload(by, Buffer.from(statement.payload, "base64"))),
    approve: ({ id: rollout, planDigest }, body = {}) =>
      on.call("approvals.approve", principal, { params: { id: rollout }, body: { planDigest, ...body } }),
    approveSigned: async (rollout, body = {}) => {
      const statement = await approver.statement(rollout.id, body);
      const stepUp = { kind: "totp" as const, code: code() };
      return approver.approve(rollout, { bundle: approver.sign(statement), stepUp });
    },
  };
  await enrollKey(on, approver, key);
  return approver;
}

/** Registers a key as its holder does: by its signature, and a code. */
export async function enrollKey(on: ServiceFixture, { principal, code, sign }: Approver, key: SigningKey) {
  const body = { publicKey: key.publicKey.spkiPem, kind: "cosign" as const };
  const statement = await on.call("me.keys.statement", principal, { body });
  const stepUp = { kind: "totp" as const, code: code() };
  return on.call("me.keys.enroll", principal, { body: { ...body, bundle: sign(statement, key), stepUp } });
}
