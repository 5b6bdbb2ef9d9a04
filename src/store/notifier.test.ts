import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { Notifier } from "./notifier.ts";

test("what is to be told at the moment in which the last telling ends is told", async () => {
  for (let hops = 0; hops < 12; hops += 1) {
    const told: unknown[] = [];
    const notifier = new Notifier({ query: async (_, [, payloads]) => void told.push(...(payloads as [])) }, undefined);
    notifier.tell([{ channel: "jobs", payload: "first" }]);
    for (let hop = 0; hop < hops; hop += 1) await Promise.resolve();
    notifier.tell([{ channel: "jobs", payload: "second" }]);
    await nextTurn();
    expect({ hops, told }).toEqual({ hops, told: ["first", "second"] });
  }
});
