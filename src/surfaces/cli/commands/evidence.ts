import type { OperationOutput } from "../../../contract/operations.ts";
import { BUNDLE_BYTES_MAX } from "../../../core/evidence/bundle.ts";
import { parseJsonStrict } from "../../../core/plan/parse.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { readTextInput } from "../files.ts";
import { listPages } from "../list-pages.ts";
import type { Column } from "../text-table.ts";

type Evidence = OperationOutput<"evidence.add">;

export async function evidenceAdd(context: CommandContext): Promise<number> {
  const file = context.argument(0);
  const text = await readTextInput(context, { file, where: "the bundle", bytesMax: BUNDLE_BYTES_MAX });
  const parsed = parseJsonStrict(text, { bytesMax: BUNDLE_BYTES_MAX });
  if (!parsed.ok) throw malformed("cannot read the bundle", file, parsed.problem.message);
  const bundle = parsed.value;
  if (typeof bundle !== "object" || bundle === null || Array.isArray(bundle))
    throw malformed("no bundle", file, "must be a Sigstore bundle such as `attest` writes");
  const client = await context.client();
  const evidence = await client.call("evidence.add", { body: { bundle: { ...bundle } } });
  await context.show(
    evidence,
    () => `stored ${evidence.id}: ${evidence.kind} ${evidence.result} of ${evidence.subjectDigest}\n`,
  );
  return 0;
}

export async function evidenceList(context: CommandContext): Promise<number> {
  const client = await context.client();
  const subject = context.text("subject");
  const query = subject === undefined ? {} : { subject };
  const page = await listPages(context, (part) => client.call("evidence.list", { query: { ...query, ...part } }));
  const columns: Column<Evidence>[] = [
    { heading: "ID", value: ({ id }) => id },
    { heading: "KIND", value: ({ kind }) => kind },
    { heading: "RESULT", value: ({ result }) => result },
    { heading: "SUBJECT", value: ({ subjectDigest }) => subjectDigest },
    { heading: "KEY", value: ({ keyId }) => keyId },
    { heading: "ADDED", value: ({ addedAt }) => addedAt },
  ];
  await context.showPage(page, columns, "no evidence");
  return 0;
}
