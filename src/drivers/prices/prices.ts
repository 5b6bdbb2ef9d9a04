import type { PriceTable } from "../../core/policy/decision.ts";

/**
 * Where prices come from. A decision uses one table as a whole, so that what it says (`asOf`, `source`) is true of
 * every figure in it. US dollars per instance hour.
 */
export interface Prices {
  /** Errors: `prices-unavailable` (retryable where trying again can help), `prices-malformed`. */
  read(): Promise<PriceTable>;
}

export type PricesErrorCode = "prices-unavailable" | "prices-malformed";
