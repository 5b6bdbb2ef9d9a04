import { NOTIFICATION_TYPE_NAMES } from "../../../core/notification/event-types.ts";
import type { ArgumentSpec, CommandGroup, OptionSpec } from "../command-spec.ts";
import { LISTS, PAGE } from "./shared-options.ts";

const ID: ArgumentSpec = { name: "<id>", description: "as `webhook list` gives it" };
const EVENT: OptionSpec = {
  flags: "--event <type>",
  description: "tell it of this only; may be given several times; everything when left out",
  repeatable: true,
};
const DESCRIPTION: OptionSpec = { flags: "--description <text>", description: "what it is for" };

export const webhookGroup: CommandGroup = {
  name: "webhook",
  summary: "Be told of what happens: signed messages to an address of yours; people only",
  commands: [
    {
      path: "webhook create",
      summary: "Send messages to an address; the secret that verifies them is shown this once",
      details: `Types of messages: ${NOTIFICATION_TYPE_NAMES.join(", ")}.`,
      arguments: [{ name: "<url>", description: "where to, https://" }],
      options: [EVENT, DESCRIPTION],
      examples: [
        "webhook create https://example.com/hooks/continuum",
        "webhook create https://example.com/on-call --event rollout.failed --event breaker.opened",
      ],
      load: async () => (await import("../commands/webhook.ts")).webhookCreate,
    },
    {
      path: "webhook list",
      summary: "Webhooks, without their secrets",
      options: PAGE,
      formats: LISTS,
      examples: ["webhook list", "webhook list -o json"],
      load: async () => (await import("../commands/webhook.ts")).webhookList,
    },
    {
      path: "webhook get",
      summary: "One webhook: what it is told, and whether that arrives",
      arguments: [ID],
      examples: ["webhook get wh_5f1c"],
      load: async () => (await import("../commands/webhook.ts")).webhookGet,
    },
    {
      path: "webhook update",
      summary: "Change a webhook, or turn it off and on",
      arguments: [ID],
      options: [
        { flags: "--to <url>", description: "another address" },
        EVENT,
        { flags: "--all-events", description: "tell it of everything again" },
        DESCRIPTION,
        { flags: "--enable", description: "turn it on, also after failures turned it off" },
        { flags: "--disable", description: "turn it off; what waits is kept" },
      ],
      examples: ["webhook update wh_5f1c --disable", "webhook update wh_5f1c --event rollout.failed"],
      load: async () => (await import("../commands/webhook.ts")).webhookUpdate,
    },
    {
      path: "webhook delete",
      summary: "Remove a webhook and its delivery log",
      arguments: [ID],
      examples: ["webhook delete wh_5f1c"],
      load: async () => (await import("../commands/webhook.ts")).webhookDelete,
    },
    {
      path: "webhook rotate",
      summary: "Replace the secret; the old one signs as well for a day, or as long as you say",
      arguments: [ID],
      options: [{ flags: "--overlap <duration>", description: "such as 1h; 0s when the old one is known to others" }],
      examples: ["webhook rotate wh_5f1c", "webhook rotate wh_5f1c --overlap 0s"],
      load: async () => (await import("../commands/webhook.ts")).webhookRotate,
    },
    {
      path: "webhook test",
      summary: "Send a test message and say how that went; exit code 1 when it did not arrive",
      arguments: [ID],
      examples: ["webhook test wh_5f1c"],
      load: async () => (await import("../commands/webhook-deliveries.ts")).webhookTest,
    },
    {
      path: "webhook deliveries",
      summary: "What a webhook was sent and how that went, newest first",
      arguments: [ID],
      options: [
        { flags: "--state <state>", description: "only these", choices: ["pending", "delivered", "failed"] },
        ...PAGE,
      ],
      formats: LISTS,
      examples: ["webhook deliveries wh_5f1c", "webhook deliveries wh_5f1c --state failed -o json"],
      load: async () => (await import("../commands/webhook-deliveries.ts")).webhookDeliveries,
    },
    {
      path: "webhook replay",
      summary: "Send again: one message, or everything since a time, also what happened while it was off",
      arguments: [ID],
      options: [
        { flags: "--message <id>", description: "the message, as `webhook deliveries` gives it" },
        { flags: "--since <time>", description: "a time such as 2026-11-23T07:00:00Z, or a duration such as 2h" },
      ],
      examples: [
        "webhook replay wh_5f1c --message msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
        "webhook replay wh_5f1c --since 2h",
      ],
      load: async () => (await import("../commands/webhook-deliveries.ts")).webhookReplay,
    },
  ],
};
