import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AlarmSituation, alarmResponse } from "./alarm-response.ts";
import { isSuppressing } from "./suppression.ts";

const SERVING: AlarmSituation = {
  ...{ alarm: "DataDriftAlarm", nowMs: 1000, suppression: null, underWay: false, restore: false, live: true },
  watch: { untilMs: 2000, alarms: ["DataDriftAlarm"], onAlarm: "rollback", whyAsk: null },
  ...{ otherRollout: null, restoring: false },
};
const suppression = (untilMs: number) => ({ id: "s", by: "ann", reason: "known", atMs: 0, untilMs });
const asking = { untilMs: 2000, alarms: ["DataDriftAlarm"], onAlarm: "ask" as const, whyAsk: null };

describe("what follows from an ALARM", () => {
  test.each<[string, Partial<AlarmSituation>, string, string]>([
    ["of a rollout under way", { underWay: true, live: false, watch: null }, "rollout", ""],
    ["of a restore under way", { underWay: true, restore: true, live: false }, "none", "brings back what ran before"],
    ["of the version that serves, within its watch period", {}, "restore", ""],
    ["where the plan asks a person", { watch: asking }, "ask", "the plan asks"],
    ["of a first version", { watch: { ...asking, whyAsk: "nothing ran before it" } }, "ask", "nothing ran before"],
    ["of a version that went", { live: false }, "none", "does not serve"],
    ["without a watch period", { watch: null }, "none", "no watch period"],
    ["at the end of the watch period", { nowMs: 2000 }, "none", "ended"],
    ["that the plan does not name", { alarm: "LatencyAlarm" }, "none", "does not name LatencyAlarm"],
    ["that comes second", { restoring: true }, "none", "coming back already"],
    ["while another rollout holds the endpoint", { otherRollout: "r-2" }, "none", "r-2 is under way"],
    ["that is suppressed", { suppression: suppression(1001) }, "none", "suppressed by ann"],
    ["that is suppressed in a rollout", { underWay: true, suppression: suppression(1001) }, "none", "suppressed"],
    ["whose suppression is over", { suppression: suppression(1000) }, "restore", ""],
  ])("%s", (_what, how, kind, words) => {
    const response = alarmResponse({ ...SERVING, ...how });
    expect([response.kind, response.message]).toEqual([kind, expect.stringContaining(words)]);
  });

  test("is nothing while it is suppressed, whatever else is so", () => {
    const situation = fc.record({
      ...{ alarm: fc.constantFrom("DataDriftAlarm", "LatencyAlarm"), nowMs: fc.nat(3000) },
      suppression: fc.option(fc.nat(3000).map(suppression)),
      ...{ underWay: fc.boolean(), restore: fc.boolean(), live: fc.boolean(), restoring: fc.boolean() },
      watch: fc.option(fc.constantFrom(asking, { ...asking, onAlarm: "rollback" as const })),
      otherRollout: fc.option(fc.constant("r-2")),
    });
    fc.assert(
      fc.property(situation, (of) => {
        const { kind } = alarmResponse(of);
        if (isSuppressing(of.suppression, of.nowMs)) expect(kind).toBe("none");
        if (kind === "restore") expect(of.live && !of.restoring && of.otherRollout === null).toBe(true);
        if (kind === "restore" || kind === "ask") expect(of.nowMs < (of.watch?.untilMs ?? 0)).toBe(true);
      }),
    );
  });
});
