import { SLSA_PROVENANCE_TYPE } from "../core/evidence/provenance.ts";
import { signMessage, signStatement } from "../core/evidence/sign.ts";
import { generateSigningKey, type SigningKey } from "../core/evidence/signing-key.ts";
import { STATEMENT_TYPE } from "../core/evidence/statement.ts";
import { canonicalPlan } from "../core/plan/canonical.ts";
import { withDefaults } from "../core/plan/defaults.ts";
import type { PlanInput } from "../core/plan/schema.ts";
import type { ReadyModel, Stage } from "./stage.ts";

/** `.invalid` is no name of anybody (RFC 2606). */
export const THROWAWAY_BUILDER = "https://quickstart.invalid/throwaway-builder";

/** What a release pipeline would sign with: a key for each purpose, which this process alone has. */
export interface ThrowawaySigners {
  manifest: SigningKey;
  provenance: SigningKey;
}

/** An administrator trusts two new keys, each for one purpose, and one builder. */
export async function trustSigners(stage: Stage): Promise<ThrowawaySigners> {
  const signers = { manifest: generateSigningKey(stage.random), provenance: generateSigningKey(stage.random) };
  for (const purpose of ["manifest", "provenance"] as const) {
    await stage.api.call("keys.import", { body: { purpose, publicKey: signers[purpose].publicKey.spkiPem } });
  }
  await stage.api.call("trust.update", { body: { builders: [THROWAWAY_BUILDER] } });
  return signers;
}

/** Signs the plan's canonical bytes as `continuum sign --type plan` does, and hands it in with them. */
export async function giveManifestSignature(stage: Stage, signers: ThrowawaySigners, plan: PlanInput) {
  const bytes = canonicalPlan(withDefaults(plan));
  const bundle = JSON.parse(signMessage(bytes, signers.manifest)) as Record<string, unknown>;
  return stage.agent.call("evidence.add", { body: { bundle, manifest: Buffer.from(bytes).toString("base64") } });
}

/** States how the model came to be: in this process, from the public data set. */
export async function giveProvenance(stage: Stage, signers: ThrowawaySigners, model: ReadyModel) {
  const [, sha256 = ""] = model.artifactDigest.split(":");
  const statement = {
    _type: STATEMENT_TYPE,
    subject: [{ name: "model", digest: { sha256 } }],
    predicateType: SLSA_PROVENANCE_TYPE,
    predicate: {
      buildDefinition: {
        buildType: "https://quickstart.invalid/trained-in-the-quickstart",
        externalParameters: { data: "breast-cancer.csv", version: model.version },
      },
      runDetails: { builder: { id: THROWAWAY_BUILDER } },
    },
  } as const;
  const bundle = JSON.parse(signStatement({ ...statement, subject: [...statement.subject] }, signers.provenance));
  return stage.agent.call("evidence.add", { body: { bundle } });
}
