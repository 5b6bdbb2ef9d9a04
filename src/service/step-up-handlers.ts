import { createHash, randomBytes } from "node:crypto";
import type { OperationOutput } from "../contract/operations.ts";
import { appendAudit } from "../engine/audit-log.ts";
import type { Queryable } from "../store/database.ts";
import { countingApproverKeys } from "../store/queries/approvals.ts";
import { passkeysOf } from "../store/queries/passkeys.ts";
import { forgetEnrolments } from "../store/queries/people.ts";
import { confirmTotp, lockTotp, readTotp, removeTotp, storePendingTotp } from "../store/queries/totp.ts";
import type { Call, Handlers, ServiceParts } from "./handler.ts";
import type { Principal } from "./principal.ts";
import { refuse } from "./refusal.ts";
import { requireSelf } from "./require-self.ts";
import { optionalTime } from "./rollout-view.ts";
import { beginStepUp, digestBytes, newTotpSecret, openTotp, sealTotp, useTotp } from "./step-up.ts";
import { findTotpStep, totpEnrolment } from "./totp.ts";

/** How long a secret that was shown waits for its first code. */
const PENDING_MS = 15 * 60_000;

export function stepUpHandlers(
  parts: ServiceParts,
): Handlers<"me.mfa" | "me.totp.enroll" | "me.totp.confirm" | "me.totp.remove"> {
  return {
    "me.mfa": ({ principal }) => factorsView(parts, principal),

    /** What counts until then goes on counting: whoever only has a token can show a secret and change nothing. */
    "me.totp.enroll": async ({ principal }) => {
      const person = personOf(principal);
      const secret = newTotpSecret();
      const nonce = randomBytes(32).toString("base64url");
      const sealed = sealTotp(await parts.webhooks.sealingKey(), person, secret);
      await parts.database.transaction((tx) =>
        storePendingTotp(tx, { ...person, sealed, nonce, untilMs: parts.nowMs() + PENDING_MS }),
      );
      return { ...(await totpEnrolment(secret, person)), challenge: pendingChallenge(person, nonce) };
    },

    "me.totp.confirm": (call) => confirm(parts, call),

    "me.totp.remove": async ({ principal, actor, input }) => {
      await useTotp(parts, principal, input.body.code);
      const person = personOf(principal);
      const at = { tenant: person.tenant, atMs: parts.nowMs(), actor, subject: `principal:${principal.id}` };
      await parts.database.transaction(async (tx) => {
        await removeTotp(tx, person);
        await appendAudit(tx, { ...at, action: "totp.remove", outcome: "accepted", details: {} });
      });
      return factorsView(parts, principal);
    },
  };
}

/** Once a person has a second factor, only that can bring in another: a stolen token must not make its own. */
async function confirm(
  parts: ServiceParts,
  { principal, actor, input }: Call<"me.totp.confirm">,
): Promise<OperationOutput<"me.totp.confirm">> {
  const person = personOf(principal);
  const { code, stepUp } = input.body;
  const waiting = await readTotp(parts.database, person);
  const nonce = waiting?.pendingNonce ?? refuse("not-acceptable-now", "Nothing waits to be confirmed: enroll first.");
  const due = await hasSecondFactor(parts.database, principal);
  if (due && stepUp === undefined) {
    refuse("step-up-required", "You have a second factor already: show it, to replace or add another.");
  }
  const challenge = digestBytes(pendingChallenge(person, nonce));
  const begun = stepUp === undefined || !due ? undefined : await beginStepUp(parts, principal, { stepUp, challenge });
  const key = await parts.webhooks.sealingKey();
  await parts.database.transaction(async (tx) => {
    await requireSelf(tx, parts, { principal, shown: begun !== undefined });
    const row = await lockTotp(tx, person);
    const nowMs = parts.nowMs();
    if (row?.pending == null || row.pendingNonce !== nonce || (row.pendingUntil?.getTime() ?? 0) <= nowMs) {
      return refuse("not-acceptable-now", "What was begun has been confirmed, replaced or forgotten: enroll again.");
    }
    if (begun === undefined && (await hasSecondFactor(tx, principal))) {
      refuse("step-up-required", "You have a second factor already: show it, to replace or add another.");
    }
    const step = await findTotpStep(openTotp(key, person, row.pending), { code, nowMs, lastStep: 0 });
    if (step === undefined)
      return refuse("step-up-failed", "The code is not one of the new secret; is the clock right?");
    await begun?.within(tx);
    await confirmTotp(tx, { ...person, step, atMs: nowMs });
    // A code for a passkey from before there was a second factor would bring in another beside it.
    await forgetEnrolments(tx, person.tenant, person.principal);
    const subject = `principal:${principal.id}`;
    const details = { ...(begun === undefined ? {} : { kind: begun.kind }) };
    const at = { tenant: person.tenant, atMs: nowMs, actor, subject };
    await appendAudit(tx, { ...at, action: "totp.confirm", outcome: "accepted", details });
  });
  return factorsView(parts, principal);
}

export async function hasSecondFactor(db: Queryable, principal: Principal): Promise<boolean> {
  const person = personOf(principal);
  const [totp, passkeys] = await Promise.all([readTotp(db, person), passkeysOf(db, person.tenant, person.principal)]);
  return totp?.secret != null || passkeys.length > 0;
}

async function factorsView(parts: ServiceParts, principal: Principal): Promise<OperationOutput<"me.mfa">> {
  const person = personOf(principal);
  const [totp, passkeys, keys] = await Promise.all([
    readTotp(parts.database, person),
    passkeysOf(parts.database, person.tenant, person.principal),
    countingApproverKeys(parts.database, person),
  ]);
  const nowMs = parts.nowMs();
  const locked = totp?.lockedUntil?.getTime() ?? 0;
  const pending = (totp?.pendingUntil?.getTime() ?? 0) > nowMs;
  return {
    totp: totp?.secret != null ? "confirmed" : pending ? "pending" : "none",
    totpLockedUntil: optionalTime(locked > nowMs ? locked : null),
    passkeys: passkeys.length,
    keys: keys.length,
  };
}

function personOf({ tenant, id }: Principal): { tenant: string; principal: string } {
  return { tenant, principal: id };
}

/** What a passkey signs to bring in one-time codes: this person's, and this secret's alone. */
function pendingChallenge({ tenant, principal }: { tenant: string; principal: string }, nonce: string): string {
  const text = JSON.stringify(["continuum totp enrolment v1", tenant, principal, nonce]);
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}
