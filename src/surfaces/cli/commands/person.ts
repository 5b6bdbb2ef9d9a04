import type { OperationOutput } from "../../../contract/operations.ts";
import type { CommandContext } from "../command-context.ts";
import { durationSeconds } from "../duration.ts";
import { listPages } from "../list-pages.ts";
import { type Column, textRecord } from "../text-table.ts";
import { roleOf } from "./token.ts";

type Person = OperationOutput<"people.list">["items"][number];

export async function personList(context: CommandContext): Promise<number> {
  const client = await context.client();
  const page = await listPages(context, (part) => client.call("people.list", { query: part }));
  const columns: Column<Person>[] = [
    { heading: "PERSON", value: ({ id }) => id },
    { heading: "ROLES", value: ({ roles }) => roles.join(", ") },
    { heading: "PASSKEYS", value: ({ passkeys }) => String(passkeys) },
    { heading: "SIGNS IN BY", value: ({ linked, passkeys }) => waysOf(linked, passkeys) },
    { heading: "LAST SEEN", value: ({ lastSeenAt }) => lastSeenAt },
  ];
  await context.showPage(page, columns, "no people");
  return 0;
}

function waysOf(linked: boolean, passkeys: number): string {
  if (linked) return "identity provider";
  return passkeys > 0 ? "passkey" : "token alone";
}

export async function personInvite(context: CommandContext): Promise<number> {
  const client = await context.client();
  const roles = context.list("role").map(roleOf);
  const body = { principal: context.argument(0), roles, ...expiresIn(context) };
  return showEnrolment(context, await client.call("people.invite", { body }));
}

export async function personEnroll(context: CommandContext): Promise<number> {
  const client = await context.client();
  const totpCode = context.text("totp");
  const body = { ...expiresIn(context), ...(totpCode === undefined ? {} : { totpCode }) };
  return showEnrolment(context, await client.call("me.enroll", { body }));
}

export async function personReset(context: CommandContext): Promise<number> {
  const client = await context.client();
  const person = context.argument(0);
  const ended = await client.call("people.reset", { params: { id: person } });
  await context.show(ended, () => {
    const { passkeys, sessions, totp } = ended;
    const codes = totp ? "one-time codes removed, " : "";
    return `${person}: ${passkeys} passkeys removed, ${codes}${sessions} sessions ended; \`continuum person invite\` lets them in again\n`;
  });
  return 0;
}

function expiresIn(context: CommandContext): { expiresInSeconds?: number } {
  const expires = context.text("expires");
  return expires === undefined ? {} : { expiresInSeconds: durationSeconds(expires, "--expires") };
}

/** Like a token's, the one answer whose purpose is to show a secret. */
async function showEnrolment(context: CommandContext, enrolment: OperationOutput<"people.invite">): Promise<number> {
  const { principal, link, code, expiresAt } = enrolment;
  await context.show(enrolment, () =>
    textRecord({ person: principal, ...(link === null ? { code } : { link }), expires: expiresAt }),
  );
  context.note("this is the only time that it is shown, and it works once");
  if (link === null) context.note("set publicUrl to the address at which browsers find the server: then it is a link");
  return 0;
}
