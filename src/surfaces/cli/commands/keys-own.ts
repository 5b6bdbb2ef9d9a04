import type { OperationOutput } from "../../../contract/operations.ts";
import { KEY_ENROLMENT_TYPE } from "../../../core/approval/statement.ts";
import { failed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { listPages } from "../list-pages.ts";
import { readSigningKey } from "../read-keys.ts";
import { proveStatement, readStatement } from "../sign-statement.ts";
import type { Column } from "../text-table.ts";

type Key = OperationOutput<"me.keys.enroll">;

/** The key proves itself by its signature; the private half stays here. */
export async function keysEnroll(context: CommandContext): Promise<number> {
  const key = await readSigningKey(context);
  const { keyId, spkiPem } = key.publicKey;
  const label = context.text("label");
  const body = { publicKey: spkiPem, kind: "cosign" as const, ...(label === undefined ? {} : { label }) };
  const client = await context.client();
  const statement = await client.call("me.keys.statement", { body });
  const { says } = readStatement(statement, KEY_ENROLMENT_TYPE);
  const { id, tenant } = await client.call("principal.show", {});
  if (says.keyId !== keyId || says.approver !== id || says.tenant !== tenant)
    throw failed("the server asks for a signature about another key or person; nothing was signed");
  const proof = await proveStatement(context, statement, { key });
  const enrolled = await client.call("me.keys.enroll", { body: { ...body, ...proof } });
  await context.show(enrolled, () => `${enrolled.keyId} signs your approvals from now on\n`);
  return 0;
}

export async function keysEnrolled(context: CommandContext): Promise<number> {
  const client = await context.client();
  const page = await listPages(context, (part) => client.call("me.keys.list", { query: part }));
  const columns: Column<Key>[] = [
    { heading: "KEY", value: ({ keyId }) => keyId },
    { heading: "KIND", value: ({ kind }) => kind },
    { heading: "LABEL", value: ({ label }) => label },
    { heading: "ADDED", value: ({ addedAt }) => addedAt },
    { heading: "WITHDRAWN", value: ({ revokedAt }) => revokedAt },
  ];
  await context.showPage(page, columns, "you have registered no key");
  return 0;
}

export async function keysWithdraw(context: CommandContext): Promise<number> {
  const client = await context.client();
  const key = await client.call("me.keys.revoke", { params: { keyId: context.argument(0) } });
  await context.show(key, () => `${key.keyId} signs no approval of yours any more\n`);
  return 0;
}
