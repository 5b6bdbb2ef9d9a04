import { createHash, createPublicKey, randomBytes, verify } from "node:crypto";
import { ml_dsa65 } from "@noble/post-quantum/ml-dsa.js";
import { describe, expect, test } from "vitest";
import { readBundle, writeDsseBundle } from "./bundle.ts";
import { preAuthEncoding } from "./dsse.ts";
import { parsePublicKey, parseVerificationKey } from "./public-key.ts";
import { signStatement } from "./sign.ts";
import type { Purpose, Signer } from "./signer.ts";
import { generatePostQuantumKey, generateSigningKey, type SigningKey } from "./signing-key.ts";
import type { Statement } from "./statement.ts";
import { verifyBoth } from "./verify-both.ts";
import { verifyTrusted } from "./verify-trusted.ts";

const CLASSICAL = generateSigningKey(randomBytes);
const QUANTUM_SAFE = generatePostQuantumKey(randomBytes);
const HEX = createHash("sha256").update("plan").digest("hex");
const TYPE = "https://example.com/v1";
const statementOf = (predicate: unknown): Statement => ({
  _type: "https://in-toto.io/Statement/v1",
  subject: [{ digest: { sha256: HEX } }],
  predicateType: TYPE,
  predicate,
});
const STATEMENT = statementOf({ approved: true });
const signerOf = ({ publicKey }: SigningKey, purpose: Purpose = "approval"): Signer => ({
  kind: "key",
  purpose,
  keyId: publicKey.keyId,
  spkiPem: publicKey.spkiPem,
});
const SIGNERS = [signerOf(CLASSICAL), signerOf(QUANTUM_SAFE)];
const REQUIRED = {
  purpose: "approval",
  predicateType: TYPE,
  subjectDigest: `sha256:${HEX}`,
  signers: SIGNERS,
  algorithms: ["es256", "ml-dsa-65"] as const,
};
const PAIR = [signStatement(STATEMENT, CLASSICAL), signStatement(STATEMENT, QUANTUM_SAFE)] as const;

describe("a statement with two signatures", () => {
  test("is accepted with both, in any order and beside a stranger's", () => {
    const stranger = signStatement(STATEMENT, generateSigningKey(randomBytes));
    const earlier = signStatement(statementOf({ approved: "earlier" }), CLASSICAL);
    for (const bundles of [PAIR, [PAIR[1], PAIR[0]], [stranger, "{}", ...PAIR], [earlier, ...PAIR]]) {
      expect(verifyBoth(bundles, REQUIRED)).toMatchObject({
        ok: true,
        statement: STATEMENT,
        keyIds: { es256: CLASSICAL.publicKey.keyId, "ml-dsa-65": QUANTUM_SAFE.publicKey.keyId },
      });
    }
  });

  test.each<[string, readonly string[]]>([
    ["only the classical one", [PAIR[0]]],
    ["only the quantum-safe one", [PAIR[1]]],
    ["the same one twice", [PAIR[0], PAIR[0]]],
    ["none", []],
    ["a quantum-safe one of a stranger", [PAIR[0], signStatement(STATEMENT, generatePostQuantumKey(randomBytes))]],
    ["two over statements that differ", [PAIR[0], signStatement(statementOf({ approved: false }), QUANTUM_SAFE)]],
  ])("is refused with %s", (_, bundles) => {
    expect(verifyBoth(bundles, REQUIRED)).toMatchObject({ ok: false, code: "missing-signature" });
  });

  test("is refused where one of the keys is trusted for something else, or no longer", () => {
    const other = { ...REQUIRED, signers: [signerOf(CLASSICAL), signerOf(QUANTUM_SAFE, "tests")] };
    expect(verifyBoth(PAIR, other)).toMatchObject({ code: "wrong-purpose" });
    const revoked = { ...REQUIRED, signers: [signerOf(CLASSICAL)] };
    expect(verifyBoth(PAIR, revoked)).toMatchObject({ code: "missing-signature" });
    const ended = {
      ...REQUIRED,
      nowMs: 10,
      signers: [signerOf(CLASSICAL), { ...signerOf(QUANTUM_SAFE), notAfterMs: 10 }],
    };
    expect(verifyBoth(PAIR, ended)).toMatchObject({ code: "expired-key" });
  });

  test("is refused where nothing is required, and where there are bundles without end", () => {
    expect(verifyBoth(PAIR, { ...REQUIRED, algorithms: [] })).toMatchObject({ code: "missing-signature" });
    expect(verifyBoth(Array(9).fill(PAIR[0]), REQUIRED)).toMatchObject({ code: "malformed-bundle" });
  });

  test("cannot talk the verifier out of one by naming another algorithm", () => {
    const bundle = JSON.parse(PAIR[0]);
    bundle.verificationMaterial.publicKey.hint = QUANTUM_SAFE.publicKey.hint;
    expect(verifyBoth([PAIR[0], JSON.stringify(bundle)], REQUIRED)).toMatchObject({ code: "missing-signature" });
  });
});

test("a quantum-safe key alone does not stand for a classical one", () => {
  const { algorithms: _, ...required } = REQUIRED;
  expect(verifyTrusted(PAIR[1], required)).toMatchObject({ code: "untrusted-key" });
  expect(verifyTrusted(PAIR[0], required)).toMatchObject({ ok: true });
  expect(parsePublicKey(QUANTUM_SAFE.publicKey.spkiPem)).toMatchObject({ ok: false });
  expect(parseVerificationKey(QUANTUM_SAFE.publicKey.spkiPem)).toMatchObject({
    ok: true,
    value: { keyId: QUANTUM_SAFE.publicKey.keyId, algorithm: "ml-dsa-65" },
  });
});

test("ML-DSA-65 signatures and keys are those of another implementation", () => {
  const seed = randomBytes(32);
  const ours = generatePostQuantumKey(() => seed);
  const theirs = ml_dsa65.keygen(new Uint8Array(seed));
  const spki = ours.publicKey.key.export({ type: "spki", format: "der" });
  expect(spki.subarray(-theirs.publicKey.length)).toEqual(Buffer.from(theirs.publicKey));

  const bundle = readBundle(signStatement(STATEMENT, ours));
  if (!bundle.ok || bundle.value.kind !== "dsse") throw new Error("a statement's bundle holds a statement");
  const { payloadType, payload, signature } = bundle.value;
  const bytes = preAuthEncoding(payloadType, payload);
  expect(ml_dsa65.verify(new Uint8Array(signature), new Uint8Array(bytes), theirs.publicKey)).toBe(true);

  const made = Buffer.from(ml_dsa65.sign(new Uint8Array(bytes), theirs.secretKey));
  expect(verify(null, bytes, createPublicKey(ours.publicKey.spkiPem), made)).toBe(true);
  const foreign = writeDsseBundle(ours.publicKey, { payloadType, payload, signature: made });
  const { algorithms: _, ...required } = REQUIRED;
  expect(verifyBoth([foreign], { ...required, signers: [signerOf(ours)], algorithms: ["ml-dsa-65"] }).ok).toBe(true);
});
