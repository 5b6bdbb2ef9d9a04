import { isDeepStrictEqual } from "node:util";
import type { Parsed } from "../error.ts";
import { planDigest } from "../plan/canonical.ts";
import { withDefaults } from "../plan/defaults.ts";
import { validatePlanInput } from "../plan/parse.ts";
import type { Environment, Plan } from "../plan/schema.ts";
import { readYaml } from "../plan/strict-yaml.ts";
import { toMicroUsd } from "../pricing/price-table.ts";
import { decide } from "./decide.ts";
import type { DecideInput, Decision, Facts, Level, Obligation, PolicySettings, PriceTable } from "./decision.ts";
import type { DecisionTable, TableCase } from "./decision-table.ts";
import type { PolicySet } from "./policy.ts";
import { refusals } from "./refusals.ts";

export interface CaseResult {
  table: string;
  name: string;
  file: string;
  line: number;
  passed: boolean;
  /** One line per expectation that did not hold. */
  problems: string[];
}

export interface TableGround {
  set: PolicySet;
  settings: PolicySettings;
  prices: PriceTable;
  bases: BasePlans;
}

/** The plan that each environment's cases start from, as parsed from `bases.yaml`. */
export type BasePlans = Record<Environment, Record<string, unknown>>;

export function parseBases(text: string): Parsed<BasePlans> {
  const read = readYaml(text);
  if (!read.ok) return read;
  const bases = read.value.value as BasePlans;
  for (const environment of ["development", "staging", "production"] as const) {
    const plan = validatePlanInput(bases[environment]);
    if (!plan.ok) return plan;
  }
  return { ok: true, value: bases };
}

/** Runs every case of a table. A case whose plan is malformed fails; it does not stop the others. */
export function runTable(ground: TableGround, table: DecisionTable): CaseResult[] {
  return table.cases.map((one) => {
    const problems = caseProblems(ground, one);
    return {
      table: table.name,
      name: one.name,
      file: table.file,
      line: one.line,
      passed: problems.length === 0,
      problems,
    };
  });
}

function caseProblems(ground: TableGround, one: TableCase): string[] {
  const plan = planOf(ground.bases, one);
  if (!plan.ok) return [`the plan is malformed: ${plan.problem.message}`];
  const input = inputOf(ground, plan.value, one);
  return differences(decide(ground.set, input), one.expect);
}

function planOf(bases: BasePlans, one: TableCase): Parsed<Plan> {
  const base = bases[one.environment];
  const labels = one.labels === undefined ? {} : { metadata: { labels: one.labels } };
  const input = validatePlanInput(merge(base, { ...labels, spec: one.spec ?? {} }));
  return input.ok ? { ok: true, value: withDefaults(input.value) } : input;
}

function inputOf({ settings, prices }: TableGround, plan: Plan, one: TableCase): DecideInput {
  const { approvedProductionTypes, usdPerHour } = one.facts ?? {};
  return {
    plan,
    planDigest: planDigest(plan),
    facts: one.offline === true ? offlineFacts(one) : serverFacts(one, settings),
    prices: { ...prices, usdPerHour: { ...prices.usdPerHour, ...usdPerHour } },
    settings: approvedProductionTypes ? { ...settings, approvedProductionTypes } : settings,
  };
}

function offlineFacts(one: TableCase): Facts {
  return { gate: one.gate ?? "propose", source: "shipped", principal: { kind: one.facts?.principal ?? "human" } };
}

/** What a case does not say is quiet: nothing else runs, the breaker is closed, every name is known. */
function serverFacts(one: TableCase, settings: PolicySettings): Facts {
  const said = one.facts ?? {};
  return {
    gate: one.gate ?? "propose",
    source: "server",
    principal: { kind: said.principal ?? "human" },
    environmentMicroUsdPerHour: toMicroUsd(said.environmentUsdPerHour ?? 0),
    endpointMicroUsdPerHour: toMicroUsd(said.endpointUsdPerHour ?? 0),
    breaker: { state: said.breaker ?? "closed", failures: said.breakerFailures ?? 0, limit: settings.breaker.failures },
    namesAreOwn: said.unknownNames === undefined,
    unknownNames: said.unknownNames ?? [],
    evidence: Object.fromEntries((said.evidence ?? []).map((kind) => [kind, true as const])),
    approvals: said.approvals ?? [],
    snapshot: said.snapshot ?? false,
  };
}

/** RFC 7396: a mapping merges, null removes, anything else replaces. */
function merge(target: unknown, patch: unknown): unknown {
  if (!isMapping(patch)) return patch;
  const merged: Record<string, unknown> = isMapping(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = merge(merged[key], value);
  }
  return merged;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const LEVELS: readonly Level[] = ["deny", "approval", "require", "advise"];

function differences(decision: Decision, expected: TableCase["expect"]): string[] {
  const problems: string[] = [];
  const check = (what: string, actual: unknown, wanted: unknown) => {
    if (wanted === undefined || isDeepStrictEqual(actual, wanted)) return;
    problems.push(`${what}: expected ${JSON.stringify(wanted)}, got ${JSON.stringify(actual)}`);
  };
  check("decision", decision.decision, expected.decision);
  for (const level of LEVELS) {
    const speaking = decision.findings.filter((finding) => finding.level === level).map(({ clause }) => clause);
    check(level, sortedSet(speaking), expected[level] && sortedSet(expected[level]));
  }
  for (const field of ["observed", "limit"] as const) {
    for (const [clause, wanted] of Object.entries(expected[field] ?? {})) {
      const finding = decision.findings.find((candidate) => candidate.clause === clause);
      check(`${clause}'s ${field}`, finding?.[field] ?? null, wanted);
    }
  }
  const patch = decision.fix.map((operation) => [operation.path, "value" in operation ? operation.value : null]);
  check("fix", Object.fromEntries(patch), expected.fix);
  const due = Object.fromEntries(decision.obligations.map((obligation) => [nameOf(obligation), obligation.status]));
  check("obligations", due, expected.obligations);
  check(
    "refused",
    sortedSet(refusals(decision).map(({ clause }) => clause)),
    expected.refused && sortedSet(expected.refused),
  );
  check("unchecked", decision.unchecked, expected.unchecked);
  return problems;
}

/** An obligation's name in a table: `snapshot`, `evidence:tests`, `approval:approver:mfa:signed`. */
export function nameOf(obligation: Obligation): string {
  if (obligation.kind === "snapshot") return "snapshot";
  if (obligation.kind === "evidence") return `evidence:${obligation.of}`;
  return `approval:${obligation.role}${obligation.mfa ? ":mfa" : ""}${obligation.signed ? ":signed" : ""}`;
}

function sortedSet(values: string[]): string[] {
  return [...new Set(values)].sort();
}
