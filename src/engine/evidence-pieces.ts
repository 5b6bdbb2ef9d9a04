import type { Plan } from "../core/plan/schema.ts";
import { type EvidenceVerdict, SIGNED_KINDS, type SignedKind, type Trust } from "../drivers/signatures/signatures.ts";
import type { Queryable } from "../store/database.ts";
import { type EvidencePiece, evidencePieces } from "../store/queries/evidence.ts";
import type { EngineParts } from "./engine.ts";
import { evidenceSubjects, storeDigest } from "./evidence-subjects.ts";
import { loadTrust } from "./trust.ts";

/** A stored piece that counts for a plan now. */
export interface CountingPiece {
  kind: SignedKind;
  /** `sha256:...` of what it is about. */
  subject: string;
  /** The id under which it is stored. */
  digest: string;
}

export interface FoundPieces {
  /** At most one of each kind: the newest that holds. */
  counting: CountingPiece[];
  /** Of kinds with none that counts: why the newest does not. */
  problems: Partial<Record<SignedKind, string>>;
}

export interface PlanEvidence {
  tenant: string;
  plan: Plan;
  planDigest: string;
  /** The canonical bytes of the plan, whose digest was checked. */
  message: Uint8Array;
  /**
   * The version ran before, and is to run again: what was verified when it came counts at any age, so that the way back
   * does not close by itself. Whoever is not trusted any more, and what was revoked, counts for nothing here either.
   */
  restores?: boolean;
}

type PieceParts = Pick<EngineParts, "nowMs" | "signatures">;

/** Verifies what is stored about a plan, its artifact and its image, over the stored bytes, by whom is trusted now. */
export async function gatherPieces(db: Queryable, parts: PieceParts, about: PlanEvidence): Promise<FoundPieces> {
  const found: FoundPieces = { counting: [], problems: {} };
  const stored = await evidencePieces(db, about.tenant, evidenceSubjects(about.plan, about.planDigest));
  if (stored.length === 0) return found;
  const own = await loadTrust(db, about.tenant);
  const trust = about.restores === true ? { ...own, maxAgeMs: AT_ANY_AGE } : own;
  for (const kind of SIGNED_KINDS) {
    const subject = subjectOf(kind, about);
    const pieces = stored.filter((piece) => piece.kind === kind && piece.subjectDigest === subject);
    const message = kind === "manifest-signature" ? { message: about.message } : {};
    const judge = (piece: EvidencePiece) =>
      parts.signatures.live.verify(kind, piece.bundle, {
        ...{ subjectDigest: piece.subjectDigest, trust, nowMs: parts.nowMs(), acceptedAtMs: piece.addedAt.getTime() },
        ...message,
      });
    const answer = await newestThatHolds(pieces, judge);
    if (answer.piece !== undefined) {
      found.counting.push({ kind, subject: answer.piece.subjectDigest, digest: answer.piece.id });
    } else if (answer.problem !== undefined) found.problems[kind] = answer.problem;
  }
  return found;
}

const AT_ANY_AGE: Trust["maxAgeMs"] = {
  ...{ tests: Number.POSITIVE_INFINITY, "manifest-signature": Number.POSITIVE_INFINITY },
  ...{ "image-signature": Number.POSITIVE_INFINITY, provenance: Number.POSITIVE_INFINITY },
};

/** Exactly what each kind must be about: a signature of the artifact is none of the plan. */
function subjectOf(kind: SignedKind, { plan, planDigest }: PlanEvidence): string | undefined {
  if (kind === "manifest-signature") return planDigest;
  return kind === "image-signature" ? plan.spec.model.image?.split("@").at(-1) : storeDigest(plan.spec.model.artifact);
}

/** The last word counts: tests that failed take back what an earlier run vouched for. */
async function newestThatHolds(
  pieces: readonly EvidencePiece[],
  judge: (piece: EvidencePiece) => Promise<EvidenceVerdict>,
): Promise<{ piece?: EvidencePiece; problem?: string }> {
  let problem: string | undefined;
  for (const piece of pieces) {
    const verdict = await judge(piece);
    if (verdict.ok) return { piece };
    if (verdict.code === "not-passed") return { problem: verdict.reason };
    problem ??= verdict.reason;
  }
  return problem === undefined ? {} : { problem };
}
