import {
  compareFiles,
  type FileDifference,
  MODEL_DIGESTS_TYPE,
  MODEL_SIGNATURE_TYPE,
  type ModelFile,
  type ModelManifest,
  readModelManifest,
} from "./model-manifest.ts";
import { type Refusal, refusal, type TrustInput } from "./trust.ts";
import { type Authentic, verifyTrusted } from "./verify-trusted.ts";

export interface ModelEvidence extends Authentic {
  manifest: ModelManifest;
}

export interface ModelRequirement extends TrustInput {
  /** Every file that lies in the model's folder, links too. */
  files: readonly ModelFile[];
  /** Paths that the verifier leaves out, such as the signature's own file. */
  ignored?: readonly string[];
}

/** `differences` names the files that are not as they were signed, in their own order. */
export type ModelRefusal = Refusal & { differences?: FileDifference[] };

/**
 * Whether someone trusted for `manifest` signed exactly these files: OpenSSF Model Signing. A file more, less, changed,
 * moved, or a link anywhere refuses the whole.
 */
export function verifyModelSignature(
  bundleJson: string | Uint8Array,
  { files, ignored = [], ...trust }: ModelRequirement,
): { ok: true; evidence: ModelEvidence } | ModelRefusal {
  const authentic = authenticateModelManifest(bundleJson, trust);
  if (!authentic.ok) return authentic;
  const differences = compareFiles(authentic.evidence.manifest, files, ignored);
  if (differences.length === 0) return authentic;
  const few = differences.length === 1 ? "1 file is" : `${differences.length} files are`;
  return { ...refusal("wrong-files", `${few} not as it was signed`), differences };
}

/** The manifest in a bundle, once it is shown to be signed by someone trusted for manifests. No file was compared. */
export function authenticateModelManifest(
  bundleJson: string | Uint8Array,
  trust: TrustInput,
): { ok: true; evidence: ModelEvidence } | Refusal {
  const question = { ...trust, purpose: "manifest" };
  const newer = verifyTrusted(bundleJson, { ...question, predicateType: MODEL_SIGNATURE_TYPE });
  const trusted =
    !newer.ok && newer.code === "wrong-predicate-type"
      ? verifyTrusted(bundleJson, { ...question, predicateType: MODEL_DIGESTS_TYPE })
      : newer;
  if (!trusted.ok) return trusted;
  const manifest = readModelManifest(trusted.statement);
  if (!manifest.ok) {
    const { path, message } = manifest.problem;
    return refusal("malformed-statement", `the model manifest cannot be read: ${path} ${message}`);
  }
  const { ok: _, ...rest } = trusted;
  return { ok: true, evidence: { ...rest, manifest: manifest.value } };
}
