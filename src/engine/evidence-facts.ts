import { ContinuumError } from "../core/error.ts";
import type { Plan } from "../core/plan/schema.ts";
import type { Facts } from "../core/policy/decision.ts";
import type { ArtifactInfo } from "../drivers/artifacts/artifacts.ts";
import type { Queryable } from "../store/database.ts";
import { evidenceBundles, trustedKeys } from "../store/queries/evidence.ts";
import type { EngineParts } from "./engine.ts";

export type EvidenceFacts = Required<Pick<Facts, "unknownNames" | "evidence" | "evidenceProblems">>;

type EvidenceParts = Pick<EngineParts, "artifacts" | "nowMs" | "signatures">;
interface Subject {
  tenant: string;
  plan: Plan;
  gate: Facts["gate"];
}

/**
 * What is there for a plan, each time looked at anew: signatures are verified over the stored bytes against the keys
 * that are trusted now, the store is asked whether the artifact is encrypted, and at a gate its bytes are read and
 * hashed again. Kinds that nothing verifies yet are absent, which the policy reads as missing.
 */
export async function gatherEvidence(db: Queryable, parts: EvidenceParts, subject: Subject): Promise<EvidenceFacts> {
  const facts: EvidenceFacts = { unknownNames: [], evidence: {}, evidenceProblems: {} };
  const { model, monitor } = subject.plan.spec;
  if (model.image !== undefined) {
    facts.evidenceProblems["image-signature"] = "This server cannot verify image signatures yet.";
  }
  const baseline = monitor?.baseline;
  if (baseline !== undefined && !(await isInStore(parts, subject.tenant, baseline))) facts.unknownNames.push(baseline);
  const digest = storeDigest(model.artifact);
  const info = digest === undefined ? undefined : await statOf(parts, subject.tenant, digest);
  if (digest === undefined || info === undefined) {
    // The same answer for an artifact of another tenant and for one that does not exist.
    facts.unknownNames.push(model.artifact);
    return facts;
  }
  if (info === "corrupt") {
    facts.evidenceProblems.encryption = "The artifact's stored bytes cannot be authenticated.";
    return facts;
  }
  if (info.encrypted) facts.evidence.encryption = true;
  else facts.evidenceProblems.encryption = "The artifact lies in the store unencrypted.";
  await addArtifactDigest(parts, { ...subject, digest }, facts);
  await addTests(db, parts, { tenant: subject.tenant, digest }, facts);
  return facts;
}

/** The digest of an artifact in the encrypted store; undefined for any other reference. */
export function storeDigest(reference: string): string | undefined {
  return reference.startsWith("store:") ? reference.slice("store:".length) : undefined;
}

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

/** Reading decrypts and hashes every byte, so it is left to the gates that ask for it. */
async function addArtifactDigest(
  parts: EvidenceParts,
  { tenant, digest, gate }: Subject & { digest: string },
  facts: EvidenceFacts,
): Promise<void> {
  if (gate !== "verify" && gate !== "pre-provision") return;
  try {
    await parts.artifacts.read(tenant, digest);
    facts.evidence["artifact-digest"] = true;
  } catch (error) {
    if (!(error instanceof ContinuumError) || (error.code !== "corrupt" && error.code !== "not-found")) throw error;
    facts.evidenceProblems["artifact-digest"] = "The artifact's stored bytes are not those of its digest.";
    // An artifact that cannot be authenticated is not encrypted storage either: nothing vouches for what lies there.
    delete facts.evidence.encryption;
    facts.evidenceProblems.encryption = "The artifact's stored bytes cannot be authenticated.";
  }
}

async function addTests(
  db: Queryable,
  { signatures: { live }, nowMs }: EvidenceParts,
  at: { tenant: string; digest: string },
  facts: EvidenceFacts,
): Promise<void> {
  const about = { tenant: at.tenant, subjectDigest: at.digest, kind: "tests" };
  const bundles = await evidenceBundles(db, about);
  if (bundles.length === 0) return;
  const keys = await trustedKeys(db, at.tenant, "tests");
  // Newest first: the last word of a trusted key counts, so that a failed run takes back what an earlier one vouched for.
  for (const bundle of bundles) {
    const verified = await live.verify("tests", bundle, {
      subjectDigest: at.digest,
      trustedKeys: keys,
      nowMs: nowMs(),
    });
    if (verified.ok) {
      facts.evidence.tests = true;
      delete facts.evidenceProblems.tests;
      return;
    }
    facts.evidenceProblems.tests ??= verified.reason;
    if (verified.code === "not-passed") {
      facts.evidenceProblems.tests = verified.reason;
      return;
    }
  }
}
