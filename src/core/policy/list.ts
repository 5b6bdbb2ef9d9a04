import type { PolicySet } from "./policy.ts";

export interface PolicyRow {
  id: string;
  clause: string;
  level: string;
  gate: string;
  reason: string;
  /** `document#section`. */
  source: string;
}

/** What a set holds, for people: one row per policy, by clause. */
export function listPolicies(set: PolicySet): PolicyRow[] {
  const rows = [...set.policies.values()].map(({ id, clause, level, gates, reason, document, section }) => {
    return { id, clause, level, gate: gates, reason, source: document === "own" ? section : `${document}#${section}` };
  });
  const byNumber = new Intl.Collator("en", { numeric: true });
  return rows.sort((a, b) => byNumber.compare(a.id, b.id));
}
