import { createECDH, generateKeyPairSync, randomBytes, sign, verify } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readCosignKey, writeCosignKey } from "./cosign-key.ts";
import { parsePublicKey } from "./public-key.ts";
import { generateSigningKey, signingKeyOf } from "./signing-key.ts";

const KEY = generateSigningKey(randomBytes);
const PASSWORD = "correct horse";
const FILE = writeCosignKey(KEY, { password: PASSWORD, random: randomBytes });

/** The JSON inside a key file, changed and put back. */
function withFile(
  change: (file: {
    kdf: { params: { N: number }; salt: string };
    cipher: { nonce: string };
    ciphertext: string;
  }) => void,
): string {
  const [begin = "", ...rest] = FILE.trim().split("\n");
  const file = JSON.parse(Buffer.from(rest.slice(0, -1).join(""), "base64").toString());
  change(file);
  return `${begin}\n${Buffer.from(JSON.stringify(file)).toString("base64")}\n${rest.at(-1)}\n`;
}

describe("a key file", () => {
  test("opens with its password to the key that went in", () => {
    expect(FILE).toMatch(
      /^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n(.{1,64}\n)+-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n$/,
    );
    const opened = readCosignKey(FILE, PASSWORD);
    if (!opened.ok) throw new Error(opened.problem.message);
    expect(opened.value.publicKey.keyId).toBe(KEY.publicKey.keyId);
    const signature = sign("sha256", Buffer.from("x"), opened.value.privateKey);
    expect(verify("sha256", Buffer.from("x"), KEY.publicKey.key, signature)).toBe(true);
  });

  test("opens under its older name, with carriage returns, and with an empty password", () => {
    expect(readCosignKey(FILE.replaceAll("SIGSTORE", "COSIGN"), PASSWORD).ok).toBe(true);
    expect(readCosignKey(FILE.replaceAll("\n", "\r\n"), PASSWORD).ok).toBe(true);
    expect(readCosignKey(writeCosignKey(KEY, { password: "", random: randomBytes }), "").ok).toBe(true);
  });

  test("does not open with another password, and says nothing of either", () => {
    const refused = readCosignKey(FILE, "correct horsf");
    expect(refused).toMatchObject({ ok: false, problem: { message: "the key file does not open with this password" } });
  });

  test.each<[string, string]>([
    ["nothing", ""],
    ["a public key", KEY.publicKey.spkiPem],
    ["crossed names", FILE.replace("BEGIN ENCRYPTED SIGSTORE", "BEGIN ENCRYPTED COSIGN")],
    ["two blocks", FILE + FILE],
    [
      "a block of something else",
      "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----",
    ],
    ["a changed ciphertext", withFile((file) => (file.ciphertext = Buffer.alloc(150).toString("base64")))],
    ["a short nonce", withFile((file) => (file.cipher.nonce = "AAAA"))],
    ["a short salt", withFile((file) => (file.kdf.salt = "AAAA"))],
    ["a hunger for memory", withFile((file) => (file.kdf.params.N = 2 ** 30))],
    ["next to no work", withFile((file) => (file.kdf.params.N = 2))],
    ["a field of no meaning", withFile((file) => Object.assign(file, { extra: 1 }))],
    ["no end of text", "x".repeat(1_000_000)],
  ])("is refused with %s", (_, file) => {
    expect(readCosignKey(file, PASSWORD)).toMatchObject({ ok: false });
  });

  test("is refused when it holds a key of another curve", () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "secp384r1" });
    const file = writeCosignKey({ ...KEY, privateKey }, { password: PASSWORD, random: randomBytes });
    expect(readCosignKey(file, PASSWORD)).toMatchObject({
      ok: false,
      problem: { message: expect.stringContaining("P-256") },
    });
  });
});

describe("a new key", () => {
  test("is the one of its scalar", () => {
    const scalar = randomBytes(32);
    const curve = createECDH("prime256v1");
    curve.setPrivateKey(scalar);
    const { publicKey } = generateSigningKey(() => scalar);
    const der = publicKey.key.export({ type: "spki", format: "der" });
    expect(der.subarray(-65)).toEqual(curve.getPublicKey());
  });

  test("is drawn again where the draw is no scalar, and never for ever", () => {
    const draws = [Buffer.alloc(32), Buffer.alloc(32, 0xff), Buffer.alloc(32, 1)];
    const key = generateSigningKey(() => draws.shift() ?? Buffer.alloc(32));
    expect(key.publicKey.keyId).toBe(generateSigningKey(() => Buffer.alloc(32, 1)).publicKey.keyId);
    expect(() => generateSigningKey(() => Buffer.alloc(32))).toThrow("within a few draws");
    expect(() => generateSigningKey(() => Buffer.alloc(31))).toThrow("as many bytes");
  });

  test("signs what its public key verifies, whatever its scalar", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (scalar) => {
        fc.pre(scalar.some((byte) => byte !== 0) && scalar[0] !== 0xff);
        const key = generateSigningKey(() => scalar);
        expect(
          verify("sha256", Buffer.from("x"), key.publicKey.key, sign("sha256", Buffer.from("x"), key.privateKey)),
        ).toBe(true);
        expect(signingKeyOf(key.privateKey).publicKey.keyId).toBe(key.publicKey.keyId);
      }),
      { numRuns: 40 },
    );
  });
});

describe("a public key", () => {
  const pemOf = (type: "secp384r1" | "secp256k1") =>
    generateKeyPairSync("ec", { namedCurve: type }).publicKey.export({ type: "spki", format: "pem" }).toString();

  test("is read in its one form, however it was wrapped", () => {
    const { keyId, spkiPem } = KEY.publicKey;
    expect(keyId).toMatch(/^sha256:[0-9a-f]{64}$/);
    for (const pem of [spkiPem, `\n${spkiPem.trim()}`, spkiPem.replaceAll("\n", "\r\n")]) {
      expect(parsePublicKey(pem)).toMatchObject({ ok: true, value: { keyId, spkiPem } });
    }
  });

  test.each<[string, string, string]>([
    ["another curve", pemOf("secp384r1"), "P-256"],
    ["a curve that looks alike", pemOf("secp256k1"), "P-256"],
    [
      "an Ed25519 key",
      generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }).toString(),
      "P-256",
    ],
    ["a private key", KEY.privateKey.export({ type: "pkcs8", format: "pem" }).toString(), "private key"],
    ["an encrypted private key", FILE, "private key"],
    ["two keys", KEY.publicKey.spkiPem + KEY.publicKey.spkiPem, "one PEM block"],
    ["text around it", `key:\n${KEY.publicKey.spkiPem}`, "one PEM block"],
    ["a block of nothing", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "no public key"],
    ["no end of text", "x".repeat(100_000), "too long"],
  ])("is refused when it is %s", (_, pem, message) => {
    expect(parsePublicKey(pem)).toMatchObject({ ok: false, problem: { message: expect.stringContaining(message) } });
  });
});
