import { printable } from "../plan/input-rules.ts";
import { toUsd } from "../pricing/price-table.ts";
import { type Attributes, isMoney } from "./attributes.ts";
import type { Facts, Finding, Level } from "./decision.ts";
import type { Evaluation } from "./evaluate.ts";
import type { Policy } from "./policy.ts";

const ORDER: readonly Level[] = ["deny", "approval", "require", "advise"];

/**
 * What the evaluation says, in the user's terms: denials first, then in the order of the policy set. `problems` is what
 * was looked at and refused: whoever reads that evidence is due hears why what there is does not count.
 */
export function findingsOf(
  evaluation: Evaluation,
  attributes: Attributes,
  problems: NonNullable<Facts["evidenceProblems"]> = {},
): Finding[] {
  const found = evaluation.forbidding.map((policy) => ({ finding: findingOf(policy, attributes), policy }));
  for (const { finding, policy } of found) {
    const problem = policy.due?.kind === "evidence" ? problems[policy.due.of] : undefined;
    if (problem !== undefined) finding.message += ` (${problem})`;
  }
  nameStrictestCap(found);
  const failures = evaluation.failures.map(failureFinding);
  const findings = [...failures, ...strictestCapFirst(found)];
  return findings.sort((a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level));
}

type Found = { finding: Finding; policy: Policy };

function findingOf(policy: Policy, attributes: Attributes): Finding {
  const observed = shown(policy.observed, attributeValue(policy.observed, attributes));
  const limit = limitOf(policy, attributes);
  return {
    clause: policy.clause,
    level: policy.level,
    message: policy.reason
      .replaceAll("{observed}", inWords(observed, isMoney(policy.observed)))
      .replaceAll("{limit}", inWords(limit, isMoney(policy.observed))),
    observed,
    limit,
    path: policy.path,
    document: policy.document,
    section: policy.section,
  };
}

function failureFinding(where: Evaluation["failures"][number]): Finding {
  const { clause, document, section } = where;
  const message = `${clause} could not be evaluated, and what cannot be evaluated is denied`;
  return { clause, level: "deny", message, observed: null, limit: null, path: null, document, section };
}

/** The limit of a policy as a decision shows it: money in USD, null where the clause names none. */
export function limitOf(policy: Policy, attributes: Attributes): unknown {
  if (policy.limit === null) return null;
  if (policy.limit.kind === "value") return policy.limit.value;
  return shown(policy.limit.name, attributeValue(policy.limit.name, attributes));
}

function attributeValue(name: string | null, attributes: Attributes): unknown {
  return name === null ? null : attributes[name as keyof Attributes];
}

/** Nothing there is null: an empty list and an absent value say the same. */
function shown(name: string | null, value: unknown): unknown {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return null;
  return isMoney(name) && typeof value === "number" ? toUsd(value) : value;
}

/** The proposer's own words may hold what rewrites a terminal's line; a message goes to logs and people as it is. */
function inWords(value: unknown, money: boolean): string {
  if (value === null) return "nothing";
  if (typeof value === "number") return money ? usd(value) : String(value);
  return printable(Array.isArray(value) ? value.join(", ") : String(value));
}

/** Made once: making one takes as long as a tenth of a decision. */
const DIGITS = new Intl.NumberFormat("en-US", {
  minimumFractionDigits: 2,
  maximumFractionDigits: 6,
  useGrouping: false,
});

/** At least cents, and as many digits as it takes: $0.115 is not $0.12 beside a cap of $0.12. */
function usd(value: number): string {
  return `$${DIGITS.format(value)}`;
}

/** Where several caps are broken, each finding says which one bound: the lowest. */
function nameStrictestCap(found: Found[]): void {
  const caps = found.filter(({ policy, finding }) => isBudget(policy) && typeof finding.limit === "number");
  const strictest = caps.toSorted((a, b) => Number(a.finding.limit) - Number(b.finding.limit))[0];
  if (strictest === undefined) return;
  for (const { finding } of caps) {
    if (Number(finding.limit) <= Number(strictest.finding.limit)) continue;
    finding.message += `; the strictest cap here is ${strictest.policy.clause}'s ${usd(Number(strictest.finding.limit))}`;
  }
}

function isBudget(policy: Policy): boolean {
  return policy.level === "deny" && isMoney(policy.observed);
}

/**
 * A clause may break two caps at once, the document's on the environment and the proposer's own on the plan. Both are
 * told, for healing one need not heal the other; the lower speaks first.
 */
function strictestCapFirst(found: Found[]): Finding[] {
  const caps = found.filter(({ policy }) => isBudget(policy));
  const waiting = caps.toSorted((a, b) => Number(a.finding.limit) - Number(b.finding.limit));
  return found.map((each) => {
    if (!isBudget(each.policy)) return each.finding;
    const next = waiting.findIndex(({ policy }) => policy.clause === each.policy.clause);
    return (waiting.splice(next, 1)[0] ?? each).finding;
  });
}
