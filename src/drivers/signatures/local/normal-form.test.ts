import { generateKeyPairSync, sign, verify } from "node:crypto";
import { describe, expect, test } from "vitest";
import { readBundle, writeDsseBundle } from "../../../core/evidence/bundle.ts";
import { IN_TOTO_PAYLOAD_TYPE, preAuthEncoding } from "../../../core/evidence/dsse.ts";
import { publicKeyOf } from "../../../core/evidence/public-key.ts";
import { localSigstore } from "../../../core/evidence/testing/local-sigstore.ts";
import { lowerHalf } from "./lower-half.ts";
import { certifiedForm, normalFormOf } from "./normal-form.ts";

const CURVES = [
  ["prime256v1", "sha256"],
  ["secp384r1", "sha384"],
  ["secp521r1", "sha512"],
] as const;

describe("the lower half of a signature", () => {
  test.each(CURVES)("verifies on %s, and is half of them unchanged", (namedCurve, hash) => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
    const message = Buffer.from("a message");
    let unchanged = 0;
    for (let index = 0; index < 60; index += 1) {
      const signature = sign(hash, message, privateKey);
      const low = lowerHalf(signature, publicKey);
      expect(verify(hash, message, publicKey, low)).toBe(true);
      expect(lowerHalf(low, publicKey)).toEqual(low);
      if (low.equals(signature)) unchanged += 1;
    }
    expect(unchanged).toBeGreaterThan(10);
    expect(unchanged).toBeLessThan(50);
  });
});

function read(json: string) {
  const bundle = readBundle(json);
  if (!bundle.ok) throw new Error(bundle.problem.message);
  return bundle.value;
}

describe("the normal form of a bundle", () => {
  test("is the same whatever stands around what was signed, and another for another signature", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const key = publicKeyOf(publicKey);
    const payload = Buffer.from("{}");
    const signed = () => sign("sha256", preAuthEncoding(IN_TOTO_PAYLOAD_TYPE, payload), privateKey);
    const signature = signed();
    const text = writeDsseBundle(key, { payloadType: IN_TOTO_PAYLOAD_TYPE, payload, signature });
    const plain = normalFormOf(read(text), key);
    const decorated = JSON.parse(text) as {
      verificationMaterial: { tlogEntries: unknown[]; publicKey: { hint: string } };
      dsseEnvelope: { signatures: { keyid?: string }[] };
    };
    decorated.verificationMaterial.tlogEntries = [{ anything: true }];
    decorated.verificationMaterial.publicKey.hint = "somebody";
    decorated.dsseEnvelope.signatures = decorated.dsseEnvelope.signatures.map((one) => ({ ...one, keyid: "x" }));
    expect(normalFormOf(read(JSON.stringify(decorated)), key)).toEqual(plain);
    const again = writeDsseBundle(key, { payloadType: IN_TOTO_PAYLOAD_TYPE, payload, signature: signed() });
    expect(normalFormOf(read(again), key).id).not.toBe(plain.id);
  });

  test("of a certificate's signature keeps its proofs, and has one name whatever they are", () => {
    const message = Buffer.from("a plan");
    const who = { issuer: "https://issuer.example", subject: "https://ci.example/build", atMs: Date.now() };
    const given = localSigstore().signMessage(message, who);
    const bundle = read(given);
    if (bundle.certified === null) throw new Error("the bundle has a certificate");
    const form = certifiedForm(Buffer.from(given), bundle, bundle.certified);
    expect(form.bundle.toString()).toBe(given);
    const other = `${given} `;
    const otherForm = certifiedForm(Buffer.from(other), read(other), bundle.certified);
    expect(otherForm.signature).toBe(form.signature);
    expect(otherForm.id).not.toBe(form.id);
    const again = read(localSigstore().signMessage(message, who));
    if (again.certified === null) throw new Error("the bundle has a certificate");
    expect(certifiedForm(Buffer.from(""), again, again.certified).signature).not.toBe(form.signature);
  });
});
