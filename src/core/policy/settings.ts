import { z } from "zod";
import type { Parsed } from "../error.ts";
import { shapeProblem } from "../plan/shape-problem.ts";
import { readJson } from "../plan/strict-json.ts";
import type { PolicySettings } from "./decision.ts";

const schema = z.strictObject({
  approvedProductionTypes: z.array(z.string().min(1).max(64)).max(256),
  breaker: z.strictObject({
    failures: z.number().int().min(1).max(1000),
    windowSeconds: z.number().int().min(1).max(604_800),
    coolDownSeconds: z.number().int().min(1).max(604_800),
  }),
});

/** Reads a tenant's policy settings from JSON. */
export function parseSettings(text: string): Parsed<PolicySettings> {
  const read = readJson(text);
  if (!read.ok) return read;
  const parsed = schema.safeParse(read.value.value);
  if (parsed.success) return { ok: true, value: parsed.data };
  return { ok: false, problem: shapeProblem(parsed.error, schema, read.value.value) };
}
