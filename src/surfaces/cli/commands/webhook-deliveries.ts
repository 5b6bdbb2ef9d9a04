import { setTimeout as sleep } from "node:timers/promises";
import type { OperationOutput } from "../../../contract/operations.ts";
import { malformed } from "../cli-error.ts";
import type { ApiClient } from "../client.ts";
import type { CommandContext } from "../command-context.ts";
import { durationSeconds } from "../duration.ts";
import { EXIT } from "../exit-codes.ts";
import { listPages } from "../list-pages.ts";
import type { Column } from "../text-table.ts";

type Delivery = OperationOutput<"webhooks.test">;

/** An attempt takes 15 s at most; a little more for the way there. */
const TEST_SECONDS = 20;
const LOOK_MS = 250;

export async function webhookTest(context: CommandContext): Promise<number> {
  const client = await context.client();
  const id = context.argument(0);
  const begun = await client.call("webhooks.test", { params: { id } });
  const ended = await firstAttempt(client, begun, (context.timeoutSeconds ?? TEST_SECONDS) * 1000);
  const last = ended.attempts.at(-1);
  await context.show(ended, () => `${ended.message}  ${outcomeOf(ended)}\n`);
  if (last === undefined) return EXIT.timedOut;
  return last.failure === null ? EXIT.ok : EXIT.failed;
}

async function firstAttempt(client: ApiClient, begun: Delivery, patienceMs: number): Promise<Delivery> {
  const { webhook: id, message } = begun;
  for (const endMs = performance.now() + patienceMs; performance.now() < endMs; await sleep(LOOK_MS)) {
    const { items } = await client.call("webhooks.deliveries", { params: { id }, query: { message } });
    const [delivery] = items;
    if (delivery !== undefined && delivery.attempts.length > 0) return delivery;
  }
  return begun;
}

export async function webhookDeliveries(context: CommandContext): Promise<number> {
  const client = await context.client();
  const params = { id: context.argument(0) };
  const state = context.text("state") as Delivery["state"] | undefined;
  const page = await listPages(context, (part) =>
    client.call("webhooks.deliveries", { params, query: { ...part, ...(state === undefined ? {} : { state }) } }),
  );
  const columns: Column<Delivery>[] = [
    { heading: "MESSAGE", value: ({ message }) => message },
    { heading: "TYPE", value: ({ type }) => type },
    { heading: "STATE", value: ({ state }) => state },
    { heading: "ATTEMPTS", value: ({ attempts }) => attempts.length },
    { heading: "LAST", value: outcomeOf },
    { heading: "NEXT", value: ({ nextAttemptAt }) => nextAttemptAt },
    { heading: "CREATED", value: ({ createdAt }) => createdAt },
  ];
  await context.showPage(page, columns, "nothing was sent");
  return 0;
}

export async function webhookReplay(context: CommandContext): Promise<number> {
  const message = context.text("message");
  const since = context.text("since");
  if ((message === undefined) === (since === undefined))
    throw malformed("what to send again", "webhook replay", "must be --message or --since");
  const client = await context.client();
  const params = { id: context.argument(0) };
  const body = message === undefined ? { since: timeOf(since ?? "") } : { message };
  const answer = await client.call("webhooks.replay", { params, body });
  await context.show(answer, () => `${answer.count} sent again\n`);
  if (answer.nextSince !== null) context.note(`there is more: webhook replay ${params.id} --since ${answer.nextSince}`);
  return 0;
}

function timeOf(text: string): string {
  if (/^\d+[smhd]$/.test(text)) return new Date(Date.now() - durationSeconds(text, "--since") * 1000).toISOString();
  const atMs = /^\d{4}-\d{2}-\d{2}T/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(atMs)) return new Date(atMs).toISOString();
  throw malformed(
    `bad time ${JSON.stringify(text.slice(0, 40))}`,
    "--since",
    "must be a time such as 2026-11-23T07:00:00Z, or a duration such as 2h",
  );
}

function outcomeOf({ attempts }: Delivery): string {
  const last = attempts.at(-1);
  if (last === undefined) return "not tried yet";
  const status = last.status === null ? "" : ` (${last.status})`;
  return `${last.failure ?? "arrived"}${status} in ${last.durationMs} ms`;
}
