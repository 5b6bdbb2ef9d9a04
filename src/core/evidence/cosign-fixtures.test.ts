import { createHash, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readBundle, writeMessageBundle } from "./bundle.ts";
import { readCosignKey } from "./cosign-key.ts";
import { verifyImageSignature } from "./image-signature.ts";
import { verifyManifestSignature } from "./manifest-signature.ts";
import { verifyProvenance } from "./provenance.ts";
import { parsePublicKey, parseVerificationKey } from "./public-key.ts";
import type { Purpose, Signer } from "./signer.ts";
import { verifyTestEvidence } from "./verify-trusted.ts";

/** What a real cosign wrote (the commands stand in the fixtures' README) is read on every clone. */
const read = (name: string): Buffer => readFileSync(new URL(`../../../test/fixtures/cosign/${name}`, import.meta.url));
const text = (name: string): string => read(name).toString("utf8");
const digestOf = (name: string): string => `sha256:${createHash("sha256").update(read(name)).digest("hex")}`;

const OPENED = readCosignKey(text("fixture.key"), "fixture");
if (!OPENED.ok) throw new Error(OPENED.problem.message);
const KEY = OPENED.value;

function signerFor(purpose: Purpose, file = "fixture.pub"): Signer {
  const key = parseVerificationKey(text(file));
  if (!key.ok) throw new Error(key.problem.message);
  return { kind: "key", purpose, keyId: key.value.keyId, spkiPem: key.value.spkiPem };
}

test("cosign's key files open, and the key is the one of its public file", () => {
  const published = parsePublicKey(text("fixture.pub"));
  if (!published.ok) throw new Error(published.problem.message);
  expect(KEY.publicKey.keyId).toBe(published.value.keyId);
  expect(JSON.parse(text("plan.bundle")).verificationMaterial.publicKey.hint).toBe(published.value.hint);
});

describe("a manifest that cosign signed", () => {
  const manifest = read("plan");
  const signers = [signerFor("manifest"), signerFor("manifest", "p384.pub")];

  test.each(["plan.bundle", "p384.bundle"])("is accepted with %s", (name) => {
    const signature = { kind: "bundle" as const, json: read(name) };
    expect(verifyManifestSignature(signature, { signers, manifest })).toMatchObject({
      ok: true,
      manifestDigest: digestOf("plan"),
    });
    const other = Buffer.concat([manifest, Buffer.from(" ")]);
    expect(verifyManifestSignature(signature, { signers, manifest: other })).toMatchObject({ code: "wrong-subject" });
  });

  test("is accepted with the bare signature of an older cosign, and with no other bytes", () => {
    const bare = (base64: string) => ({ kind: "bare" as const, base64 });
    expect(verifyManifestSignature(bare(text("plan.sig")), { signers, manifest }).ok).toBe(true);
    expect(verifyManifestSignature(bare(`${text("plan.sig")}\n`), { signers, manifest }).ok).toBe(true);
    expect(verifyManifestSignature(bare(text("plan.sig")), { signers, manifest: Buffer.from("{}") })).toMatchObject({
      code: "untrusted-key",
    });
    for (const broken of ["", " ", text("plan.sig").slice(1), `${text("plan.sig")}\n${text("plan.sig")}`])
      expect(verifyManifestSignature(bare(broken), { signers, manifest })).toMatchObject({ code: "malformed-bundle" });
  });

  test("is not accepted under another hash than the key's own, whatever the bundle says", () => {
    const weak = sign("sha1", manifest, KEY.privateKey).toString("base64");
    expect(verifyManifestSignature({ kind: "bare", base64: weak }, { signers, manifest }).ok).toBe(false);
    const renamed = text("p384.bundle").replace("SHA2_384", "SHA2_256");
    expect(verifyManifestSignature({ kind: "bundle", json: renamed }, { signers, manifest })).toMatchObject({
      code: "wrong-subject",
    });
  });

  test.each([
    ["plan.bundle", "fixture.pub"],
    ["p384.bundle", "p384.pub"],
  ])("keeps its hash when %s is written again", (name, keyFile) => {
    const bundle = readBundle(read(name));
    const key = parseVerificationKey(text(keyFile));
    if (!bundle.ok || bundle.value.kind !== "message" || !key.ok) throw new Error("the fixture signs a message");
    const { messageDigest, hash, signature } = bundle.value;
    const json = writeMessageBundle(key.value, { digest: messageDigest, hash, signature });
    expect(verifyManifestSignature({ kind: "bundle", json }, { signers, manifest })).toMatchObject({ ok: true });
  });

  test("counts for no other purpose", () => {
    const trusted = [signerFor("image"), signerFor("tests"), signerFor("provenance"), signerFor("approval")];
    const signature = { kind: "bundle" as const, json: read("plan.bundle") };
    expect(verifyManifestSignature(signature, { signers: trusted, manifest })).toMatchObject({ code: "wrong-purpose" });
  });
});

describe("an image that cosign signed", () => {
  const signers = [signerFor("image")];
  const imageDigest = digestOf("image.manifest");
  const forms = {
    bundle: { kind: "bundle" as const, json: read("image.bundle") },
    legacy: { kind: "simple-signing" as const, payload: read("image.payload"), signature: text("image.sig") },
  };

  test.each(["bundle", "legacy"] as const)("is accepted in the form %s, by its digest alone", (form) => {
    expect(verifyImageSignature(forms[form], { signers, imageDigest })).toMatchObject({
      ok: true,
      reference: form === "legacy" ? "127.0.0.1:5917/fixture" : null,
    });
    for (const other of [digestOf("plan"), imageDigest.slice(0, -1), "", "127.0.0.1:5917/fixture"])
      expect(verifyImageSignature(forms[form], { signers, imageDigest: other })).toMatchObject({
        code: "wrong-subject",
      });
    const purpose = { signers: [signerFor("manifest")], imageDigest };
    expect(verifyImageSignature(forms[form], purpose)).toMatchObject({ code: "wrong-purpose" });
  });

  test("is refused with a payload that was changed, or is not cosign's, or has a key twice", () => {
    const { legacy } = forms;
    const changed = { ...legacy, payload: Buffer.from(text("image.payload").replace("fixture", "fixturE")) };
    expect(verifyImageSignature(changed, { signers, imageDigest })).toMatchObject({ code: "untrusted-key" });
    const signed = (payload: string) => {
      const signature = sign("sha256", Buffer.from(payload), KEY.privateKey).toString("base64");
      return { kind: "simple-signing" as const, payload: Buffer.from(payload), signature };
    };
    const image = `"image":{"docker-manifest-digest":"${imageDigest}"}`;
    const identity = '"identity":{"docker-reference":"x"}';
    const type = '"type":"cosign container image signature"';
    expect(
      verifyImageSignature(signed(`{"critical":{${identity},${image},${type}}}`), { signers, imageDigest }).ok,
    ).toBe(true);
    const zero = `"image":{"docker-manifest-digest":"sha256:${"0".repeat(64)}"}`;
    for (const payload of [
      `{"critical":{${identity},${zero},${image},${type}}}`,
      `{"critical":{${identity},${image},"type":"something else"}}`,
      `{"critical":{${identity},${image},${type},"more":1}}`,
      `{"critical":{${identity},${type}}}`,
      "",
      "[]",
    ]) {
      expect(verifyImageSignature(signed(payload), { signers, imageDigest })).toMatchObject({
        code: "malformed-statement",
      });
    }
  });
});

describe("a statement that cosign signed", () => {
  const subjectDigest = digestOf("plan");

  test("of tests is accepted as test evidence, about its subject and for its purpose alone", () => {
    const bundle = read("tests.bundle");
    const signers = [signerFor("tests")];
    expect(verifyTestEvidence(bundle, { signers, subjectDigest })).toMatchObject({ ok: true });
    expect(verifyTestEvidence(bundle, { signers, subjectDigest: digestOf("image.manifest") })).toMatchObject({
      code: "wrong-subject",
    });
    expect(verifyTestEvidence(bundle, { signers: [signerFor("provenance")], subjectDigest })).toMatchObject({
      code: "wrong-purpose",
    });
    expect(verifyTestEvidence(read("slsa.bundle"), { signers, subjectDigest })).toMatchObject({
      code: "wrong-predicate-type",
    });
  });

  test("of provenance is accepted from exactly the builders that may build", () => {
    const bundle = read("slsa.bundle");
    const required = { signers: [signerFor("provenance")], subjectDigest };
    const builder = "https://example.com/builder";
    expect(verifyProvenance(bundle, { ...required, builders: [builder] })).toMatchObject({
      ok: true,
      evidence: { provenance: { builderId: builder, buildType: "https://example.com/build/v1" } },
    });
    for (const builders of [[], ["https://example.com/"], [`${builder}s`], [".*"], [builder.toUpperCase()], [""]])
      expect(verifyProvenance(bundle, { ...required, builders })).toMatchObject({ code: "wrong-builder" });
    const type = { ...required, builders: [builder], buildTypes: ["https://example.com/build/v2"] };
    expect(verifyProvenance(bundle, type)).toMatchObject({ code: "wrong-builder" });
    expect(verifyProvenance(read("tests.bundle"), { ...required, builders: [builder] })).toMatchObject({
      code: "wrong-predicate-type",
    });
  });
});
