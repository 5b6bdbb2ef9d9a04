import { z } from "zod";
import { firstProblem } from "./first-problem.ts";
import { type Refusal, refusal, type TrustInput } from "./trust.ts";
import { type Authentic, verifyTrusted } from "./verify-trusted.ts";

/**
 * SLSA build provenance v1: who built something, how and from what. Source: slsa.dev `spec/v1.0/provenance`. Fields that
 * the specification does not name are ignored, as it asks; the ones that decide are compared exactly.
 */

export const SLSA_PROVENANCE_TYPE = "https://slsa.dev/provenance/v1";

export interface Provenance {
  builderId: string;
  buildType: string;
  /** What the one who started the build chose; the builder did not check it. */
  externalParameters: Record<string, unknown>;
}

export interface ProvenanceEvidence extends Authentic {
  kind: "provenance";
  predicateType: typeof SLSA_PROVENANCE_TYPE;
  provenance: Provenance;
}

export interface ProvenanceRequirement extends TrustInput {
  /** `sha256:...` of what was built. */
  subjectDigest: string;
  /** Ids of builders that may have built it, compared exactly. None means nothing passes. */
  builders: readonly string[];
  /** Build types that count; all where this is left out. */
  buildTypes?: readonly string[];
}

/** Whether someone trusted for `provenance` says that one of the builders built exactly these bytes. */
export function verifyProvenance(
  bundleJson: string | Uint8Array,
  { builders, buildTypes, ...required }: ProvenanceRequirement,
): { ok: true; evidence: ProvenanceEvidence } | Refusal {
  const authentic = authenticateProvenance(bundleJson, required);
  if (!authentic.ok) return authentic;
  const { builderId, buildType } = authentic.evidence.provenance;
  if (!builders.includes(builderId))
    return refusal("wrong-builder", "the builder that the provenance names is none of those that may build");
  if (buildTypes !== undefined && !buildTypes.includes(buildType))
    return refusal("wrong-builder", "the provenance is of a type of build that does not count");
  return authentic;
}

/** What a provenance says, once it is shown to be signed by someone trusted for it; for storing. */
export function authenticateProvenance(
  bundleJson: string | Uint8Array,
  trust: TrustInput & { subjectDigest?: string },
): { ok: true; evidence: ProvenanceEvidence } | Refusal {
  const required = { ...trust, purpose: "provenance", predicateType: SLSA_PROVENANCE_TYPE };
  const trusted = verifyTrusted(bundleJson, required);
  if (!trusted.ok) return trusted;
  const parsed = predicateSchema.safeParse(trusted.statement.predicate);
  if (!parsed.success) {
    const { path, message } = firstProblem(parsed.error);
    return refusal("malformed-statement", `the provenance cannot be read: /predicate${path} ${message}`);
  }
  const { buildDefinition, runDetails } = parsed.data;
  const { buildType, externalParameters } = buildDefinition;
  const { ok: _, ...authentic } = trusted;
  const provenance = { builderId: runDetails.builder.id, buildType, externalParameters };
  return {
    ok: true,
    evidence: { kind: "provenance", predicateType: SLSA_PROVENANCE_TYPE, provenance, ...authentic },
  };
}

const uri = z.string().min(1).max(4096);

const predicateSchema = z.looseObject({
  buildDefinition: z.looseObject({
    buildType: uri,
    externalParameters: z.record(z.string().max(1024), z.unknown()),
  }),
  runDetails: z.looseObject({ builder: z.looseObject({ id: uri }) }),
});
