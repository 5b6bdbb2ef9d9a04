import { createHash, X509Certificate } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { authorityIssuer, authorityVerifier } from "../../src/core/evidence/certificate-authority.ts";
import { keylessVerifier } from "../../src/core/evidence/keyless.ts";
import type { ModelFile } from "../../src/core/evidence/model-manifest.ts";
import { verifyModelSignature } from "../../src/core/evidence/model-signature.ts";
import { publicKeyOf } from "../../src/core/evidence/public-key.ts";
import type { Signer } from "../../src/core/evidence/signer.ts";
import type { KeylessVerifier } from "../../src/core/evidence/trust.ts";
import { readTrustedRoot } from "../../src/core/evidence/trusted-root.ts";

/** Models that sigstore/model-transparency signed with its releases 0.2.0 to 1.1.0: keys, certificates and Sigstore. */
const VECTORS = process.env["CONTINUUM_VECTORS"];
const WHY_SKIPPED = VECTORS === undefined ? " (skipped: CONTINUUM_VECTORS names no folder of published vectors)" : "";
const FOLDER = join(VECTORS ?? "", "model-signing");
const PUBLIC_GOOD = new URL("../fixtures/cosign/public-good-trusted-root.json", import.meta.url);

/** Bundles that are deliberately refused, and why. */
const EXCEPTIONS: ReadonlyMap<string, string> = new Map([
  [
    "v0.2.0-certificate",
    "release 0.2.0 signed something else than DSSE's encoding of payload and type; nothing else writes that form",
  ],
]);

const CASES =
  VECTORS === undefined ? [] : readdirSync(FOLDER).filter((name) => name.startsWith("v") && name !== "keys");
/** What lies beside the model: the signature, and a file that the signer left out. */
const IGNORED = ["model.sig", "ignore-me"];
const NOW = { nowMs: Date.parse("2026-01-01T00:00:00Z") };

function filesOf(name: string): ModelFile[] {
  const files = readdirSync(join(FOLDER, name)).map((path) => {
    const digest = createHash("sha256").update(readFileSync(join(FOLDER, name, path)));
    return { path, digest: `sha256:${digest.digest("hex")}` };
  });
  const [only, ...others] = files.filter(({ path }) => !IGNORED.includes(path));
  // A model that is one file has the path of its folder itself.
  return only !== undefined && others.length === 0 ? [{ ...only, path: "." }] : files;
}

function trust(): { signers: Signer[]; keyless: KeylessVerifier } {
  const read = (name: string): string => readFileSync(join(FOLDER, "keys", "certificate", name), "utf8");
  const authority = authorityVerifier([read("ca-cert.pem")], NOW);
  const root = readTrustedRoot(readFileSync(PUBLIC_GOOD));
  if (!authority.ok || !root.ok) throw new Error("the roots of trust cannot be read");
  const { keyId, spkiPem } = publicKeyOf(new X509Certificate(read("signing-key-cert.pem")).publicKey);
  const issuer = authorityIssuer(new X509Certificate(read("ca-cert.pem")));
  const sigstore = keylessVerifier(root.value);
  return {
    signers: [
      { kind: "key", purpose: "manifest", keyId, spkiPem },
      { kind: "identity", purpose: "manifest", issuer, subject: "CN=intermediate-ca" },
      {
        kind: "identity",
        purpose: "manifest",
        issuer: "https://sigstore.verify.ibm.com/oauth2",
        subject: "stefanb@us.ibm.com",
      },
    ],
    keyless: {
      verify: (bundle, signed) =>
        bundle.certificates.length > 1 ? authority.value.verify(bundle, signed) : sigstore.verify(bundle, signed),
    },
  };
}

function verdict(name: string, change: (files: ModelFile[]) => ModelFile[] = (files) => files) {
  const bundle = readFileSync(join(FOLDER, name, "model.sig"));
  return verifyModelSignature(bundle, { ...trust(), ...NOW, files: change(filesOf(name)), ignored: IGNORED });
}

describe.skipIf(VECTORS === undefined)(`OpenSSF Model Signing${WHY_SKIPPED}`, () => {
  test("agrees on every signed model", () => {
    const refused = CASES.filter((name) => !verdict(name).ok);
    expect(refused).toEqual([...EXCEPTIONS.keys()]);
    expect(CASES.length).toBe(13);
  });

  test("refuses each of them with a file changed, added, removed, renamed or made a link", () => {
    const good = CASES.filter((name) => !EXCEPTIONS.has(name));
    const zero = `sha256:${"0".repeat(64)}`;
    const isModel = ({ path }: ModelFile): boolean => !IGNORED.includes(path);
    const changes: [string, (files: ModelFile[]) => ModelFile[]][] = [
      ["changed", (files) => files.map((file) => (isModel(file) ? { ...file, digest: zero } : file))],
      ["extra", (files) => [...files, { path: "pickle.bin", digest: zero }]],
      ["missing", (files) => files.filter((file) => !isModel(file))],
      ["renamed", (files) => files.map((file) => (isModel(file) ? { ...file, path: `${file.path}.x` } : file))],
      ["symlink", (files) => files.map((file) => (isModel(file) ? { ...file, isSymlink: true } : file))],
    ];
    for (const [what, change] of changes) {
      for (const name of good) {
        const refused = verdict(name, change);
        expect(refused, `${name} ${what}`).toMatchObject({ ok: false, code: "wrong-files" });
        expect(JSON.stringify(refused)).toContain(`"what":"${what}"`);
      }
    }
  });

  test("does not let a signature say which files may be added", () => {
    const bundle = readFileSync(join(FOLDER, "v1.1.0-elliptic-key", "model.sig"));
    const asked = { ...trust(), ...NOW, files: filesOf("v1.1.0-elliptic-key"), ignored: ["model.sig"] };
    expect(verifyModelSignature(bundle, asked)).toMatchObject({
      code: "wrong-files",
      differences: [{ what: "extra", path: "ignore-me" }],
    });
  });
});
