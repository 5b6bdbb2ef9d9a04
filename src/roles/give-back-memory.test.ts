import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { giveBackMemory } from "./give-back-memory.ts";

test("lets go of the room that what is gone had taken, and leaves no way to collect behind", () => {
  let held: unknown[] | undefined = Array.from({ length: 300_000 }, (_, index) => ({ index }));
  const before = process.memoryUsage().heapTotal;
  expect(held.length).toBe(300_000);
  held = undefined;
  giveBackMemory();
  expect(process.memoryUsage().heapTotal).toBeLessThan(before - 4_000_000);
  expect(runInNewContext("typeof gc")).toBe("undefined");
});
