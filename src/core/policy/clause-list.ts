/** The clauses of the two founding documents. A policy that speaks for one of these families must name one of them. */
export const CLAUSES: ReadonlySet<string> = new Set([
  ...numbered("AO-", 14),
  ...numbered("CP-", 12),
  ...numbered("P", 7),
  ...numbered("GL-", 4),
  "SIM",
]);

function numbered(prefix: string, last: number): string[] {
  return Array.from({ length: last }, (_, index) => `${prefix}${index + 1}`);
}

const OWN_CLAUSE = /^[A-Z][A-Z0-9]*(-[A-Z0-9]+)*-\d+$/;
const FOUNDING_FAMILY = /^(AO|CP|GL|SIM|P\d)/;

/** Why a clause id cannot stand in a policy, or undefined when it can. */
export function clauseProblem(clause: string, owner: "shipped" | "own"): string | undefined {
  if (CLAUSES.has(clause)) return undefined;
  if (owner === "own" && OWN_CLAUSE.test(clause) && !FOUNDING_FAMILY.test(clause)) return undefined;
  return `clause ${JSON.stringify(clause)} is not known; name one of the clauses, or your own as in "ACME-1"`;
}
