import { z } from "zod";
import type { Parsed } from "../error.ts";
import { shapeProblem } from "../plan/shape-problem.ts";
import { readYaml } from "../plan/strict-yaml.ts";
import type { EvidenceKind } from "./decision.ts";
import type { PolicyFile } from "./policy.ts";

/**
 * A decision table: tests of a policy set as data. Each case starts from the environment's base plan, which breaks
 * nothing, changes its spec by a merge patch (RFC 7396), and says which clauses must speak, at each level exactly.
 */
const clauses = z.array(z.string().min(1)).max(64);

const EVIDENCE = [
  "tests",
  "image-signature",
  "manifest-signature",
  "provenance",
  "encryption",
  "artifact-digest",
  "approver-signature",
  "baseline",
  "dry-run",
] as const satisfies readonly EvidenceKind[];

const facts = z.strictObject({
  environmentUsdPerHour: z.number().nonnegative().optional(),
  endpointUsdPerHour: z.number().nonnegative().optional(),
  breaker: z.enum(["closed", "open", "half-open"]).optional(),
  breakerFailures: z.number().int().nonnegative().optional(),
  unknownNames: z.array(z.string()).optional(),
  principal: z.enum(["human", "agent", "service"]).optional(),
  approvedProductionTypes: z.array(z.string()).optional(),
  /** Prices that differ from the set's, in USD per instance hour: how a case stands exactly at a limit. */
  usdPerHour: z.record(z.string(), z.number().positive()).optional(),
  evidence: z.array(z.enum(EVIDENCE)).optional(),
  approvals: z
    .array(
      z.strictObject({
        role: z.enum(["approver", "budget-owner"]),
        approver: z.string(),
        mfa: z.boolean(),
        signed: z.boolean(),
      }),
    )
    .optional(),
  snapshot: z.boolean().optional(),
});

const expectation = z.strictObject({
  decision: z.enum(["deny", "needs-approval", "allow"]).optional(),
  deny: clauses.optional(),
  approval: clauses.optional(),
  require: clauses.optional(),
  advise: clauses.optional(),
  /** Of one finding, what was seen and what the limit is. */
  observed: z.record(z.string(), z.unknown()).optional(),
  limit: z.record(z.string(), z.unknown()).optional(),
  /** The whole patch, as path and value. */
  fix: z.record(z.string(), z.unknown()).optional(),
  obligations: z.record(z.string(), z.enum(["met", "missing", "unchecked"])).optional(),
  refused: clauses.optional(),
  unchecked: z.array(z.string()).optional(),
});

const tableSchema = z.strictObject({
  table: z.string().min(1).max(200),
  cases: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(200),
        environment: z.enum(["development", "staging", "production"]),
        /** Merged into the base plan's spec; null removes. */
        spec: z.record(z.string(), z.unknown()).optional(),
        labels: z.record(z.string(), z.string()).optional(),
        gate: z.enum(["propose", "verify", "pre-provision", "run"]).optional(),
        /** Nothing is known but the plan, as for a check with no server. */
        offline: z.boolean().optional(),
        facts: facts.optional(),
        expect: expectation,
      }),
    )
    .min(1)
    .max(2000),
});

export type TableCase = z.infer<typeof tableSchema>["cases"][number];

export interface DecisionTable {
  name: string;
  file: string;
  cases: (TableCase & { line: number })[];
}

/** Whether a file of a policy folder is a decision table: they stand in `tables/`. */
export function isTableFile(file: PolicyFile): boolean {
  return /(^|\/)tables\/[^/]+\.(ya?ml|json)$/.test(file.path);
}

/** Reads a decision table. The problem's path is the file; its message begins with line and column. */
export function parseTable(file: PolicyFile): Parsed<DecisionTable> {
  const read = readYaml(file.text);
  if (!read.ok) return { ok: false, problem: { path: file.path, message: read.problem.message } };
  const parsed = tableSchema.safeParse(read.value.value);
  const lineOf = (pointer: string) => read.value.locate(pointer)?.line ?? 1;
  if (!parsed.success) {
    const { path, message } = shapeProblem(parsed.error, tableSchema, read.value.value);
    return { ok: false, problem: { path: file.path, message: `${lineOf(path)}: ${message}` } };
  }
  const cases = parsed.data.cases.map((one, index) => ({ ...one, line: lineOf(`/cases/${index}`) }));
  return { ok: true, value: { name: parsed.data.table, file: file.path, cases } };
}
