import { createHash, randomBytes } from "node:crypto";
import { Secret, TOTP } from "otpauth";
import { writeDsseBundle } from "../../core/evidence/bundle.ts";
import { IN_TOTO_PAYLOAD_TYPE, signEnvelope } from "../../core/evidence/dsse.ts";
import { COSIGN_SIGN_TYPE } from "../../core/evidence/image-signature.ts";
import { SLSA_PROVENANCE_TYPE } from "../../core/evidence/provenance.ts";
import { signMessage, signStatement } from "../../core/evidence/sign.ts";
import { generateSigningKey, type SigningKey } from "../../core/evidence/signing-key.ts";
import { STATEMENT_TYPE } from "../../core/evidence/statement.ts";
import { canonicalPlan } from "../../core/plan/canonical.ts";
import { withDefaults } from "../../core/plan/defaults.ts";
import type { PlanInput } from "../../core/plan/schema.ts";
import { onnxModel } from "../../quickstart/onnx/model.ts";
import type { Principal } from "../principal.ts";
import { planOf, type ServiceFixture, type TestPlan, testEvidence } from "./service-fixture.ts";

/** Everything that a plan of any level needs, made by keys that each have one purpose; and what happens with one missing. */
export interface EvidenceKit {
  keys: Record<"tests" | "manifest" | "image" | "provenance", SigningKey>;
  /** A model that takes two numbers, imported; `seed` makes another one. */
  model(seed: string): Promise<string>;
  table(csv: string): Promise<string>;
  /** Hands in what is named, everything by default. */
  giveEvidence(plan: PlanInput, without?: string[]): Promise<void>;
  give(bundle: Record<string, unknown>, more?: { manifest?: string }): Promise<{ id: string }>;
  /** A person who can approve with MFA and a signature. */
  approver(id: string, roles?: Parameters<ServiceFixture["principal"]>[2]): Promise<Approver>;
}

export interface Approver extends Principal {
  approve(rollout: { id: string; planDigest: string }): Promise<unknown>;
}

export const BUILDER = "https://ci.example/builders/1";
const KINDS = ["tests", "manifest-signature", "provenance", "image-signature"];

export async function evidenceKit(on: ServiceFixture): Promise<EvidenceKit> {
  const admin = await on.admin();
  const key = () => generateSigningKey(randomBytes);
  const keys = { tests: key(), manifest: key(), image: key(), provenance: key() };
  for (const purpose of ["tests", "manifest", "image", "provenance"] as const) {
    await on.call("keys.import", admin, { body: { purpose, publicKey: keys[purpose].publicKey.spkiPem } });
  }
  await on.call("trust.update", admin, { body: { builders: [BUILDER] } });
  const store = async (bytes: Buffer): Promise<string> => {
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    await on.call("artifacts.put", admin, { params: { digest }, body: bytes });
    return `store:${digest}`;
  };
  const give: EvidenceKit["give"] = (bundle, more = {}) =>
    on.call("evidence.add", admin, { body: { bundle, ...more } });
  return {
    keys,
    give,
    model: (seed) => store(Buffer.from(tinyModel(seed))),
    table: (csv) => store(Buffer.from(csv)),
    giveEvidence: async (plan, without = []) => {
      for (const kind of KINDS.filter((one) => !without.includes(one))) {
        const signed = signedEvidence(kind, plan, keys);
        if (signed !== undefined) await give(signed.bundle, signed.more);
      }
    },
    approver: (id, roles = ["approver"]) => approverOf(on, id, roles),
  };
}

export function tinyModel(seed: string): Uint8Array {
  return onnxModel({
    name: seed,
    inputs: [{ name: "features", type: "float", shape: ["N", 2] }],
    outputs: [{ name: "copy", type: "float", shape: ["N", 2] }],
    nodes: [{ operator: "Identity", inputs: ["features"], outputs: ["copy"] }],
    initializers: [],
    opset: { standard: 17 },
  });
}

/** A plan of a level with its baseline, by the fixture's defaults. */
export function planWith(plan: TestPlan, baseline?: string): PlanInput {
  const made = planOf(plan);
  if (baseline === undefined) return made;
  return { ...made, spec: { ...made.spec, monitor: { ...made.spec.monitor, baseline } } };
}

export function canonicalBytes(plan: PlanInput): Buffer {
  return Buffer.from(canonicalPlan(withDefaults(plan)));
}

function signedEvidence(
  kind: string,
  plan: PlanInput,
  keys: EvidenceKit["keys"],
): { bundle: Record<string, unknown>; more?: { manifest: string } } | undefined {
  const artifact = plan.spec.model.artifact.slice("store:".length);
  const image = plan.spec.model.image?.split("@")[1];
  switch (kind) {
    case "tests":
      return { bundle: testEvidence(keys.tests, artifact, "PASSED") };
    case "manifest-signature": {
      const bytes = canonicalBytes(plan);
      return { bundle: parsed(signMessage(bytes, keys.manifest)), more: { manifest: bytes.toString("base64") } };
    }
    case "provenance":
      return { bundle: provenanceOf(artifact, { key: keys.provenance, builder: BUILDER }) };
    default:
      return image === undefined ? undefined : { bundle: statement(image, COSIGN_SIGN_TYPE, null, keys.image) };
  }
}

export function provenanceOf(digest: string, by: { key: SigningKey; builder: string }): Record<string, unknown> {
  const predicate = {
    buildDefinition: { buildType: "https://ci.example/types/1", externalParameters: {} },
    runDetails: { builder: { id: by.builder } },
  };
  return statement(digest, SLSA_PROVENANCE_TYPE, predicate, by.key);
}

export function statement(
  digest: string,
  predicateType: string,
  predicate: unknown,
  key: SigningKey,
): Record<string, unknown> {
  const subject = [{ name: "subject", digest: { sha256: digest.slice("sha256:".length) } }];
  return parsed(signStatement({ _type: STATEMENT_TYPE, subject, predicateType, predicate } as never, key));
}

function parsed(text: string): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>;
}

async function approverOf(
  on: ServiceFixture,
  id: string,
  roles: Parameters<ServiceFixture["principal"]>[2],
): Promise<Approver> {
  const person = await on.principal(id, "human", roles);
  const key = generateSigningKey(randomBytes);
  const { secret } = await on.call("me.totp.enroll", person);
  const code = () => {
    // Each step's code is taken once; the next one is of a later step.
    on.clock.offsetMs += 31_000;
    return new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: on.parts.nowMs() });
  };
  const sign = ({ payload }: { payload: string }) => {
    const envelope = { payloadType: IN_TOTO_PAYLOAD_TYPE, payload: Buffer.from(payload, "base64") };
    return parsed(writeDsseBundle(key.publicKey, { ...envelope, signature: signEnvelope(key, envelope) }));
  };
  await on.call("me.totp.confirm", person, { body: { code: code() } });
  const own = { publicKey: key.publicKey.spkiPem, kind: "cosign" as const };
  const asked = await on.call("me.keys.statement", person, { body: own });
  const stepUp = () => ({ kind: "totp" as const, code: code() });
  await on.call("me.keys.enroll", person, { body: { ...own, bundle: sign(asked), stepUp: stepUp() } });
  return {
    ...person,
    approve: async ({ id: rollout, planDigest }) => {
      const toSign = await on.call("approvals.statement", person, { params: { id: rollout }, body: {} });
      const body = { planDigest, bundle: sign(toSign), stepUp: stepUp() };
      return on.call("approvals.approve", person, { params: { id: rollout }, body });
    },
  };
}
