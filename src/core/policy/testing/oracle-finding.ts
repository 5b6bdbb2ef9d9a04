import type { DecideInput, Level } from "../decision.ts";

/** What a clause has to say, as the oracle says it: no words, only what can be compared. */
export interface OracleFinding {
  clause: string;
  level: Level;
  observed: unknown;
  limit: unknown;
  path: string | null;
}

/** Whole micro-dollars, so that no sum of prices is off by a rounding. */
export function priceMicro(input: DecideInput, instanceType: string): number | undefined {
  if (!Object.hasOwn(input.prices.usdPerHour, instanceType)) return undefined;
  const usd = input.prices.usdPerHour[instanceType];
  return usd === undefined ? undefined : Math.round(usd * 1e6);
}
