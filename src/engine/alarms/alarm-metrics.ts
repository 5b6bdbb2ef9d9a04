import { Counter, type Registry } from "prom-client";
import type { EngineParts } from "../engine.ts";

/** Counted where it was committed, so it adds up over processes. Labels are closed sets of words. */
export function alarmMetrics(registry: Registry): Required<Pick<EngineParts, "onAlarm">> {
  const transitions = new Counter({
    name: "continuum_alarm_transitions_total",
    help: "Changes of an alarm's state, by alarm, environment and the state it came to.",
    labelNames: ["environment", "alarm", "to"],
    registers: [registry],
  });
  return { onAlarm: ({ environment, alarm, to }) => transitions.inc({ environment, alarm, to }) };
}
