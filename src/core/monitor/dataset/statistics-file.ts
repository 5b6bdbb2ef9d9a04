import { z } from "zod";
import type { Parsed } from "../../error.ts";
import { parseJsonStrict } from "../../plan/parse.ts";
import { shapeProblem } from "./shape-words.ts";

/**
 * `statistics.json` as SageMaker Model Monitor writes and reads it (Developer Guide, "Schema for Statistics"; the
 * computing program behind it is Deequ). Keys that are not named here are let through unread.
 */
const count = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const common = z.object({ num_present: count, num_missing: count });
const inferredType = z.enum(["Integral", "Fractional", "String", "Unknown"]);
const name = z
  .string()
  .min(1)
  .max(1024)
  .refine((text) => !text.includes("\0") && text.isWellFormed(), "must be text without U+0000");

const kllSchema = z.object({
  buckets: z.array(z.object({ lower_bound: z.number(), upper_bound: z.number(), count })).max(10_000),
  sketch: z
    .object({
      parameters: z.object({ c: z.number().min(0.5).lt(1), k: z.number().int().min(8).max(65_536) }),
      /** Level by level; a value of level `h` stands for `2^h` values. */
      data: z.array(z.array(z.number()).max(1_000_000)).max(50),
    })
    .optional(),
});

const numericalSchema = z.object({
  common,
  mean: z.number().nullish(),
  sum: z.number().nullish(),
  /** Of the population: divided by the count, not by one less. */
  std_dev: z.number().nullish(),
  min: z.number().nullish(),
  max: z.number().nullish(),
  distribution: z.object({ kll: kllSchema.optional() }).optional(),
});

const stringSchema = z.object({
  common,
  distinct_count: z.number().min(0).nullish(),
  distribution: z
    .object({
      categorical: z.object({ buckets: z.array(z.object({ value: z.string(), count })).max(100_000) }).optional(),
    })
    .optional(),
});

const featureSchema = z.object({
  name,
  inferred_type: inferredType,
  numerical_statistics: numericalSchema.optional(),
  string_statistics: stringSchema.optional(),
});

const statisticsSchema = z.object({
  version: z.number(),
  dataset: z.object({ item_count: count }),
  features: z.array(featureSchema).min(1).max(10_000),
});

export type DatasetStatistics = z.infer<typeof statisticsSchema>;
export type FeatureStatistics = z.infer<typeof featureSchema>;

export const STATISTICS_BYTES_MAX = 256 * 1024 * 1024;

/** One line that says what is wrong and where; `path` is a JSON pointer. */
export function readStatistics(text: string): Parsed<DatasetStatistics> {
  return readShape(text, statisticsSchema, "a statistics.json of a data set");
}

/** Parses JSON of a known shape; the message names the place, what is wrong there and what would be right. */
export function readShape<T>(text: string, schema: z.ZodType<T>, what: string): Parsed<T> {
  const json = parseJsonStrict(text, { bytesMax: STATISTICS_BYTES_MAX });
  if (!json.ok) return json;
  const parsed = schema.safeParse(json.value);
  if (parsed.success) return { ok: true, value: parsed.data };
  const { path, message } = shapeProblem(parsed.error);
  return { ok: false, problem: { path, message: `it is not ${what}: ${path === "" ? "" : `${path} `}${message}` } };
}

export const statisticsParts = { name, inferredType };
