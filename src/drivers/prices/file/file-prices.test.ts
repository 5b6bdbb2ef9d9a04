import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { filePrices } from "./file-prices.ts";

const table = {
  asOf: "2026-11-01",
  source: "a test",
  confidence: "secondary",
  region: "us-east-1",
  usdPerHour: { "ml.m5.large": 0.115 },
};
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prices-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function written(text: string): Promise<string> {
  const path = join(folder, `${Math.random()}.json`);
  await writeFile(path, text);
  return path;
}

test("a price table is read, and read anew when its file changed", async () => {
  const path = await written(JSON.stringify(table));
  const prices = filePrices(path);
  expect(await prices.read()).toEqual(table);
  await writeFile(path, JSON.stringify({ ...table, usdPerHour: { "ml.m5.large": 0.2 } }));
  expect((await prices.read()).usdPerHour["ml.m5.large"]).toBe(0.2);
});

test.each([
  ["{", "not JSON"],
  ["{}", "/asOf"],
  [JSON.stringify({ ...table, usdPerHour: { "ml.m5.large": 0 } }), "/usdPerHour/ml.m5.large"],
  [JSON.stringify({ ...table, usdPerHour: { "ml.m5.large": "0.1" } }), "/usdPerHour/ml.m5.large"],
  [JSON.stringify({ ...table, more: 1 }), "more"],
])("%s is refused with the place that is wrong", async (text, place) => {
  const reading = filePrices(await written(text)).read();
  await expect(reading).rejects.toMatchObject({ code: "prices-malformed", message: expect.stringContaining(place) });
});

test("a file that is not there is said to be so", async () => {
  await expect(filePrices(join(folder, "none.json")).read()).rejects.toMatchObject({ code: "prices-unavailable" });
});
