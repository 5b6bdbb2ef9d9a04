import type { Refusal, TrustedKey } from "../../core/evidence/verify-trusted.ts";
import type { EvidenceKind } from "../../core/policy/decision.ts";

/**
 * Who says what a signed statement is worth. A refusal is a value; what throws is a failure of the driver itself, such
 * as `bad-trusted-key`, and never lets anything pass.
 */
export interface Signatures {
  /** True when what it accepts was made in simulation: it never counts for a live plan (SIM). */
  readonly simulated: boolean;

  /**
   * Whether the bytes are evidence of that kind about exactly the subject. They are judged anew at each call: an answer
   * from before may come from a key that is no longer trusted. Kinds that the driver cannot judge are `not-available`.
   */
  verify(kind: EvidenceKind, bundle: Uint8Array, context: EvidenceContext): Promise<EvidenceVerdict>;
}

/** Makes and judges statements that are none, for simulated plans alone. */
export interface MockSignatures extends Signatures {
  readonly simulated: true;
  /** A mock statement of that kind about the subject; no other driver takes it for evidence. */
  make(kind: EvidenceKind, subjectDigest: string): Uint8Array;
}

export interface EvidenceContext {
  /** `sha256:...` of the artifact's plaintext, the plan or the image. */
  subjectDigest: string;
  /** The tenant's keys that are trusted now, for whatever purpose. */
  trustedKeys: readonly TrustedKey[];
  nowMs: number;
}

export type EvidenceVerdict = { ok: true; kind: EvidenceKind; keyId: string; simulated: boolean } | Refusal;
