import type { EvidenceKind, Facts, Obligation, ObligationStatus, Refusal } from "./decision.ts";
import type { Policy } from "./policy.ts";

/**
 * What is due, each thing once with all the clauses that ask for it. `missing` are the policies that forbid while the
 * facts are known; without it (offline) nothing was checked. `unread` is evidence that only a later gate looks at: what
 * nobody looked at is not missing.
 */
export function obligationsOf(
  due: readonly Policy[],
  missing: readonly Policy[] | undefined,
  unread: readonly EvidenceKind[] = [],
): Obligation[] {
  const byThing = new Map<string, Obligation>();
  const stillMissing = new Set(missing?.map(({ id }) => id));
  for (const policy of due) {
    if (policy.due === null) continue;
    const isUnread = policy.due.kind === "evidence" && unread.includes(policy.due.of);
    const notMet = isUnread ? "unchecked" : "missing";
    const status = missing === undefined ? "unchecked" : stillMissing.has(policy.id) ? notMet : "met";
    const key = thing(policy);
    byThing.set(key, merge(byThing.get(key), policy, status));
  }
  return [...byThing.values()];
}

function thing({ due }: Policy): string {
  if (due?.kind === "approval") return `approval:${due.role}`;
  return due?.kind === "evidence" ? `evidence:${due.of}` : "snapshot";
}

function merge(before: Obligation | undefined, policy: Policy, status: ObligationStatus): Obligation {
  const clauses = [...new Set([...(before?.clauses ?? []), policy.clause])];
  // One clause that misses it is enough for the whole to be missing.
  const joint = before === undefined || status === "missing" ? status : before.status;
  const { due } = policy;
  if (due?.kind === "approval") {
    const asked = before?.kind === "approval" ? before : undefined;
    const mfa = due.mfa || asked?.mfa === true;
    const signed = due.signed || asked?.signed === true;
    return { kind: "approval", role: due.role, count: 1, mfa, signed, clauses, status: joint };
  }
  if (due?.kind === "evidence") return { kind: "evidence", of: due.of, clauses, status: joint };
  return { kind: "snapshot", clauses, status: joint };
}

/** Each thing that is missing at a gate, once per clause that asks for it, with what was looked at and refused. */
export function refusalsOf(missing: readonly Policy[], facts: Facts): Refusal[] {
  return missing.flatMap(({ clause, due, reason, level }) => {
    if (level !== "approval" && level !== "require") return [];
    return [{ clause, message: `${what(due)} is missing: ${reason}${problem(due, facts)}` }];
  });
}

function what(due: Policy["due"]): string {
  if (due?.kind === "approval") return due.role === "approver" ? "An approval" : "A budget owner's approval";
  if (due?.kind === "snapshot") return "A verified snapshot";
  return due?.kind === "evidence" ? EVIDENCE_WORDS[due.of] : "A step";
}

/** Evidence that nobody has, of what may be decided already: whoever approves, the gates deny the plan without it. */
export interface Lack {
  of: EvidenceKind;
  clauses: string[];
  /** Such as "The manifest's signature". */
  what: string;
}

/** What a plan was found to lack. The approver's signature is not among it: that comes with the approval. */
export function lacksOf(obligations: readonly Obligation[]): Lack[] {
  return obligations.flatMap((one) => {
    if (one.kind !== "evidence" || one.status !== "missing" || one.of === "approver-signature") return [];
    return [{ of: one.of, clauses: one.clauses, what: EVIDENCE_WORDS[one.of] }];
  });
}

function problem(due: Policy["due"], facts: Facts): string {
  const seen = due?.kind === "evidence" ? facts.evidenceProblems?.[due.of] : undefined;
  return seen === undefined ? "" : ` (${seen})`;
}

const EVIDENCE_WORDS: Record<Extract<Obligation, { kind: "evidence" }>["of"], string> = {
  tests: "Test evidence",
  "image-signature": "The image's signature",
  "manifest-signature": "The manifest's signature",
  provenance: "Build provenance",
  encryption: "Proof that the artifact lies encrypted",
  "artifact-digest": "The artifact's digest, read again",
  "approver-signature": "The approver's signature",
  baseline: "A baseline that fits the model",
  "dry-run": "A recent dry run",
};
