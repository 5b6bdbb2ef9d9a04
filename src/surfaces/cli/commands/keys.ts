import type { OperationOutput } from "../../../contract/operations.ts";
import type { CommandContext } from "../command-context.ts";
import { listPages } from "../list-pages.ts";
import { readPublicKey } from "../read-keys.ts";
import type { Column } from "../text-table.ts";
import { notAfterOf, purposeOf } from "../trust-options.ts";

type Key = OperationOutput<"keys.revoke">;

export async function keysImport(context: CommandContext): Promise<number> {
  const { spkiPem } = await readPublicKey(context, { file: context.argument(0), where: "the public key" });
  const client = await context.client();
  const body = { purpose: purposeOf(context), publicKey: spkiPem, ...notAfterOf(context) };
  const key = await client.call("keys.import", { body });
  await context.show(key, () => `${key.keyId} is trusted for ${key.purpose}\n`);
  return 0;
}

export async function keysList(context: CommandContext): Promise<number> {
  const client = await context.client();
  const page = await listPages(context, (part) => client.call("keys.list", { query: part }));
  const columns: Column<Key>[] = [
    { heading: "KEY", value: ({ keyId }) => keyId },
    { heading: "PURPOSE", value: ({ purpose }) => purpose },
    { heading: "ADDED BY", value: ({ addedBy }) => addedBy },
    { heading: "ADDED", value: ({ addedAt }) => addedAt },
    { heading: "UNTIL", value: ({ notAfter }) => notAfter },
    { heading: "REVOKED", value: ({ revokedAt }) => revokedAt },
  ];
  await context.showPage(page, columns, "no key is trusted");
  return 0;
}

export async function keysRevoke(context: CommandContext): Promise<number> {
  const client = await context.client();
  const params = { keyId: context.argument(0), purpose: context.text("purpose") ?? "" };
  const key = await client.call("keys.revoke", { params });
  await context.show(key, () => `${key.keyId} is no longer trusted for ${key.purpose}\n`);
  return 0;
}
