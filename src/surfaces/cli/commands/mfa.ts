import type { OperationOutput } from "../../../contract/operations.ts";
import type { CommandContext } from "../command-context.ts";
import { oneTimeCode } from "../sign-statement.ts";
import { textRecord } from "../text-table.ts";

type Factors = OperationOutput<"me.mfa">;

export async function mfaShow(context: CommandContext): Promise<number> {
  const client = await context.client();
  const factors = await client.call("me.mfa", {});
  await context.show(factors, () => factorsText(factors));
  return 0;
}

export async function mfaEnroll(context: CommandContext): Promise<number> {
  const client = await context.client();
  const enrolment = await client.call("me.totp.enroll", {});
  await context.show(enrolment, () => textRecord({ secret: enrolment.secret, uri: enrolment.uri }));
  context.note("give it to your authenticator program now, it is shown once; then: continuum mfa confirm");
  return 0;
}

export async function mfaConfirm(context: CommandContext): Promise<number> {
  const client = await context.client();
  const { totp } = await client.call("me.mfa", {});
  const before =
    totp === "confirmed"
      ? await oneTimeCode(context, { question: "One-time code of the old secret: ", option: "oldCode" })
      : undefined;
  const code = await oneTimeCode(context, { question: "One-time code of the new secret: " });
  const stepUp = before === undefined ? {} : { stepUp: { kind: "totp" as const, code: before } };
  const factors = await client.call("me.totp.confirm", { body: { code, ...stepUp } });
  await context.show(factors, () => factorsText(factors));
  return 0;
}

export async function mfaRemove(context: CommandContext): Promise<number> {
  const client = await context.client();
  const factors = await client.call("me.totp.remove", { body: { code: await oneTimeCode(context) } });
  await context.show(factors, () => factorsText(factors));
  return 0;
}

function factorsText({ totp, totpLockedUntil, passkeys, keys }: Factors): string {
  return textRecord({
    "one-time codes": totpLockedUntil === null ? totp : `${totp}, locked until ${totpLockedUntil}`,
    passkeys,
    "keys for approvals": keys,
  });
}
