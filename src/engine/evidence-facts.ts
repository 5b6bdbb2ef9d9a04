import { ContinuumError } from "../core/error.ts";
import { canonicalPlan, sha256Digest } from "../core/plan/canonical.ts";
import type { Plan } from "../core/plan/schema.ts";
import type { Facts } from "../core/policy/decision.ts";
import type { Rollout } from "../core/rollout/rollout.ts";
import type { ArtifactInfo } from "../drivers/artifacts/artifacts.ts";
import type { Queryable } from "../store/database.ts";
import { checkBaseline } from "./baseline-check.ts";
import type { EngineParts } from "./engine.ts";
import { type CountingPiece, gatherPieces } from "./evidence-pieces.ts";
import { storeDigest } from "./evidence-subjects.ts";
import { imageSignedInRegistry } from "./image-evidence.ts";

export interface EvidenceFacts
  extends Required<Pick<Facts, "unknownNames" | "evidence" | "evidenceProblems" | "evidenceUnread">> {
  /** The stored pieces among it: what an approval binds. */
  counting: CountingPiece[];
}

export type EvidenceParts = Pick<EngineParts, "artifacts" | "images" | "nowMs" | "signatures">;
export interface EvidenceSubject {
  tenant: string;
  plan: Plan;
  planDigest: string;
  gate: Facts["gate"];
  rollout?: Pick<Rollout, "restores">;
}

/**
 * What is there for a plan, each time looked at anew: signatures are verified over the stored bytes by those who are
 * trusted now, the store is asked whether the artifact is encrypted, and at a gate its bytes are read and hashed again,
 * compared with the baseline, and the image's registry is asked. What a proposal does not look at stands in
 * `evidenceUnread`: whether it is there shows at the gate.
 */
export async function gatherEvidence(
  db: Queryable,
  parts: EvidenceParts,
  subject: EvidenceSubject,
): Promise<EvidenceFacts> {
  const facts: EvidenceFacts = {
    unknownNames: [],
    evidence: {},
    evidenceProblems: {},
    evidenceUnread: [],
    counting: [],
  };
  const { model, monitor } = subject.plan.spec;
  const atGate = subject.gate === "verify" || subject.gate === "pre-provision";
  const baseline = monitor?.baseline;
  if (baseline !== undefined && !(await isInStore(parts, subject.tenant, baseline))) facts.unknownNames.push(baseline);
  const digest = storeDigest(model.artifact);
  const info = digest === undefined ? undefined : await statOf(parts, subject.tenant, digest);
  if (digest === undefined || info === undefined) {
    // The same answer for an artifact of another tenant and for one that does not exist.
    facts.unknownNames.push(model.artifact);
    return facts;
  }
  await addPieces(db, parts, subject, facts);
  if (info === "corrupt") {
    facts.evidenceProblems.encryption = "The artifact's stored bytes cannot be authenticated.";
    return facts;
  }
  if (info.encrypted) facts.evidence.encryption = true;
  else facts.evidenceProblems.encryption = "The artifact lies in the store unencrypted.";
  if (atGate) {
    await addArtifactAndBaseline(parts, { ...subject, digest }, facts);
    // What a simulated plan names need not exist anywhere.
    const isReal = subject.plan.spec.target !== "simulated";
    if (isReal && model.image !== undefined && facts.evidence["image-signature"] !== true) {
      await addRegistry(db, parts, { tenant: subject.tenant, image: model.image }, facts);
    }
  } else facts.evidenceUnread.push("artifact-digest", "baseline", ...(model.image === undefined ? [] : IMAGE));
  return facts;
}

const IMAGE = ["image-signature"] as const;

async function isInStore(parts: EvidenceParts, tenant: string, reference: string): Promise<boolean> {
  const digest = storeDigest(reference);
  return digest !== undefined && (await statOf(parts, tenant, digest)) !== undefined;
}

/** An object that was tampered with is there, and vouches for nothing. */
async function statOf(
  parts: EvidenceParts,
  tenant: string,
  digest: string,
): Promise<ArtifactInfo | "corrupt" | undefined> {
  try {
    return await parts.artifacts.stat(tenant, digest);
  } catch (error) {
    if (error instanceof ContinuumError && error.code === "corrupt") return "corrupt";
    throw error;
  }
}

async function addPieces(
  db: Queryable,
  parts: EvidenceParts,
  { tenant, plan, planDigest, rollout }: EvidenceSubject,
  facts: EvidenceFacts,
): Promise<void> {
  const restores = rollout?.restores !== undefined;
  const bytes = canonicalPlan(plan);
  // A copy that somebody changed is found by the gates (CP-8); no signature is a signature of it until then.
  const message = sha256Digest(bytes) === planDigest ? bytes : new Uint8Array();
  const found = await gatherPieces(db, parts, { tenant, plan, planDigest, message, restores });
  facts.counting = found.counting;
  for (const { kind } of found.counting) facts.evidence[kind] = true;
  Object.assign(facts.evidenceProblems, found.problems);
}

/** Reading decrypts and hashes every byte, so it is left to the gates that ask for it, and done once. */
async function addArtifactAndBaseline(
  parts: EvidenceParts,
  { tenant, digest, plan }: EvidenceSubject & { digest: string },
  facts: EvidenceFacts,
): Promise<void> {
  const model = await readWhole(parts, tenant, digest);
  if (model === undefined) {
    facts.evidenceProblems["artifact-digest"] = "The artifact's stored bytes are not those of its digest.";
    // An artifact that cannot be authenticated is not encrypted storage either: nothing vouches for what lies there.
    delete facts.evidence.encryption;
    facts.evidenceProblems.encryption = "The artifact's stored bytes cannot be authenticated.";
    return;
  }
  facts.evidence["artifact-digest"] = true;
  const { monitor } = plan.spec;
  const baselineDigest = monitor?.baseline === undefined ? undefined : storeDigest(monitor.baseline);
  if (baselineDigest === undefined) return;
  const baseline = await readWhole(parts, tenant, baselineDigest);
  if (baseline === undefined) {
    facts.evidenceProblems.baseline = "The baseline's stored bytes are not those of its digest.";
    return;
  }
  const fit = await checkBaseline({ model, baseline, monitor });
  if (fit.fits) facts.evidence.baseline = true;
  else facts.evidenceProblems.baseline = fit.problem;
}

/** The bytes, which the store hashes again as it reads them; undefined when they are gone or are not those of their digest. */
async function readWhole(parts: EvidenceParts, tenant: string, digest: string): Promise<Uint8Array | undefined> {
  try {
    return await parts.artifacts.read(tenant, digest);
  } catch (error) {
    if (error instanceof ContinuumError && (error.code === "corrupt" || error.code === "not-found")) return undefined;
    throw error;
  }
}

async function addRegistry(
  db: Queryable,
  parts: EvidenceParts,
  at: { tenant: string; image: string },
  facts: EvidenceFacts,
): Promise<void> {
  const answer = await imageSignedInRegistry(db, parts, at);
  if (answer.signed) {
    facts.evidence["image-signature"] = true;
    delete facts.evidenceProblems["image-signature"];
  } else facts.evidenceProblems["image-signature"] ??= answer.problem;
}
