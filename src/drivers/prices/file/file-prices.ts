import { readFile } from "node:fs/promises";
import { z } from "zod";
import { ContinuumError } from "../../../core/error.ts";
import type { PriceTable } from "../../../core/policy/decision.ts";
import type { Prices, PricesErrorCode } from "../prices.ts";

const tableSchema = z.strictObject({
  asOf: z.iso.date(),
  source: z.string().min(1).max(500),
  confidence: z.string().min(1).max(100),
  region: z.string().min(1).max(64),
  usdPerHour: z.record(z.string().min(1).max(64), z.number().positive().max(1e6)),
});

/** Prices from a JSON file, such as the one that is shipped; read anew each time, so a refreshed file counts at once. */
export function filePrices(path: string): Prices {
  return { read: async () => parse(await load(path), path) };
}

async function load(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new ContinuumError<PricesErrorCode>("prices-unavailable", `The price file ${path} cannot be read.`, {
      cause,
    });
  }
}

function parse(text: string, path: string): PriceTable {
  const malformed = (why: string, cause?: unknown) =>
    new ContinuumError<PricesErrorCode>("prices-malformed", `The price file ${path} is no price table: ${why}`, {
      cause,
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw malformed("it is not JSON.", cause);
  }
  const table = tableSchema.safeParse(value);
  if (table.success) return table.data;
  const issue = table.error.issues[0];
  throw malformed(`/${issue?.path.map(String).join("/") ?? ""}: ${issue?.message ?? "it has another shape"}.`);
}
