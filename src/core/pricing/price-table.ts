import { z } from "zod";
import type { Parsed } from "../error.ts";
import { shapeProblem } from "../plan/shape-problem.ts";
import { readJson } from "../plan/strict-json.ts";
import type { PriceTable } from "../policy/decision.ts";

const schema = z.strictObject({
  asOf: z.string().regex(/^\d{4}-\d{2}-\d{2}(T[\d:.]+Z)?$/, "must be a date as in 2026-11-01"),
  source: z.string().min(1).max(500),
  confidence: z.string().min(1).max(64),
  region: z.string().min(1).max(64),
  // Less than a micro-dollar would round to nothing, and nothing costs nothing.
  usdPerHour: z.record(z.string().min(1).max(64), z.number().min(0.000_001).max(100_000)),
});

/** Reads a price table from JSON. */
export function parsePriceTable(text: string): Parsed<PriceTable> {
  const read = readJson(text);
  if (!read.ok) return read;
  const parsed = schema.safeParse(read.value.value);
  if (parsed.success) return { ok: true, value: parsed.data };
  return { ok: false, problem: shapeProblem(parsed.error, schema, read.value.value) };
}

/** The price of one instance in micro-USD per hour, or undefined when the type is not in the table. */
export function priceOf(prices: PriceTable, instanceType: string): number | undefined {
  if (!Object.hasOwn(prices.usdPerHour, instanceType)) return undefined;
  const usd = prices.usdPerHour[instanceType];
  return usd === undefined ? undefined : toMicroUsd(usd);
}

/** USD to whole micro-USD, which Cedar compares as integers. */
export function toMicroUsd(usd: number): number {
  return Math.round(usd * 1_000_000);
}

/** A cap in whole micro-USD: never more than what was written, for a cap that was rounded up would let too much pass. */
export function wholeMicroUsdWithin(usd: number): number {
  const nearest = toMicroUsd(usd);
  return toUsd(nearest) > usd ? nearest - 1 : nearest;
}

export function toUsd(microUsd: number): number {
  return microUsd / 1_000_000;
}
