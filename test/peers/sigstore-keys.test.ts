import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parsePublicKey } from "../../src/core/evidence/public-key.ts";
import { verifyMessage } from "../../src/core/evidence/verify-trusted.ts";

/**
 * Bundles of sigstore-conformance that a public key signed, made by others' programs. The rest of that suite is signed
 * with certificates, which are not read yet: of those it only has to hold that none is accepted.
 */
const VECTORS = process.env["CONTINUUM_VECTORS"];
const WHY_SKIPPED = VECTORS === undefined ? " (skipped: CONTINUUM_VECTORS names no folder of published vectors)" : "";
const FOLDER = join(VECTORS ?? "", "sigstore-conformance");

/** Whether the bundle in the folder is a good signature of its artifact under the key; false when the key cannot be read. */
function isAccepted(name: string, keyPem: string): boolean {
  const folder = join(FOLDER, "bundle-verify", name);
  const key = parsePublicKey(keyPem);
  if (!key.ok) return false;
  const own = join(folder, "artifact");
  const message = readFileSync(existsSync(own) ? own : join(FOLDER, "a.txt"));
  const { keyId, spkiPem } = key.value;
  const bundle = readFileSync(join(folder, "bundle.sigstore.json"));
  return verifyMessage(bundle, { purpose: "files", message, trustedKeys: [{ keyId, spkiPem, purpose: "files" }] }).ok;
}

describe.skipIf(VECTORS === undefined)(`Sigstore bundles signed with a key${WHY_SKIPPED}`, () => {
  const keyOf = (name: string): string => readFileSync(join(FOLDER, "bundle-verify", name, "key.pub"), "utf8");

  test.each(["managed-key-happy-path", "managed-key-and-trusted-root"])("%s is accepted", (name) => {
    expect(isAccepted(name, keyOf(name))).toBe(true);
  });

  test("managed-key-wrong-key_fail is refused", () => {
    expect(isAccepted("managed-key-wrong-key_fail", keyOf("managed-key-wrong-key_fail"))).toBe(false);
  });

  test("no bundle of another signer is accepted under a key", () => {
    const key = keyOf("managed-key-happy-path");
    const names = readdirSync(join(FOLDER, "bundle-verify"), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith("managed-key-"))
      .map(({ name }) => name);
    expect(names.length).toBeGreaterThan(30);
    expect(names.filter((name) => isAccepted(name, key))).toEqual([]);
  });
});
