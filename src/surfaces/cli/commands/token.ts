import { GRANTABLE_ROLES, type GrantableRole, ROLES } from "../../../contract/operation.ts";
import type { OperationOutput } from "../../../contract/operations.ts";
import { malformed } from "../cli-error.ts";
import type { CallInput } from "../client.ts";
import type { CommandContext } from "../command-context.ts";
import { durationSeconds } from "../duration.ts";
import { listPages } from "../list-pages.ts";
import { type Column, textRecord } from "../text-table.ts";

type Token = OperationOutput<"tokens.list">["items"][number];

/** The one command whose purpose is to show a secret; stdout holds it once and nothing else repeats it. */
export async function tokenCreate(context: CommandContext): Promise<number> {
  const owner = context.text("owner");
  const expires = context.text("expires");
  const kind = context.text("kind") as CallInput<"tokens.create">["body"]["kind"];
  if (kind === "agent" && owner === undefined)
    throw malformed("an agent without an owner", "--owner", "must be the person who answers for it");
  const client = await context.client();
  const token = await client.call("tokens.create", {
    body: {
      principal: context.argument(0),
      kind,
      roles: context.list("role").map(roleOf),
      ...(owner === undefined ? {} : { owner }),
      ...(expires === undefined ? {} : { expiresInSeconds: durationSeconds(expires, "--expires") }),
    },
  });
  await context.show(token, () =>
    textRecord({
      id: token.id,
      principal: token.principal.id,
      kind: token.principal.kind,
      roles: token.roles.join(", "),
      expires: token.expiresAt,
      token: token.secret,
    }),
  );
  context.note("this is the only time that the token is shown");
  return 0;
}

export function roleOf(text: string): GrantableRole {
  const role = GRANTABLE_ROLES.find((known) => known === text);
  if (role === undefined)
    throw malformed(
      `unknown role ${JSON.stringify(text.slice(0, 40))}`,
      "--role",
      `must be one of ${ROLES.join(", ")}, or a role in one environment, such as approver@production`,
    );
  return role;
}

export async function tokenList(context: CommandContext): Promise<number> {
  const client = await context.client();
  const page = await listPages(context, (part) => client.call("tokens.list", { query: part }));
  const columns: Column<Token>[] = [
    { heading: "ID", value: ({ id }) => id },
    { heading: "PRINCIPAL", value: ({ principal }) => principal.id },
    { heading: "KIND", value: ({ principal }) => principal.kind },
    { heading: "OWNER", value: ({ principal }) => principal.owner },
    { heading: "ROLES", value: ({ roles }) => roles.join(", ") },
    { heading: "EXPIRES", value: ({ expiresAt }) => expiresAt },
    { heading: "REVOKED", value: ({ revokedAt }) => revokedAt },
  ];
  await context.showPage(page, columns, "no tokens");
  return 0;
}

export async function tokenRevoke(context: CommandContext): Promise<number> {
  const client = await context.client();
  const token = await client.call("tokens.revoke", { params: { id: context.argument(0) } });
  await context.show(token, () => `token ${token.id} of ${token.principal.id} has ended\n`);
  return 0;
}
