import type { OperationOutput } from "../../../contract/operations.ts";
import { SIGNED_KINDS } from "../../../contract/trust-views.ts";
import { BUNDLE_BYTES_MAX } from "../../../core/evidence/bundle.ts";
import { canonicalPlan } from "../../../core/plan/canonical.ts";
import { parseJsonStrict } from "../../../core/plan/parse.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { readTextInput } from "../files.ts";
import { listPages } from "../list-pages.ts";
import { preparePlan } from "../prepare-plan.ts";
import type { Column } from "../text-table.ts";

type Evidence = OperationOutput<"evidence.add">;

/** Hands a bundle in. What it is about and who signed it, it says itself; the server judges it. */
export async function evidenceAdd(context: CommandContext): Promise<number> {
  const file = context.argument(0);
  const text = await readTextInput(context, { file, where: "the bundle", bytesMax: BUNDLE_BYTES_MAX });
  const parsed = parseJsonStrict(text, { bytesMax: BUNDLE_BYTES_MAX });
  if (!parsed.ok) throw malformed("cannot read the bundle", file, parsed.problem.message);
  const bundle = parsed.value;
  if (typeof bundle !== "object" || bundle === null || Array.isArray(bundle))
    throw malformed("no bundle", file, "must be a Sigstore bundle such as `sign` and `attest` write");
  const plan = context.text("plan");
  const kind = kindOf(context);
  const manifest = plan === undefined ? undefined : canonicalPlan((await preparePlan(context, { file: plan })).plan);
  const client = await context.client();
  const evidence = await client.call("evidence.add", {
    body: {
      bundle: { ...bundle },
      ...(kind === undefined ? {} : { kind }),
      ...(manifest === undefined ? {} : { manifest: Buffer.from(manifest).toString("base64") }),
    },
  });
  await context.show(
    evidence,
    () => `stored ${evidence.id}: ${evidence.kind} ${evidence.result} of ${evidence.subjectDigest}\n`,
  );
  return 0;
}

export async function evidenceList(context: CommandContext): Promise<number> {
  const client = await context.client();
  const [subject, kind] = [context.text("subject"), kindOf(context)];
  const query = { ...(subject === undefined ? {} : { subject }), ...(kind === undefined ? {} : { kind }) };
  const page = await listPages(context, (part) => client.call("evidence.list", { query: { ...query, ...part } }));
  const columns: Column<Evidence>[] = [
    { heading: "ID", value: ({ id }) => id },
    { heading: "KIND", value: ({ kind: of }) => of },
    { heading: "RESULT", value: ({ result }) => result },
    { heading: "SUBJECT", value: ({ subjectDigest }) => subjectDigest },
    { heading: "SIGNER", value: ({ keyId, identity }) => identity?.subject ?? keyId },
    { heading: "ADDED", value: ({ addedAt }) => addedAt },
    { heading: "REVOKED", value: ({ revoked }) => revoked?.at },
  ];
  await context.showPage(page, columns, "no evidence");
  return 0;
}

export async function evidenceRevoke(context: CommandContext): Promise<number> {
  const client = await context.client();
  const params = { id: context.argument(0) };
  const revoked = await client.call("evidence.revoke", { params, body: { reason: context.text("reason") ?? "" } });
  const lines = revoked.items.map(({ kind, subjectDigest }) => `revoked: ${kind} of ${subjectDigest}\n`);
  await context.show(revoked, () => lines.join(""));
  return 0;
}

function kindOf(context: CommandContext): (typeof SIGNED_KINDS)[number] | undefined {
  return SIGNED_KINDS.find((kind) => kind === context.text("kind"));
}
