import type { TruthRecord } from "../contract/ground-truth-operations.ts";
import type { OperationInput } from "../contract/operations.ts";
import { captureTenantKey, inferencePseudonym } from "../core/monitor/capture/pseudonym.ts";
import { categoryOf } from "../core/monitor/sketch/cell-value.ts";
import { appendAudit } from "../engine/audit-log.ts";
import { readEndpoint } from "../store/queries/endpoints.ts";
import { countWaitingTruths, type TruthRow, takeTruths } from "../store/queries/ground-truth.ts";
import type { Call, Handlers, ServiceParts } from "./handler.ts";
import { notFound, refuse } from "./refusal.ts";
import type { ServiceAnswer } from "./service.ts";

/** Labels of one endpoint that no answer was found for yet: of ids that nobody ever sees, most likely. */
const WAITING_MAX = 1_000_000;
const ROWS_MAX = 20_000;

/** What turned out to be true of earlier answers. */
export function groundTruthHandlers(parts: ServiceParts): Handlers<"truths.add"> {
  return { "truths.add": (call) => add(parts, call) };
}

async function add(parts: ServiceParts, call: Call<"truths.add">): Promise<ServiceAnswer<"truths.add">> {
  const { principal, actor, input } = call;
  const { tenant } = principal;
  const at = { tenant, ...input.params };
  if ((await readEndpoint(parts.database, at)) === undefined) return notFound("endpoint");
  if (parts.groundTruth === undefined)
    refuse("not-acceptable-now", "This server has no key for inference ids: see serving.captureKeyReference.");
  const key = captureTenantKey(await parts.groundTruth.captureKey(), tenant);
  const atMs = parts.nowMs();
  const truths = rowsOf(input.body.records, { nameOf: (id) => inferencePseudonym(key, id), atMs });
  return parts.database.transaction(async (tx) => {
    const waiting = await countWaitingTruths(tx, at, WAITING_MAX);
    if (waiting >= WAITING_MAX)
      refuse(
        "quota-exceeded",
        `The endpoint has ${WAITING_MAX} labels whose inferences were never seen; are the ids those of this endpoint?`,
      );
    const taken = await takeTruths(tx, at, { truths, receivedMs: atMs });
    const endpoint = `${at.environment}/${at.target}/${at.name}`;
    await appendAudit(tx, {
      ...{ tenant, atMs, actor, action: "ground-truth.add", subject: `endpoint:${endpoint}`, outcome: "accepted" },
      details: { endpoint, count: taken.added + taken.replaced },
    });
    return taken;
  });
}

type Records = OperationInput<"truths.add">["body"]["records"];

/** A row for each label. Of an inference and row that is named twice the last one counts, as if it had come later. */
function rowsOf(records: Records, { nameOf, atMs }: { nameOf(id: string): string; atMs: number }): TruthRow[] {
  const rows = new Map<string, TruthRow>();
  for (const [at, record] of records.entries()) {
    const { inferenceId, labels, facet, group, knownMs } = readRecord(record, atMs);
    const inference = nameOf(inferenceId);
    for (const [row, label] of labels.entries()) {
      if (label !== null) rows.set(`${inference}/${row}`, { inference, row, label, facet, group, knownMs });
    }
    if (rows.size > ROWS_MAX)
      refuse("too-large", `One request may have ${ROWS_MAX} labels; send the records from ${at} on in another.`, {
        pointer: `/records/${at}`,
      });
  }
  return [...rows.values()];
}

interface ReadRecord {
  inferenceId: string;
  labels: (string | null)[];
  facet: string | null;
  group: string | null;
  knownMs: number;
}

function readRecord(record: TruthRecord, atMs: number): ReadRecord {
  if ("groundTruthData" in record) {
    const labels = record.groundTruthData.data.split(/[,\n]/).map((label) => textOf(label));
    return { inferenceId: record.eventMetadata.eventId, labels, facet: null, group: null, knownMs: atMs };
  }
  const { inferenceId, label, labels = [label ?? null], facet, group, at } = record;
  return {
    inferenceId,
    labels: labels.map(textOf),
    facet: textOf(facet),
    group: textOf(group),
    // Nothing becomes known later than it is told.
    knownMs: at === undefined ? atMs : Math.min(atMs, Date.parse(at)),
  };
}

/** As the monitor writes categories, so that both sides mean the same class by the same text. */
function textOf(value: string | number | boolean | null | undefined): string | null {
  return categoryOf(value) ?? null;
}
