import { ALARM_NAMES, ALARM_STATES } from "../../../core/monitor/alarm/evaluation.ts";
import type { ArgumentSpec, CommandSpec, OptionSpec } from "../command-spec.ts";
import { ENVIRONMENT_NAMES, TARGET_NAMES } from "./plan-words.ts";
import { ENDPOINT, ENDPOINT_NAME, LISTS, PAGE } from "./shared-options.ts";

const ALARM: ArgumentSpec = { name: "<alarm>", description: "which alarm", choices: ALARM_NAMES };
const VARIANT: OptionSpec = {
  flags: "--variant <rollout>",
  description: "of this version; else of the one that serves",
};

/** What the monitor of a server found, and what people say to it. */
export const ALARM_COMMANDS: readonly CommandSpec[] = [
  {
    path: "monitor show",
    summary: "Everything that is measured of an endpoint, with the numbers to do the sums over again",
    details:
      "Each version with its baseline, windows, columns (distance, limit, p-value, evidence), quality, bias and alarms; " +
      "what was read, what came late and what was lost.",
    arguments: [ENDPOINT_NAME],
    options: ENDPOINT,
    examples: ["monitor show churn -e production", "monitor show churn -e production -o json"],
    load: async () => (await import("../commands/monitor-show.ts")).monitorShow,
  },
  {
    path: "monitor alarms",
    summary: "Alarms of every version: state, since when, and why",
    arguments: [{ name: "[name]", description: "only of this endpoint; with -e" }],
    options: [
      { flags: "-e, --environment <environment>", description: "where it serves", choices: ENVIRONMENT_NAMES },
      { flags: "--target <target>", description: "what it serves on (local)", choices: TARGET_NAMES },
      { flags: "--state <state>", description: "only in this state", choices: ALARM_STATES },
      ...PAGE,
    ],
    formats: LISTS,
    examples: ["monitor alarms --state ALARM", "monitor alarms churn -e production -o json"],
    load: async () => (await import("../commands/monitor-alarms.ts")).monitorAlarms,
  },
  {
    path: "monitor history",
    summary: "How the alarms of an endpoint changed, newest first; -o json has the figures of each change",
    arguments: [ENDPOINT_NAME],
    options: [
      ...ENDPOINT,
      { flags: "--alarm <alarm>", description: "only of this alarm", choices: ALARM_NAMES },
      { flags: "--variant <rollout>", description: "only of this version" },
      ...PAGE,
    ],
    formats: LISTS,
    examples: ["monitor history churn -e production", "monitor history churn -e production --alarm DataDriftAlarm"],
    load: async () => (await import("../commands/monitor-alarms.ts")).monitorHistory,
  },
  {
    path: "monitor acknowledge",
    summary: "Say that you saw an ALARM; nobody is waited for any more; people only",
    arguments: [ENDPOINT_NAME, ALARM],
    options: [...ENDPOINT, VARIANT, { flags: "--comment <text>", description: "what you found; kept with the alarm" }],
    examples: [
      "monitor acknowledge churn DataDriftAlarm -e production",
      'monitor acknowledge churn DataDriftAlarm -e production --comment "a new region; retraining"',
    ],
    load: async () => (await import("../commands/monitor-alarms.ts")).monitorAcknowledge,
  },
  {
    path: "monitor suppress",
    summary: "Let an alarm not be acted on for a while; it is evaluated, recorded and shown as ever; people only",
    arguments: [ENDPOINT_NAME, ALARM],
    options: [
      ...ENDPOINT,
      { flags: "--for <duration>", description: "such as 2h or 1d, at most 7d; then it counts again", required: true },
      { flags: "--reason <text>", description: "why, in a sentence", required: true },
    ],
    examples: [
      'monitor suppress churn DataDriftAlarm -e production --for 6h --reason "a campaign brings other people"',
    ],
    load: async () => (await import("../commands/monitor-alarms.ts")).monitorSuppress,
  },
  {
    path: "monitor unsuppress",
    summary: "End an alarm's suppression before its time; people only",
    arguments: [ENDPOINT_NAME, ALARM],
    options: ENDPOINT,
    examples: ["monitor unsuppress churn DataDriftAlarm -e production"],
    load: async () => (await import("../commands/monitor-alarms.ts")).monitorUnsuppress,
  },
];
