import type { OperationInput } from "../../../contract/operations.ts";
import { ALARM_COLUMNS, alarmText, TRANSITION_COLUMNS } from "../alarm-text.ts";
import { malformed } from "../cli-error.ts";
import type { CallInput } from "../client.ts";
import type { CommandContext } from "../command-context.ts";
import { durationSeconds } from "../duration.ts";
import { endpointParams } from "../endpoint-params.ts";
import { listPages } from "../list-pages.ts";

type AlarmName = OperationInput<"alarms.suppress">["body"]["alarm"];

export async function monitorAlarms(context: CommandContext): Promise<number> {
  const name = context.args[0];
  const environment = context.text("environment");
  if ((name === undefined) !== (environment === undefined))
    throw malformed("half of an endpoint", "monitor alarms", "must be a name with -e, or neither for all endpoints");
  const state = context.text("state");
  const filter = {
    ...(name === undefined ? {} : endpointParams(context)),
    ...(state === undefined ? {} : { state }),
  } as CallInput<"alarms.list">["query"];
  const client = await context.client();
  const page = await listPages(context, (part) => client.call("alarms.list", { query: { ...filter, ...part } }));
  await context.showPage(page, ALARM_COLUMNS, "no alarm was evaluated yet");
  return 0;
}

export async function monitorHistory(context: CommandContext): Promise<number> {
  const alarm = context.text("alarm");
  const variant = context.text("variant");
  const filter = {
    ...(alarm === undefined ? {} : { alarm }),
    ...(variant === undefined ? {} : { variant }),
  } as CallInput<"alarms.history">["query"];
  const params = endpointParams(context);
  const client = await context.client();
  const page = await listPages(context, (part) =>
    client.call("alarms.history", { params, query: { ...filter, ...part } }),
  );
  await context.showPage(page, TRANSITION_COLUMNS, "no alarm has changed its state yet");
  return 0;
}

export async function monitorAcknowledge(context: CommandContext): Promise<number> {
  const variant = context.text("variant");
  const comment = context.text("comment");
  const client = await context.client();
  const alarm = await client.call("alarms.acknowledge", {
    params: endpointParams(context),
    body: {
      alarm: alarmName(context),
      ...(variant === undefined ? {} : { variant }),
      ...(comment === undefined ? {} : { comment }),
    },
  });
  await context.show(alarm, () => alarmText(alarm, context.paint));
  return 0;
}

export async function monitorSuppress(context: CommandContext): Promise<number> {
  const seconds = durationSeconds(context.text("for") ?? "", "--for");
  const reason = context.text("reason") ?? "";
  const client = await context.client();
  const made = await client.call("alarms.suppress", {
    params: endpointParams(context),
    body: { alarm: alarmName(context), reason, seconds },
  });
  await context.show(made, () => `${made.alarm} is evaluated and shown, and not acted on until ${made.until}\n`);
  return 0;
}

export async function monitorUnsuppress(context: CommandContext): Promise<number> {
  const client = await context.client();
  const answer = await client.call("alarms.unsuppress", {
    params: endpointParams(context),
    body: { alarm: alarmName(context) },
  });
  const alarm = alarmName(context);
  await context.show(answer, () =>
    answer.ended ? `${alarm} is acted on again\n` : `${alarm} was not suppressed; nothing changed\n`,
  );
  return 0;
}

/** Commander has checked the word. */
function alarmName(context: CommandContext): AlarmName {
  return context.argument(1) as AlarmName;
}
