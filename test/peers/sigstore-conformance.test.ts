import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readBundle } from "../../src/core/evidence/bundle.ts";
import { preAuthEncoding } from "../../src/core/evidence/dsse.ts";
import { findSigner } from "../../src/core/evidence/find-signer.ts";
import { keylessVerifier } from "../../src/core/evidence/keyless.ts";
import { parsePublicKey } from "../../src/core/evidence/public-key.ts";
import type { Signer } from "../../src/core/evidence/signer.ts";
import { readTrustedRoot } from "../../src/core/evidence/trusted-root.ts";
import { verifyMessage } from "../../src/core/evidence/verify-trusted.ts";

/** Every case of the sigstore-conformance suite for verifying bundles, with keys and with certificates, offline. */
const VECTORS = process.env["CONTINUUM_VECTORS"];
const WHY_SKIPPED = VECTORS === undefined ? " (skipped: CONTINUUM_VECTORS names no folder of published vectors)" : "";
const FOLDER = join(VECTORS ?? "", "sigstore-conformance", "bundle-verify");
const PUBLIC_GOOD = new URL("../fixtures/cosign/public-good-trusted-root.json", import.meta.url);

/** Cases in which ours deliberately says otherwise than the suite, and why. There is none. */
const EXCEPTIONS: ReadonlyMap<string, string> = new Map();

const SUBJECT =
  "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER = "https://token.actions.githubusercontent.com";

function casesIn(folder: string): string[] {
  if (VECTORS === undefined) return [];
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
const CASES = casesIn(FOLDER);

/** Whether the case's bundle is accepted for exactly the signer that the case names; `as` asks for another. */
function isAccepted(name: string, as?: Signer[]): boolean {
  const folder = join(FOLDER, name);
  const read = (file: string): Buffer | undefined =>
    existsSync(join(folder, file)) ? readFileSync(join(folder, file)) : undefined;
  const root = readTrustedRoot(read("trusted_root.json") ?? readFileSync(PUBLIC_GOOD));
  const bundleJson = read("bundle.sigstore.json") ?? Buffer.alloc(0);
  const bundle = readBundle(bundleJson);
  const signers = as ?? signersOf(read);
  if (!root.ok || !bundle.ok || signers === null) return false;
  const required = { purpose: "manifest", signers, keyless: keylessVerifier(root.value) };
  const message = read("artifact") ?? readFileSync(join(FOLDER, "a.txt"));
  if (bundle.value.kind === "message") return verifyMessage(bundleJson, { ...required, message }).ok;
  const { payloadType, payload } = bundle.value;
  return findSigner({ ...bundle.value, bytes: preAuthEncoding(payloadType, payload) }, required).ok;
}

function signersOf(read: (file: string) => Buffer | undefined): Signer[] | null {
  const pem = read("key.pub")?.toString();
  const text = (file: string): string | undefined => read(file)?.toString().trim();
  if (pem === undefined)
    return [
      { kind: "identity", purpose: "manifest", issuer: text("issuer") ?? ISSUER, subject: text("identity") ?? SUBJECT },
    ];
  const key = parsePublicKey(pem);
  if (!key.ok) return null;
  return [{ kind: "key", purpose: "manifest", keyId: key.value.keyId, spkiPem: key.value.spkiPem }];
}

describe.skipIf(VECTORS === undefined)(`sigstore-conformance${WHY_SKIPPED}`, () => {
  test("agrees on every bundle", () => {
    const disagreed = CASES.filter((name) => isAccepted(name) === name.endsWith("_fail"));
    expect(disagreed.filter((name) => !EXCEPTIONS.has(name))).toEqual([]);
    expect([...EXCEPTIONS.keys()].filter((name) => !disagreed.includes(name))).toEqual([]);
    expect(CASES.length).toBeGreaterThanOrEqual(46);
  });

  test("accepts no good bundle for an identity that is only nearly the right one", () => {
    const near: [string, string][] = [
      [ISSUER, ".*"],
      [".*", SUBJECT],
      [ISSUER, SUBJECT.slice(0, -1)],
      [ISSUER, SUBJECT.slice(1)],
      [ISSUER, `${SUBJECT}x`],
      [ISSUER, SUBJECT.toUpperCase()],
      [ISSUER, SUBJECT.replaceAll(".", "\\.")],
      [`${ISSUER}/`, SUBJECT],
      ["", SUBJECT],
      [ISSUER, ""],
    ];
    const signers = near.map(
      ([issuer, subject]): Signer => ({ kind: "identity", purpose: "manifest", issuer, subject }),
    );
    const good = CASES.filter((name) => !name.endsWith("_fail"));
    expect(good.length).toBeGreaterThan(10);
    expect(good.filter((name) => isAccepted(name, signers))).toEqual([]);
  });

  test("accepts no good bundle for the right identity with another purpose", () => {
    const signers: Signer[] = [{ kind: "identity", purpose: "tests", issuer: ISSUER, subject: SUBJECT }];
    expect(CASES.filter((name) => isAccepted(name, signers))).toEqual([]);
  });
});
