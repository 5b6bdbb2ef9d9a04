import { TRUTHS_MAX, type TruthRecord } from "../../../contract/ground-truth-operations.ts";
import { CliError } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { endpointParams } from "../endpoint-params.ts";
import { readTruthFile } from "../read-truth-file.ts";

const RECORDS_MAX = 1e12;

/** Sends a file of labels, page by page. What was sent stays; one that broke off goes on where it says. */
export async function monitorTruth(context: CommandContext): Promise<number> {
  const params = endpointParams(context);
  const file = context.text("file") ?? "";
  const from = context.integer("from", { min: 1, max: RECORDS_MAX }) ?? 1;
  const client = await context.client();
  const sum = { records: 0, added: 0, replaced: 0, unchanged: 0, refused: 0 };
  const send = async (records: TruthRecord[]) => {
    if (records.length === 0) return;
    const taken = await client.call("truths.add", { params, body: { records } });
    sum.records += records.length;
    for (const count of ["added", "replaced", "unchanged", "refused"] as const) sum[count] += taken[count];
  };
  try {
    let page: TruthRecord[] = [];
    let number = 0;
    const columns = { id: context.text("id"), label: context.text("label") };
    for await (const record of readTruthFile(context, { file, columns })) {
      number += 1;
      if (number < from) continue;
      page.push(record);
      if (page.length < TRUTHS_MAX) continue;
      await send(page);
      page = [];
    }
    await send(page);
  } catch (error) {
    if (sum.records === 0 || !(error instanceof CliError)) throw error;
    const done = from + sum.records - 1;
    throw new CliError(
      error.code,
      `${error.message}; records up to ${done} were taken: go on with --from ${done + 1}`,
      {
        ...{ exitCode: error.exitCode, details: error.details, cause: error },
      },
    );
  }
  await context.show(sum, () => text(context, sum));
  return 0;
}

function text(
  context: CommandContext,
  {
    records,
    added,
    replaced,
    unchanged,
    refused,
  }: Record<"records" | "added" | "replaced" | "unchanged" | "refused", number>,
): string {
  const parts = [`${added} new`, `${replaced} replaced`, `${unchanged} known already`];
  const late = refused === 0 ? "" : `${context.paint.bad(`${refused} refused`)}: another label was counted already\n`;
  return `${records} records: ${parts.join(", ")} labels\n${late}`;
}
