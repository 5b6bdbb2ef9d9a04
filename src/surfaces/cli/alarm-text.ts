import type { OperationOutput } from "../../contract/operations.ts";
import type { Paint } from "./paint.ts";
import { printable } from "./printable.ts";
import { type Column, textTable } from "./text-table.ts";
import { short } from "./verdict-text.ts";

export type AlarmView = OperationOutput<"alarms.list">["items"][number];
export type FigureView = AlarmView["figures"][number];
type TransitionView = OperationOutput<"alarms.history">["items"][number];

export const ALARM_COLUMNS: readonly Column<AlarmView>[] = [
  { heading: "ENDPOINT", value: ({ endpoint }) => `${endpoint.environment}-${endpoint.name}` },
  { heading: "VERSION", value: ({ variant }) => variant },
  { heading: "ALARM", value: ({ alarm }) => alarm },
  { heading: "STATE", value: stateWords },
  { heading: "SINCE", value: ({ since }) => since },
  { heading: "REASON", value: ({ reason }) => reason },
];

export const TRANSITION_COLUMNS: readonly Column<TransitionView>[] = [
  { heading: "AT", value: ({ at }) => at },
  { heading: "VERSION", value: ({ variant }) => variant },
  { heading: "ALARM", value: ({ alarm }) => alarm },
  { heading: "FROM", value: ({ from }) => from },
  { heading: "TO", value: ({ to, suppressed }) => (suppressed ? `${to} (suppressed)` : to) },
  { heading: "REASON", value: ({ reason }) => reason },
];

/** One line of arithmetic each; the worst first. */
export const FIGURE_COLUMNS: readonly Column<FigureView>[] = [
  { heading: "OF", value: ({ subject }) => subject },
  { heading: "MEASURE", value: ({ measure }) => measure },
  { heading: "OBSERVED", value: ({ observed }) => short(observed) },
  { heading: "LIMIT", value: ({ limit }) => short(limit) },
  { heading: "SAMPLES", value: ({ samples }) => samples },
  { heading: "P", value: ({ pValue }) => short(pValue) },
  { heading: "CORRECTED P", value: ({ adjustedPValue }) => short(adjustedPValue) },
  { heading: "EVIDENCE", value: ({ evidence }) => short(evidence) },
  { heading: "BREACHES", value: ({ breaching }) => (breaching ? "yes" : "no") },
];

/** What serves is looked at every minute, and written of every five. */
const LOOKED_MS_MAX = 15 * 60_000;

/** An OK of hours ago is none of now: its version went, or whoever should look does not. */
function staleWords({ evaluatedAt }: AlarmView): string {
  return Date.now() - Date.parse(evaluatedAt) > LOOKED_MS_MAX ? `not looked at since ${evaluatedAt}` : "";
}

function stateWords(alarm: AlarmView): string {
  const { state, suppression, acknowledgement } = alarm;
  const people = [suppression === null ? "" : "suppressed", acknowledgement === null ? "" : "acknowledged"];
  const words = [...people, staleWords(alarm)].filter(Boolean).join(", ");
  return words === "" ? state : `${state} (${words})`;
}

/** One alarm for a person: its state, why, what followed, and the arithmetic. */
export function alarmText(alarm: AlarmView, paint: Paint): string {
  const { state, effect, acknowledgement, suppression } = alarm;
  const painted = state === "ALARM" ? paint.bad(state) : state === "OK" ? paint.good(state) : paint.warn(state);
  const lines = [
    `${alarm.alarm}: ${painted} since ${alarm.since}, ${staleWords(alarm) || `evaluated ${alarm.evaluatedAt}`}`,
    `  ${printable(alarm.reason)}`,
    effect === null ? "" : `  what followed: ${printable(effect.message)}`,
    acknowledgement === null
      ? ""
      : `  acknowledged by ${printable(acknowledgement.by)} at ${acknowledgement.at}${comment(acknowledgement.comment)}`,
    suppression === null
      ? ""
      : `  suppressed by ${printable(suppression.by)} until ${suppression.until}: ${printable(suppression.reason)}`,
  ];
  const figures = alarm.figures.length === 0 ? "" : textTable(alarm.figures, FIGURE_COLUMNS, "");
  return `${lines.filter(Boolean).join("\n")}\n${figures}`;
}

function comment(text: string | null): string {
  return text === null ? "" : `: ${printable(text)}`;
}
