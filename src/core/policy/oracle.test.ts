import { describe, expect, it } from "vitest";
import { readPolicyFiles, shippedPolicyFolder } from "../../config/policy-files.ts";
import type { Parsed } from "../error.ts";
import { planDigest } from "../plan/canonical.ts";
import { parsePriceTable } from "../pricing/price-table.ts";
import { decide } from "./decide.ts";
import type { DecideInput, Decision } from "./decision.ts";
import { loadPolicySet, type PolicySet } from "./load-policy-set.ts";
import { refusals } from "./refusals.ts";
import { parseSettings } from "./settings.ts";
import { type OracleVerdict, oracle } from "./testing/clause-oracle.ts";
import { fixProblems } from "./testing/fix-oracle.ts";
import { randomDecision, seededRandom } from "./testing/random-decisions.ts";

const files = readPolicyFiles(shippedPolicyFolder());
const text = (path: string) => files.find((file) => file.path === path)?.text ?? "";

function value<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(`${parsed.problem.path}: ${parsed.problem.message}`);
  return parsed.value;
}

const ground = {
  prices: value(parsePriceTable(text("prices.json"))),
  settings: value(parseSettings(text("settings.json"))),
};
const shipped = value(loadPolicySet(files));

/** `ORACLE_PLANS=100000` looks longer, `ORACLE_SEED=n` elsewhere. */
const PLANS = Number(process.env["ORACLE_PLANS"] ?? 1_500);
const SEED = Number(process.env["ORACLE_SEED"] ?? 1);

/** Every difference between the product and the oracle about one plan, one line each. */
function differences(set: PolicySet, input: DecideInput): string[] {
  const decision = decide(set, input);
  const { live } = decision;
  const expected = oracle(input);
  const asked = input.plan.spec.target === "simulated";
  const told = live === undefined ? decision : { ...decision, ...live };
  const said: unknown[][] = [
    ["decision", told.decision, expected.decision],
    ["outcome", decision.decision, asked ? "allow" : expected.decision],
    ["simulation", decision.simulation, asked],
    ["report", decision.report, asked ? "COMPLIANT" : undefined],
    ["risk", decision.risk, expected.risk],
    ["verification", decision.verification, expected.verification],
    ["runtime", decision.runtime, expected.runtime],
    ["unchecked", decision.unchecked, expected.unchecked],
  ];
  return [
    ...said.flatMap(([what, is, should]) =>
      JSON.stringify(is) === JSON.stringify(should)
        ? []
        : [`${what}: ${JSON.stringify(is)}, not ${JSON.stringify(should)}`],
    ),
    ...setDifference("finding", told.findings.map(comparable), expected.findings.map(comparable)),
    ...setDifference("obligation", told.obligations.map(inOrder), expected.obligations.map(inOrder)),
    ...setDifference("refusal", refusedClauses(input, decision), refusedBy(input, expected)),
    ...fixProblems(input, told.fix).map((problem) => `fix ${JSON.stringify(told.fix)} ${problem}`),
  ];
}

const comparable = ({ clause, level, observed, limit, path }: OracleVerdict["findings"][number]) =>
  JSON.stringify({ clause, level, observed, limit, path });

const inOrder = (obligation: Decision["obligations"][number]) =>
  JSON.stringify(Object.fromEntries(Object.entries({ ...obligation, clauses: obligation.clauses.toSorted() }).sort()));

function refusedClauses(input: DecideInput, decision: Decision): string[] {
  return input.facts.gate === "propose" ? [] : refusals(decision).map(({ clause }) => clause);
}

function refusedBy({ plan, facts }: DecideInput, { findings, missingNow }: OracleVerdict): string[] {
  if (facts.gate === "propose" || plan.spec.target === "simulated") return [];
  return [...findings.flatMap(({ clause, level }) => (level === "deny" ? [clause] : [])), ...missingNow];
}

function setDifference(what: string, is: string[], should: string[]): string[] {
  const [a, b] = [new Set(is), new Set(should)];
  return [...a.difference(b)]
    .map((each) => `${what} too many: ${each}`)
    .concat([...b.difference(a)].map((each) => `${what} missing: ${each}`));
}

interface Difference {
  seed: number;
  differences: string[];
  spec: DecideInput["plan"]["spec"];
  facts: DecideInput["facts"];
}

function search(set: PolicySet, options: { plans: number; differencesMax: number }): Difference[] {
  const found: Difference[] = [];
  for (let seed = SEED; seed < SEED + options.plans && found.length < options.differencesMax; seed += 1) {
    const made = randomDecision(seededRandom(seed), ground);
    const input = { ...made, planDigest: planDigest(made.plan) };
    const differing = differences(set, input);
    if (differing.length > 0) found.push({ seed, differences: differing, spec: made.plan.spec, facts: made.facts });
  }
  return found;
}

/** The shipped set with one change in its text, as a slip of the hand would make it. */
function changed(path: string, before: string, after: string): PolicySet {
  const original = text(path);
  const position = original.indexOf(before);
  if (position < 0) throw new Error(`${path} has no ${before}`);
  const slip = original.slice(0, position) + after + original.slice(position + before.length);
  return value(loadPolicySet(files.map((file) => (file.path === path ? { path, text: slip } : file))));
}

describe("the policies and a second reading of the clauses", () => {
  it(`decide ${PLANS} plans alike`, () => {
    expect(search(shipped, { plans: PLANS, differencesMax: 5 })).toEqual([]);
  }, 600_000);

  it.each([
    ["agentops/budgets.cedar", "> 15000000", ">= 15000000"],
    ["agentops/cost.cedar", "> 30000000", ">= 30000000"],
    ["agentops/environments.cedar", "&& !context.approved ", "&& !context.approvedMfaSigned "],
    ["continuum/routing.cedar", ">= 100000000", "> 100000000"],
    ["continuum/compliance.cedar", "deadlineSeconds > 600", "deadlineSeconds >= 600"],
  ])("differ when %s says %s as %s", (path, before, after) => {
    const found = search(changed(path, before, after), { plans: 3_000, differencesMax: 1 });
    expect(found.map(({ differences: [first] }) => first)).toEqual([expect.any(String)]);
  });
});
