import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { OperationInput, OperationName, OperationOutput } from "../contract/operations.ts";
import { alarmFact } from "../engine/alarms/alarm-audit.ts";
import { appendAudit, textDigest } from "../engine/audit-log.ts";
import type { EndpointKey } from "../store/queries/admission.ts";
import {
  type AlarmRow,
  acknowledgeAlarm,
  endSuppression,
  insertSuppression,
  listAlarms,
  listTransitions,
  openSuppressions,
  readAlarms,
  type SuppressionRow,
} from "../store/queries/alarms.ts";
import { type EndpointRow, readEndpoint } from "../store/queries/endpoints.ts";
import { alarmView, suppressionView, transitionView } from "./alarm-view.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Call, Handlers, ServiceParts } from "./handler.ts";
import { notFound, refuse } from "./refusal.ts";

type Name = Extract<OperationName, `alarms.${string}`>;
type Params = OperationInput<"alarms.history">["params"];

const afterAlarm = z.tuple([z.string(), z.string()]);
const afterTransition = z.tuple([z.number(), z.string(), z.string(), z.number()]);

/** What is alarming, since when and why, and what people say to it. */
export function alarmHandlers(parts: ServiceParts): Handlers<Name> {
  return {
    "alarms.list": (call) => list(parts, call),
    "alarms.history": (call) => history(parts, call),
    "alarms.acknowledge": (call) => acknowledge(parts, call),
    "alarms.suppress": (call) => suppress(parts, call),
    "alarms.unsuppress": (call) => unsuppress(parts, call),
  };
}

async function list(
  parts: ServiceParts,
  { principal, input }: Call<"alarms.list">,
): Promise<OperationOutput<"alarms.list">> {
  const { tenant } = principal;
  const { cursor, limit = PAGE_LIMIT, environment, target = "local", name, state } = input.query;
  if ((name === undefined) !== (environment === undefined))
    refuse("malformed-request", "An endpoint is named by its environment and its name: give both or neither.");
  const after = decodeCursor("alarms.list", cursor, afterAlarm);
  const rows = await listAlarms(parts.database, {
    ...{ tenant, limit: limit + 1 },
    ...(environment === undefined || name === undefined ? {} : { endpoint: { environment, target, name } }),
    ...(state === undefined ? {} : { state }),
    ...(after === undefined ? {} : { after: { variant: after[0], alarm: after[1] } }),
  });
  const suppressions = new Map<string, SuppressionRow[]>();
  for (const row of rows) {
    const key = endpointOf(row);
    if (!suppressions.has(key))
      suppressions.set(key, await openSuppressions(parts.database, { tenant, ...row }, parts.nowMs()));
  }
  const view = (row: AlarmRow) => alarmView(row, suppressions.get(endpointOf(row)) ?? []);
  return toPage(rows, { list: "alarms.list", limit, keyOf: ({ variant, alarm }) => [variant, alarm], view });
}

function endpointOf({ environment, target, name }: Params | AlarmRow): string {
  return `${environment}/${target}/${name}`;
}

async function history(
  parts: ServiceParts,
  { principal, input }: Call<"alarms.history">,
): Promise<OperationOutput<"alarms.history">> {
  const { cursor, limit = PAGE_LIMIT, alarm, variant } = input.query;
  const at = { tenant: principal.tenant, ...input.params };
  await find(parts, at);
  const after = decodeCursor("alarms.history", cursor, afterTransition);
  const rows = await listTransitions(parts.database, {
    ...{ ...at, limit: limit + 1 },
    ...(alarm === undefined ? {} : { alarm }),
    ...(variant === undefined ? {} : { variant }),
    ...(after === undefined
      ? {}
      : { after: { atMs: after[0], variant: after[1], alarm: after[2], sequence: after[3] } }),
  });
  return toPage(rows, {
    ...{ list: "alarms.history", limit, view: transitionView },
    keyOf: (row) => [row.at.getTime(), row.variant, row.alarm, row.sequence],
  });
}

async function find(parts: ServiceParts, at: EndpointKey): Promise<EndpointRow> {
  return (await readEndpoint(parts.database, at)) ?? notFound("endpoint");
}

async function acknowledge(
  parts: ServiceParts,
  { principal, actor, input }: Call<"alarms.acknowledge">,
): Promise<OperationOutput<"alarms.acknowledge">> {
  const { tenant } = principal;
  const at = { tenant, ...input.params };
  const { alarm, comment } = input.body;
  const { liveRollout } = await find(parts, at);
  const variant = input.body.variant ?? liveRollout;
  if (variant === null) refuse("not-acceptable-now", "Nothing serves there; name the version.");
  const own = (await readAlarms(parts.database, { tenant, variant })).find((row) => row.alarm === alarm);
  if (own === undefined || endpointOf(own) !== endpointOf(input.params)) return notFound("alarm");
  const atMs = parts.nowMs();
  await parts.database.transaction(async (tx) => {
    const by = { tenant, variant, alarm, by: principal.id, atMs, comment: comment ?? null };
    if (!(await acknowledgeAlarm(tx, by))) refuse("not-acceptable-now", `${alarm} of ${variant} is not in ALARM.`);
    const about = { tenant, endpoint: input.params, variant, alarm, atMs, simulation: isSimulated(at) };
    await appendAudit(tx, alarmFact(about, { action: "alarm.acknowledge", actor, details: textDigest(comment) }));
  });
  const rows = await readAlarms(parts.database, { tenant, variant });
  const row = rows.find((one) => one.alarm === alarm);
  return row === undefined ? notFound("alarm") : alarmView(row, await openSuppressions(parts.database, at, atMs));
}

async function suppress(
  parts: ServiceParts,
  { principal, actor, input }: Call<"alarms.suppress">,
): Promise<OperationOutput<"alarms.suppress">> {
  const { tenant } = principal;
  const at = { tenant, ...input.params };
  const { alarm, reason, seconds } = input.body;
  await find(parts, at);
  const atMs = parts.nowMs();
  const made = { id: `as_${randomBytes(10).toString("hex")}`, alarm, reason, by: principal.id, atMs };
  const suppression = { ...made, untilMs: atMs + seconds * 1000 };
  await parts.database.transaction(async (tx) => {
    await insertSuppression(tx, at, suppression);
    const expiresAt = new Date(suppression.untilMs).toISOString();
    const details = { expiresAt, ...textDigest(reason) };
    await appendAudit(tx, endpointFact(at, { alarm, atMs, action: "alarm.suppress", actor, details }));
  });
  return suppressionView(suppression);
}

async function unsuppress(
  parts: ServiceParts,
  { principal, actor, input }: Call<"alarms.unsuppress">,
): Promise<OperationOutput<"alarms.unsuppress">> {
  const at = { tenant: principal.tenant, ...input.params };
  const { alarm } = input.body;
  await find(parts, at);
  const atMs = parts.nowMs();
  const ended = await parts.database.transaction(async (tx) => {
    if (!(await endSuppression(tx, at, { alarm, by: principal.id, atMs }))) return false;
    await appendAudit(tx, endpointFact(at, { alarm, atMs, action: "alarm.unsuppress", actor }));
    return true;
  });
  return { ended };
}

/** Of an alarm of an endpoint, whichever version has it. */
function endpointFact(
  { tenant, ...endpoint }: EndpointKey,
  of: { alarm: string; atMs: number; action: string } & Pick<Parameters<typeof alarmFact>[1], "actor" | "details">,
) {
  const { alarm, atMs, ...what } = of;
  return alarmFact({ tenant, endpoint, alarm, atMs, simulation: isSimulated(endpoint) }, what);
}

function isSimulated({ target }: Pick<EndpointKey, "target">): boolean {
  return target === "simulated";
}
