import { ContinuumError } from "../../../core/error.ts";
import { readBundle } from "../../../core/evidence/bundle.ts";
import { verifyImageSignature } from "../../../core/evidence/image-signature.ts";
import { verifyManifestSignature } from "../../../core/evidence/manifest-signature.ts";
import { verifyProvenance } from "../../../core/evidence/provenance.ts";
import { type Proof, type Refusal, refusal } from "../../../core/evidence/trust.ts";
import { verifyTestEvidence } from "../../../core/evidence/verify-trusted.ts";
import type { EvidenceKind } from "../../../core/policy/decision.ts";
import type { EvidenceContext, LiveSignatures, SignedKind } from "../signatures.ts";
import { acceptBundle } from "./accept-bundle.ts";
import { verifyRegistrySignature } from "./registry-signature.ts";
import { keylessJudge, trustInput } from "./trust-input.ts";

/** Judges evidence by whom and what the tenant trusts, without asking anyone else. */
export const localSignatures: LiveSignatures = {
  simulated: false,

  async verify(kind, bundle, context) {
    if (!isJudged(kind)) return refusal("not-available", `evidence of ${kind} is not a signed statement`);
    const read = readBundle(bundle);
    // What cannot be read is refused by the one that reads it next, in its own words.
    const certified = read.ok && read.value.certified !== null;
    const maxAgeMs = context.trust.maxAgeMs[kind];
    const input = { ...(await trustInput(context, { certified })), maxAgeMs };
    const proof = JUDGES[kind](bundle, context, input);
    if (!proof.ok) return proof;
    return { ok: true, kind, keyId: proof.keyId, provenAtMs: proof.provenAtMs, simulated: false };
  },

  accept: acceptBundle,
  verifyImage: verifyRegistrySignature,

  async rootProblem(trustedRoot) {
    try {
      await keylessJudge(trustedRoot);
      return null;
    } catch (error) {
      if (error instanceof ContinuumError && error.code === "bad-trusted-root") return error.message;
      throw error;
    }
  },
};

type Judge = (
  bundle: Uint8Array,
  context: EvidenceContext,
  input: Awaited<ReturnType<typeof trustInput>>,
) => ({ ok: true } & Proof) | Refusal;

const JUDGES: Readonly<Record<SignedKind, Judge>> = {
  tests: (bundle, { subjectDigest }, input) => {
    const verdict = verifyTestEvidence(bundle, { ...input, subjectDigest });
    return verdict.ok ? { ok: true, ...verdict.evidence } : verdict;
  },
  provenance: (bundle, { subjectDigest, trust: { builders } }, input) => {
    const verdict = verifyProvenance(bundle, { ...input, subjectDigest, builders });
    return verdict.ok ? { ok: true, ...verdict.evidence } : verdict;
  },
  "image-signature": (json, { subjectDigest }, input) =>
    verifyImageSignature({ kind: "bundle", json }, { ...input, imageDigest: subjectDigest }),
  "manifest-signature": (json, { subjectDigest, message }, input) => {
    if (message === undefined)
      return refusal("not-available", "a manifest's signature is judged over the manifest's bytes");
    const verdict = verifyManifestSignature({ kind: "bundle", json }, { ...input, manifest: message });
    if (verdict.ok && verdict.manifestDigest !== subjectDigest)
      return refusal("wrong-subject", `the signature is not about ${subjectDigest}`);
    return verdict;
  },
};

function isJudged(kind: EvidenceKind): kind is SignedKind {
  return Object.hasOwn(JUDGES, kind);
}
