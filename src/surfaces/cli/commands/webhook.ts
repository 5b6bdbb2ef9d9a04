import type { OperationOutput } from "../../../contract/operations.ts";
import { NOTIFICATION_TYPE_NAMES, type NotificationType } from "../../../core/notification/event-types.ts";
import { nearestKey } from "../../../core/plan/nearest-key.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { durationSeconds } from "../duration.ts";
import { listPages } from "../list-pages.ts";
import { type Column, textRecord } from "../text-table.ts";

type Webhook = OperationOutput<"webhooks.get">;

export async function webhookCreate(context: CommandContext): Promise<number> {
  const events = eventsOf(context);
  const description = context.text("description");
  const client = await context.client();
  const made = await client.call("webhooks.create", {
    body: {
      url: context.argument(0),
      ...(events === undefined ? {} : { events }),
      ...(description === undefined ? {} : { description }),
    },
  });
  await showSecret(context, made);
  return 0;
}

export async function webhookList(context: CommandContext): Promise<number> {
  const client = await context.client();
  const page = await listPages(context, (part) => client.call("webhooks.list", { query: part }));
  const columns: Column<Webhook>[] = [
    { heading: "ID", value: ({ id }) => id },
    { heading: "STATE", value: stateOf },
    { heading: "URL", value: ({ url }) => url },
    { heading: "EVENTS", value: eventsText },
    { heading: "DESCRIPTION", value: ({ description }) => description || null },
  ];
  await context.showPage(page, columns, "no webhooks");
  return 0;
}

export async function webhookGet(context: CommandContext): Promise<number> {
  const client = await context.client();
  const webhook = await client.call("webhooks.get", { params: { id: context.argument(0) } });
  await context.show(webhook, () => webhookText(webhook));
  return 0;
}

export async function webhookUpdate(context: CommandContext): Promise<number> {
  const [enable, disable, all] = [context.flag("enable"), context.flag("disable"), context.flag("allEvents")];
  if (enable && disable) throw malformed("--enable and --disable", "webhook update", "must be one of the two");
  const events = all ? [] : eventsOf(context);
  const url = context.text("to");
  const description = context.text("description");
  const body = {
    ...(url === undefined ? {} : { url }),
    ...(events === undefined ? {} : { events }),
    ...(description === undefined ? {} : { description }),
    ...(enable || disable ? { enabled: enable } : {}),
  };
  if (Object.keys(body).length === 0)
    throw malformed("nothing to change", "webhook update", "must say what, such as --disable: see --help");
  const client = await context.client();
  const webhook = await client.call("webhooks.update", { params: { id: context.argument(0) }, body });
  await context.show(webhook, () => webhookText(webhook));
  return 0;
}

export async function webhookDelete(context: CommandContext): Promise<number> {
  const client = await context.client();
  const id = context.argument(0);
  const answer = await client.call("webhooks.delete", { params: { id } });
  await context.show(answer, () => `webhook ${id} is removed\n`);
  return 0;
}

export async function webhookRotate(context: CommandContext): Promise<number> {
  const overlap = context.text("overlap");
  const body = overlap === undefined ? {} : { overlapSeconds: overlapSeconds(overlap) };
  const client = await context.client();
  const rotated = await client.call("webhooks.rotate", { params: { id: context.argument(0) }, body });
  await showSecret(context, rotated);
  return 0;
}

/** No time at all is a duration here: a secret that others know must end now. */
function overlapSeconds(text: string): number {
  return /^0[smhd]?$/.test(text) ? 0 : durationSeconds(text, "--overlap");
}

/** Beside `token create` the one place whose purpose is to show a secret. */
async function showSecret(context: CommandContext, webhook: OperationOutput<"webhooks.create">): Promise<void> {
  await context.show(webhook, () => webhookText(webhook) + textRecord({ secret: webhook.secret }));
  context.note("this is the only time that the secret is shown");
}

function eventsOf(context: CommandContext): NotificationType[] | undefined {
  const given = context.list("event");
  return given.length === 0 ? undefined : given.map(eventOf);
}

function eventOf(text: string): NotificationType {
  const known = NOTIFICATION_TYPE_NAMES.find((name) => name === text);
  if (known !== undefined) return known;
  const near = nearestKey(text, NOTIFICATION_TYPE_NAMES);
  const hint = near === undefined ? "must be one of those that `webhook create --help` lists" : `did you mean ${near}?`;
  throw malformed(`unknown type ${JSON.stringify(text.slice(0, 40))}`, "--event", hint);
}

function webhookText(webhook: Webhook): string {
  return textRecord({
    id: webhook.id,
    url: webhook.url,
    description: webhook.description || undefined,
    state: stateOf(webhook),
    "failing since": webhook.failingSince ?? undefined,
    events: eventsText(webhook),
    "old secret until": webhook.previousSecretUntil ?? undefined,
    created: `${webhook.createdAt} by ${webhook.createdBy}`,
  });
}

const WHY_OFF = {
  operator: "off",
  failures: "off: nothing arrived for days",
  gone: "off: the receiver is gone (410)",
} as const;

function stateOf({ enabled, disabledReason, failingSince }: Webhook): string {
  if (!enabled) return WHY_OFF[disabledReason ?? "operator"];
  return failingSince === null ? "on" : "failing";
}

function eventsText({ events }: Webhook): string {
  return events.length === 0 ? "all" : events.join(", ");
}
