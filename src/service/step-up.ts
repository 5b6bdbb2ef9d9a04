import { randomBytes } from "node:crypto";
import type { StepUp } from "../contract/approval-views.ts";
import { appendAudit } from "../engine/audit-log.ts";
import { type Sealing, seal, unseal } from "../engine/sealed-secret.ts";
import type { Transaction } from "../store/database.ts";
import { revokeApproverKeysOf } from "../store/queries/approvals.ts";
import { lockTotp, recordTotpFailure, recordTotpStep, removeTotp } from "../store/queries/totp.ts";
import type { ServiceParts } from "./handler.ts";
import { type PasskeyVerdict, verifyPasskeyStepUp } from "./passkeys.ts";
import { actorOf, type Principal } from "./principal.ts";
import { refuse } from "./refusal.ts";
import { findTotpStep } from "./totp.ts";

/** A second factor of this very request. Having signed in with one some time ago counts for nothing here. */

/** After so many wrong codes in a row none is taken for a while: of a million codes three are right at any time. */
const FAILURES_MAX = 5;
const LOCK_MS = 15 * 60_000;
const SECRET_BYTES = 20;

/** What is known of a second factor before the transaction that it is for; `within` completes it there. */
export interface BegunStepUp {
  kind: "totp" | "passkey";
  within(tx: Transaction): Promise<void>;
}

/**
 * Judges what can be judged before the transaction. A one-time code is used up here and now, whatever becomes of the
 * request: a code that was seen is worth nothing afterwards. A passkey answers `challenge` (32 bytes, used once by the
 * caller), and its counter moves in the transaction. Errors: `step-up-failed`, `sign-in-unavailable`.
 */
export async function beginStepUp(
  parts: ServiceParts,
  principal: Principal,
  { stepUp, challenge }: { stepUp: StepUp; challenge: Buffer },
): Promise<BegunStepUp> {
  if (stepUp.kind === "totp") {
    await useTotp(parts, principal, stepUp.code);
    return { kind: "totp", within: async () => undefined };
  }
  const { response } = stepUp;
  const { tenant, id } = principal;
  return {
    kind: "passkey",
    within: async (tx) => {
      const verdict: PasskeyVerdict = await verifyPasskeyStepUp(tx, parts, {
        tenant,
        principal: id,
        challenge,
        response,
      });
      if (!verdict.ok)
        refuse("step-up-failed", "The passkey's answer was refused: it is not this person's, or not to this question.");
    },
  };
}

/** Uses a one-time code up. Errors: `step-up-failed`, for a wrong code, a used one, and while codes are locked. */
export async function useTotp(
  parts: Pick<ServiceParts, "database" | "nowMs" | "webhooks">,
  principal: Principal,
  code: string,
): Promise<void> {
  const { tenant, id } = principal;
  const person = { tenant, principal: id };
  const key = await parts.webhooks.sealingKey();
  // Committed whatever follows: a wrong guess must count even though its request is refused.
  const problem = await parts.database.transaction(async (tx) => {
    const row = await lockTotp(tx, person);
    if (row?.secret == null) return "This person has no one-time codes: `continuum mfa enroll` begins it.";
    const nowMs = parts.nowMs();
    if (row.lockedUntil !== null && row.lockedUntil.getTime() > nowMs) return lockedWords(row.lockedUntil);
    const secret = unseal(key, totpSealing(person), row.secret);
    const step = await findTotpStep(secret, { code, nowMs, lastStep: row.lastStep });
    if (step !== undefined) {
      await recordTotpStep(tx, { ...person, step });
      return null;
    }
    const failures = row.failures + 1;
    const lockedUntilMs = failures >= FAILURES_MAX ? nowMs + LOCK_MS : null;
    await recordTotpFailure(tx, { ...person, failures: lockedUntilMs === null ? failures : 0, lockedUntilMs });
    if (lockedUntilMs === null) return "The one-time code is wrong, or was used already; wait for the next one.";
    const at = { tenant, atMs: nowMs, actor: actorOf(principal), subject: `principal:${id}` };
    const details = { count: failures, expiresAt: new Date(lockedUntilMs).toISOString() };
    await appendAudit(tx, { ...at, action: "totp.lock", outcome: "refused", details });
    return lockedWords(new Date(lockedUntilMs));
  });
  if (problem !== null) refuse("step-up-failed", problem);
}

function lockedWords(until: Date): string {
  return `Too many wrong codes: none is taken until ${until.toISOString()}.`;
}

/**
 * Takes from a person what they prove approvals with: for whoever lost it, as one act with the rest of their ways in.
 * Approvals that those keys signed count at no gate any more. Answers what counted until then.
 */
export async function dropFactors(
  tx: Transaction,
  person: { tenant: string; principal: string; atMs: number },
): Promise<{ keys: number; totp: boolean }> {
  return { keys: await revokeApproverKeysOf(tx, person), totp: await removeTotp(tx, person) };
}

export function newTotpSecret(): Buffer {
  return randomBytes(SECRET_BYTES);
}

export function sealTotp(key: Uint8Array, person: { tenant: string; principal: string }, secret: Uint8Array): Buffer {
  return seal(key, totpSealing(person), secret);
}

export function openTotp(key: Uint8Array, person: { tenant: string; principal: string }, sealed: Uint8Array): Buffer {
  return unseal(key, totpSealing(person), sealed);
}

function totpSealing({ tenant, principal }: { tenant: string; principal: string }): Sealing {
  return { use: "continuum totp secrets", owner: [tenant, principal], what: "the one-time codes' secret" };
}

/** The 32 bytes of a `sha256:` digest. */
export function digestBytes(digest: string): Buffer {
  return Buffer.from(digest.slice("sha256:".length), "hex");
}
