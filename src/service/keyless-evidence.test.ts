import { sign } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ContinuumError } from "../core/error.ts";
import { COSIGN_SIGN_TYPE } from "../core/evidence/image-signature.ts";
import { SLSA_PROVENANCE_TYPE } from "../core/evidence/provenance.ts";
import type { SigningKey } from "../core/evidence/signing-key.ts";
import { STATEMENT_TYPE } from "../core/evidence/statement.ts";
import { localSigstore } from "../core/evidence/testing/local-sigstore.ts";
import type { PlanInput } from "../core/plan/schema.ts";
import type { ImageSignature } from "../drivers/images/images.ts";
import type { MemoryImages } from "../drivers/images/memory/memory-images.ts";
import type { Principal } from "./principal.ts";
import { BUILDER, canonicalBytes, type EvidenceKit, evidenceKit, planWith, statement } from "./testing/evidence-kit.ts";
import { type ServiceFixture, serviceFixture } from "./testing/service-fixture.ts";

// Signatures with certificates, against a root that a person pinned, and signatures that lie in a registry.

const SIGSTORE = localSigstore();
const OTHER_SIGSTORE = localSigstore();
const WORKFLOW = {
  issuer: "https://token.actions.githubusercontent.com",
  subject: "https://github.com/acme/churn/.github/workflows/build.yaml@refs/heads/main",
};

let on: ServiceFixture;
let kit: EvidenceKit;
let admin: Principal;
let ci: Principal;
beforeAll(async () => {
  on = await serviceFixture();
  kit = await evidenceKit(on);
  admin = await on.admin();
  ci = await on.principal("ci", "service", ["proposer", "operator"]);
});
afterAll(() => on.close());

const pin = (trustedRoot = SIGSTORE.trustedRoot) =>
  on.call("trust.pin", admin, { body: { trustedRoot: JSON.parse(trustedRoot) } });
const trust = (purpose: "provenance" | "manifest" | "image") =>
  on.call("identities.add", admin, { body: { purpose, ...WORKFLOW } });

function provenance(digest: string, who: Partial<typeof WORKFLOW & { atMs: number }> = {}, sigstore = SIGSTORE) {
  const predicate = {
    buildDefinition: { buildType: "https://ci.example/types/1", externalParameters: {} },
    runDetails: { builder: { id: BUILDER } },
  };
  const subject = [{ digest: { sha256: digest.slice("sha256:".length) } }];
  const said = { _type: STATEMENT_TYPE, subject, predicateType: SLSA_PROVENANCE_TYPE, predicate };
  const signer = { ...WORKFLOW, atMs: on.parts.nowMs() - 1000, ...who };
  return JSON.parse(sigstore.signStatement(said, signer)) as Record<string, unknown>;
}

describe("evidence by an identity", () => {
  test("needs a pinned root, exactly this identity, and this purpose", async () => {
    const digest = (await kit.model("keyless")).slice("store:".length);
    const refusedWith = async (bundle: Record<string, unknown>, words: string) =>
      expect(kit.give(bundle)).rejects.toMatchObject({
        code: "untrusted-evidence",
        message: expect.stringContaining(words),
      });
    await refusedWith(provenance(digest), "no trusted root is set");
    expect((await pin()).trustedRoot).toMatchObject({ certificateAuthorities: 1, tlogs: 1, ctlogs: 1 });
    await refusedWith(provenance(digest), "nobody who is trusted");
    await trust("manifest");
    await refusedWith(provenance(digest), "not trusted for provenance");
    await trust("provenance");
    for (const [who, words] of [
      [{ subject: `${WORKFLOW.subject}2` }, "nobody who is trusted"],
      [{ subject: WORKFLOW.subject.replace("acme/churn", "acmeXchurn") }, "nobody who is trusted"],
      [{ subject: WORKFLOW.subject.slice(0, -1) }, "nobody who is trusted"],
      [{ issuer: `${WORKFLOW.issuer}/` }, "nobody who is trusted"],
      [{ issuer: "https://token.actions.githubusercontent.com.evil.example" }, "nobody who is trusted"],
    ] as const) {
      await refusedWith(provenance(digest, who), words);
    }
    await refusedWith(provenance(digest, {}, OTHER_SIGSTORE), "certificate");
    const old = provenance(digest, { atMs: on.parts.nowMs() - 366 * 86_400_000 });
    await refusedWith(old, "older than evidence may be");
    const piece = await kit.give(provenance(digest));
    expect(piece).toMatchObject({ kind: "provenance", identity: WORKFLOW, provenAt: expect.stringMatching(/Z$/) });
  });

  test("is one piece with whatever stands beside its signature, and stays revoked", async () => {
    await pin();
    await trust("provenance");
    const bundle = provenance((await kit.model("keyless again")).slice("store:".length));
    const { id } = await kit.give(bundle);
    await on.call("evidence.revoke", admin, { params: { id }, body: { reason: "The runner was taken over." } });
    const dressed = structuredClone(bundle) as { verificationMaterial: Record<string, unknown> };
    dressed.verificationMaterial["timestampVerificationData"] = { rfc3161Timestamps: [] };
    const again = await kit.give(dressed as unknown as Record<string, unknown>);
    expect(again).toMatchObject({ id, revoked: { by: admin.id } });
    expect(await on.call("audit.verify", admin)).toMatchObject({ ok: true });
  });

  test("carries a staging plan to its end, and no further once the root or the identity is gone", async () => {
    await pin();
    await trust("manifest");
    const run = async (name: string, before: () => Promise<unknown>) => {
      const artifact = await kit.model(name);
      const plan = planWith({ artifact, name, environment: "staging" });
      const bytes = canonicalBytes(plan);
      const bundle = SIGSTORE.signMessage(bytes, { ...WORKFLOW, atMs: on.parts.nowMs() - 1000 });
      await kit.giveEvidence(plan, ["manifest-signature"]);
      await kit.give(JSON.parse(bundle), { manifest: bytes.toString("base64") });
      return ending(plan, before);
    };
    expect(await run("keyless-good", async () => undefined)).toMatchObject({ phase: "Succeeded" });
    const unpinned = await run("keyless-unpinned", () => on.call("trust.unpin", admin, {}));
    expect(unpinned.refusals.map(({ clause }) => clause)).toEqual(["CP-1"]);
    await pin();
    const id = (await on.call("identities.list", admin, {})).items.find(({ purpose }) => purpose === "manifest")?.id;
    const gone = await run("keyless-gone", () =>
      on.call("identities.revoke", admin, { params: { purpose: "manifest", id: id ?? "" } }),
    );
    expect(gone.refusals.map(({ clause }) => clause)).toEqual(["CP-1"]);
  });
});

describe("an image's signature in its registry", () => {
  const digest = `sha256:${"7".repeat(64)}`;
  const image = `registry.example/models/churn@${digest}`;
  const images = () => on.parts.images as MemoryImages;
  let made = 0;

  async function deploy(): Promise<Awaited<ReturnType<ServiceFixture["until"]>>> {
    made += 1;
    const artifact = await kit.model(`registry ${made}`);
    const plan = planWith({ artifact, name: `registry-${made}`, image });
    await kit.giveEvidence(plan, ["image-signature"]);
    return ending(plan, async () => undefined);
  }
  const simple = (about: string, key: SigningKey): ImageSignature => {
    const payload = Buffer.from(
      JSON.stringify({
        critical: {
          identity: { "docker-reference": "registry.example/models/churn" },
          image: { "docker-manifest-digest": about },
          type: "cosign container image signature",
        },
        optional: null,
      }),
    );
    const signature = sign("sha256", payload, key.privateKey).toString("base64");
    return { form: "simple-signing", payload, signature };
  };
  const bundle = (about: string, key: SigningKey): ImageSignature => ({
    form: "bundle",
    bundle: Buffer.from(JSON.stringify(statement(about, COSIGN_SIGN_TYPE, null, key))),
  });

  test("counts in either form, also behind signatures by others", async () => {
    const other = `sha256:${"8".repeat(64)}`;
    for (const good of [simple(digest, kit.keys.image), bundle(digest, kit.keys.image)]) {
      images().put(image, [good, simple(digest, kit.keys.tests), bundle(other, kit.keys.image)]);
      expect(await deploy()).toMatchObject({ phase: "Succeeded" });
    }
    const who = { ...WORKFLOW, atMs: on.parts.nowMs() - 1000 };
    const said = { _type: STATEMENT_TYPE, predicateType: COSIGN_SIGN_TYPE, predicate: {} };
    const subject = [{ digest: { sha256: digest.slice("sha256:".length) } }];
    await pin();
    await trust("image");
    images().put(image, [{ form: "bundle", bundle: Buffer.from(SIGSTORE.signStatement({ ...said, subject }, who)) }]);
    expect(await deploy()).toMatchObject({ phase: "Succeeded" });
  });

  test("is asked for again while the registry does not answer", async () => {
    images().put(image, [simple(digest, kit.keys.image)]);
    const read = images().read.bind(images());
    let asked = 0;
    images().read = async (reference) => {
      asked += 1;
      if (asked > 2) return read(reference);
      throw new ContinuumError("registry-unreachable", "The registry does not answer.", { retryable: true });
    };
    try {
      expect(await deploy()).toMatchObject({ phase: "Succeeded" });
      expect(asked).toBe(4);
    } finally {
      images().read = read;
    }
  });

  test.each<[string, () => ImageSignature[] | undefined, string]>([
    ["no signature", () => [], "Nobody signed the image"],
    ["a signature of another image", () => [simple(`sha256:${"9".repeat(64)}`, kit.keys.image)], "is not about"],
    ["a statement about another image", () => [bundle(`sha256:${"9".repeat(64)}`, kit.keys.image)], "is not about"],
    ["a signature by a key for tests", () => [simple(digest, kit.keys.tests)], "not trusted for image"],
    ["no such image", () => undefined, "image"],
  ])("does not count with %s", async (_what, make, words) => {
    const signatures = make();
    if (signatures === undefined) images().remove(image);
    else images().put(image, signatures);
    const denied = await deploy();
    expect(denied.refusals).toMatchObject([{ clause: "CP-6", message: expect.stringContaining(words) }]);
  });
});

async function ending(plan: PlanInput, before: () => Promise<unknown>) {
  const { id } = await on.call("plans.submit", ci, { body: { plan } });
  await before();
  const worker = await on.worker();
  try {
    return await on.until(id, ["Denied", "Succeeded", "Failed", "RolledBack"]);
  } finally {
    await worker.stop(2000);
  }
}
