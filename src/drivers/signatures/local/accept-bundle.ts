import { assert } from "../../../core/error.ts";
import { type Bundle, readBundle } from "../../../core/evidence/bundle.ts";
import { COSIGN_SIGN_TYPE } from "../../../core/evidence/image-signature.ts";
import { verifyManifestSignature } from "../../../core/evidence/manifest-signature.ts";
import { authenticateProvenance, SLSA_PROVENANCE_TYPE } from "../../../core/evidence/provenance.ts";
import { parseVerificationKey } from "../../../core/evidence/public-key.ts";
import { TEST_RESULT_TYPE } from "../../../core/evidence/statement.ts";
import { type Proof, type Refusal, refusal, type TrustInput } from "../../../core/evidence/trust.ts";
import { parseUtf8Json } from "../../../core/evidence/utf8-json.ts";
import { authenticateTestEvidence, verifyTrusted } from "../../../core/evidence/verify-trusted.ts";
import type { AcceptContext, Accepted, SignedKind, Trust } from "../signatures.ts";
import { certifiedForm, normalFormOf } from "./normal-form.ts";
import { trustInput } from "./trust-input.ts";

type Said = Pick<Accepted, "kind" | "predicateType" | "subjectDigests" | "result"> & { proof: Proof };
type Answer = ({ ok: true } & Said) | Refusal;
interface Question {
  given: Uint8Array;
  input: TrustInput;
  /** By kind, in milliseconds. */
  maxAgeMs: Trust["maxAgeMs"];
  message: Uint8Array | undefined;
  wanted: SignedKind | undefined;
}

/** What a signature of a file's bytes is called where a statement has its predicate type. */
export const MESSAGE_TYPE = "cosign/sign-blob";

/** Judges a bundle that was just handed in. See `LiveSignatures.accept`. */
export async function acceptBundle(given: Uint8Array, context: AcceptContext): Promise<Accepted | Refusal> {
  const read = readBundle(given);
  if (!read.ok)
    return refusal("malformed-bundle", `the bundle cannot be read: ${read.problem.path} ${read.problem.message}`);
  const bundle = read.value;
  const accepted = { ...context, acceptedAtMs: context.nowMs };
  const input = await trustInput(accepted, { certified: bundle.certified !== null });
  const { message, trust, wanted } = context;
  const said = judge(bundle, { given, input, message, wanted, maxAgeMs: trust.maxAgeMs });
  if (!said.ok) return said;
  if (wanted !== undefined && said.kind !== wanted)
    return refusal("wrong-predicate-type", `it is of the kind ${said.kind}, not ${wanted}`);
  const { kind, predicateType, subjectDigests, result, proof } = said;
  if (subjectDigests.length === 0)
    return refusal("malformed-statement", "the statement is about nothing with a SHA-256");
  const form = formOf(bundle, { given, trust, keyId: proof.keyId });
  // A key's signature is as old as our acceptance of it, which is stored with the piece.
  const provenAtMs = bundle.certified === null ? null : proof.provenAtMs;
  const { signer, keyId } = proof;
  return { ok: true, kind, predicateType, subjectDigests, result, signer, keyId, provenAtMs, ...form };
}

function judge(bundle: Bundle, question: Question): Answer {
  if (bundle.kind === "message")
    return manifest(question, MESSAGE_TYPE, `sha256:${bundle.messageDigest.toString("hex")}`);
  const predicateType = predicateTypeOf(bundle.payload);
  switch (predicateType) {
    case TEST_RESULT_TYPE:
      return tests(question);
    case SLSA_PROVENANCE_TYPE:
      return provenance(question);
    case COSIGN_SIGN_TYPE:
      return signed(question);
    default:
      return refusal(
        "wrong-predicate-type",
        `evidence is a statement of one of the types ${KNOWN_TYPES.join(", ")}, or a signature of a plan`,
      );
  }
}

const KNOWN_TYPES = [TEST_RESULT_TYPE, SLSA_PROVENANCE_TYPE, COSIGN_SIGN_TYPE];

function tests({ given, input, maxAgeMs }: Question): Answer {
  const verdict = authenticateTestEvidence(given, { ...input, maxAgeMs: maxAgeMs.tests });
  if (!verdict.ok) return verdict;
  const { subjectDigests, predicate } = verdict.evidence;
  return said("tests", { predicateType: TEST_RESULT_TYPE, subjectDigests, result: predicate.result }, verdict.evidence);
}

function provenance({ given, input, maxAgeMs }: Question): Answer {
  const verdict = authenticateProvenance(given, { ...input, maxAgeMs: maxAgeMs.provenance });
  if (!verdict.ok) return verdict;
  const { subjectDigests } = verdict.evidence;
  return said("provenance", { predicateType: SLSA_PROVENANCE_TYPE, subjectDigests, result: SIGNED }, verdict.evidence);
}

/** A signature of a plan's canonical bytes. They are needed: the digest that stands in a bundle is the bundle's own word. */
function manifest({ given, input, maxAgeMs, message }: Question, predicateType: string, digest: string): Answer {
  if (message === undefined) {
    return refusal(
      "not-available",
      `the bundle signs the bytes with the digest ${digest}, and no such plan is known here`,
    );
  }
  const limit = { maxAgeMs: maxAgeMs["manifest-signature"] };
  const verdict = verifyManifestSignature({ kind: "bundle", json: given }, { ...input, ...limit, manifest: message });
  if (!verdict.ok) return verdict;
  const subjectDigests = [verdict.manifestDigest];
  return said("manifest-signature", { predicateType, subjectDigests, result: SIGNED }, verdict);
}

/** The statement says only that something was signed; what it is worth, the signer's purpose says. */
function signed({ given, input, maxAgeMs, wanted }: Question): Answer {
  const ask = (kind: "manifest-signature" | "image-signature", purpose: string): Answer => {
    const question = { ...input, maxAgeMs: maxAgeMs[kind], purpose, predicateType: COSIGN_SIGN_TYPE };
    const verdict = verifyTrusted(given, question);
    if (!verdict.ok) return verdict;
    const { subjectDigests } = verdict;
    return said(kind, { predicateType: COSIGN_SIGN_TYPE, subjectDigests, result: SIGNED }, verdict);
  };
  const asManifest = ask("manifest-signature", "manifest");
  const asImage = ask("image-signature", "image");
  if (wanted === "manifest-signature") return asManifest;
  if (wanted === "image-signature") return asImage;
  if (asManifest.ok && asImage.ok)
    return refusal(
      "wrong-purpose",
      "its signer may sign plans and images alike, so say by the kind which one it is of",
    );
  return asManifest.ok || asManifest.code !== "wrong-purpose" ? asManifest : asImage;
}

const SIGNED = "SIGNED";

function said(kind: SignedKind, what: Omit<Said, "kind" | "proof">, proof: Proof): Answer {
  return { ok: true, kind, ...what, proof };
}

/** What the payload says of itself, before anything is believed: it only chooses who judges it. */
function predicateTypeOf(payload: Buffer): unknown {
  const value = parseUtf8Json(payload, payload.length);
  return typeof value === "object" && value !== null ? (value as { predicateType?: unknown }).predicateType : undefined;
}

function formOf(bundle: Bundle, from: { given: Uint8Array; trust: Trust; keyId: string }) {
  if (bundle.certified !== null) return certifiedForm(from.given, bundle, bundle.certified);
  const trusted = from.trust.signers.find((signer) => signer.kind === "key" && signer.keyId === from.keyId);
  const key = trusted?.kind === "key" ? parseVerificationKey(trusted.spkiPem) : undefined;
  assert(key?.ok, "what was verified was signed with a key that is trusted");
  return normalFormOf(bundle, key.value);
}
