import type { OperationOutput } from "../../../contract/operations.ts";
import type { CommandContext } from "../command-context.ts";
import { listPages } from "../list-pages.ts";
import type { Column } from "../text-table.ts";
import { notAfterOf, purposeOf } from "../trust-options.ts";

type Identity = OperationOutput<"identities.add">;

export async function identityAdd(context: CommandContext): Promise<number> {
  const client = await context.client();
  const identity = await client.call("identities.add", {
    body: {
      purpose: purposeOf(context),
      subject: context.argument(0),
      issuer: context.text("issuer") ?? "",
      ...notAfterOf(context),
    },
  });
  await context.show(identity, () => `${identity.subject} is trusted for ${identity.purpose}: ${identity.id}\n`);
  return 0;
}

export async function identityList(context: CommandContext): Promise<number> {
  const client = await context.client();
  const page = await listPages(context, (part) => client.call("identities.list", { query: part }));
  const columns: Column<Identity>[] = [
    { heading: "ID", value: ({ id }) => id },
    { heading: "PURPOSE", value: ({ purpose }) => purpose },
    { heading: "SUBJECT", value: ({ subject }) => subject },
    { heading: "ISSUER", value: ({ issuer }) => issuer },
    { heading: "ADDED BY", value: ({ addedBy }) => addedBy },
    { heading: "UNTIL", value: ({ notAfter }) => notAfter },
    { heading: "REVOKED", value: ({ revokedAt }) => revokedAt },
  ];
  await context.showPage(page, columns, "no identity is trusted");
  return 0;
}

export async function identityRevoke(context: CommandContext): Promise<number> {
  const client = await context.client();
  const params = { id: context.argument(0), purpose: context.text("purpose") ?? "" };
  const identity = await client.call("identities.revoke", { params });
  await context.show(identity, () => `${identity.subject} is no longer trusted for ${identity.purpose}\n`);
  return 0;
}
