import type { Signer, SignerName } from "../../core/evidence/signer.ts";
import type { Refusal } from "../../core/evidence/trust.ts";
import type { EvidenceKind } from "../../core/policy/decision.ts";
import type { ImageSignature } from "../images/images.ts";

/** A signature as it lies in a registry beside its image. */
export type AttachedSignature = ImageSignature;

/** Kinds of evidence that somebody signs and that can be handed in. */
export const SIGNED_KINDS = ["tests", "manifest-signature", "image-signature", "provenance"] as const;
export type SignedKind = (typeof SIGNED_KINDS)[number];

/** Whom and what a tenant trusts now. Nothing of it ever comes from what is judged. */
export interface Trust {
  /** Each for one purpose, compared character by character. */
  signers: readonly Signer[];
  /** Whose provenance counts: the builder's id, exactly. */
  builders: readonly string[];
  /** The trusted root that identities are verified against, as JSON text; null when none is pinned. */
  trustedRoot: string | null;
  /** How old evidence of a kind may be, in milliseconds. */
  maxAgeMs: Readonly<Record<SignedKind, number>>;
}

/**
 * Who says what a signed statement is worth. A refusal is a value; what throws is a failure of the driver itself, such
 * as `bad-trusted-key`, and never lets anything pass.
 */
export interface Signatures {
  /** True when what it accepts was made in simulation: it never counts for a live plan (SIM). */
  readonly simulated: boolean;

  /**
   * Whether the bytes are evidence of that kind about exactly the subject, young enough. They are judged anew at each
   * call: an answer from before may come from a signer who is no longer trusted. Kinds that the driver cannot judge are
   * `not-available`.
   */
  verify(kind: EvidenceKind, bundle: Uint8Array, context: EvidenceContext): Promise<EvidenceVerdict>;
}

/** Judges what real people and pipelines signed. */
export interface LiveSignatures extends Signatures {
  readonly simulated: false;
  /**
   * What a bundle is that was just handed in: its kind is told by what was signed, never by who brings it. Tests that
   * failed are evidence too, and say so.
   */
  accept(bundle: Uint8Array, context: AcceptContext): Promise<Accepted | Refusal>;
  /** Whether what a registry holds beside an image is somebody's signature of exactly that image. */
  verifyImage(signature: AttachedSignature, context: EvidenceContext): Promise<EvidenceVerdict>;
  /** One sentence on why the text is no trusted root; null when it is one. */
  rootProblem(trustedRoot: string): Promise<string | null>;
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
  trust: Trust;
  nowMs: number;
  /** When it was accepted here, by our own clock: what the age of a key's signature counts from. */
  acceptedAtMs?: number;
  /** The very bytes of the subject, for signatures that are over them and hold their digest alone. */
  message?: Uint8Array;
}

export type AcceptContext = Pick<EvidenceContext, "trust" | "nowMs" | "message"> & {
  /** What it must be: a signature by someone who may sign plans and images says not by itself which it is of. */
  wanted?: SignedKind;
};

export type EvidenceVerdict =
  | { ok: true; kind: EvidenceKind; keyId: string; provenAtMs: number | null; simulated: boolean }
  | Refusal;

/** A piece of evidence, as it is stored. */
export interface Accepted {
  ok: true;
  kind: SignedKind;
  predicateType: string;
  /** Whatever it speaks of, `sha256:...` each; at least one. */
  subjectDigests: string[];
  /** `PASSED`, `WARNED` or `FAILED` of tests, `SIGNED` of everything else. */
  result: string;
  signer: SignerName;
  keyId: string;
  provenAtMs: number | null;
  /** `sha256:...` of `bundle`. */
  id: string;
  /** `sha256:...`: the same for every way of writing the same signature of the same bytes, whatever stands around it. */
  signature: string;
  /** The bundle with nothing in it but what was signed and what proves the signer. */
  bundle: Uint8Array;
}
