import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runForTest } from "../../src/surfaces/cli/testing/run-for-test.ts";

// `package`, `sign`, `attest` and `verify` beside the programs that they speak the language of: a real cosign, and the
// reference program of OpenSSF Model Signing. All offline.

const COSIGN = process.env["COSIGN"] ?? "cosign";
const MODEL_SIGNING = process.env["MODEL_SIGNING"] ?? "model_signing";
const isHere = (program: string, argument: string) => spawnSync(program, [argument], { stdio: "ignore" }).status === 0;
const HAS_COSIGN = isHere(COSIGN, "version");
const HAS_MODEL_SIGNING = isHere(MODEL_SIGNING, "--help");
const VECTORS = process.env["CONTINUUM_VECTORS"];
const WHY_NO_COSIGN = HAS_COSIGN ? "" : " (skipped: no cosign in COSIGN or on the path)";
const WHY_NO_MODEL_SIGNING = HAS_MODEL_SIGNING ? "" : " (skipped: no model_signing in MODEL_SIGNING or on the path)";
const WHY_NO_VECTORS =
  VECTORS === undefined ? " (skipped: CONTINUUM_VECTORS names no folder of published vectors)" : "";
const ROOT = fileURLToPath(new URL("../fixtures/cosign/public-good-trusted-root.json", import.meta.url));
const PASSWORD = "correct horse";
const TESTS = "https://in-toto.io/attestation/test-result/v0.1";
const PLAN = `apiVersion: continuum/v1
kind: DeploymentPlan
metadata: { name: churn }
spec:
  environment: staging
  model: { name: churn, version: 1.0.0, artifact: "file:./model.onnx" }
  compute: { instanceType: ml.m5.large }
`;

let folder = "";
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "continuum-signing-peers-"));
  mkdirSync(at("home"));
  writeFileSync(at("model.onnx"), "a model");
  writeFileSync(at("plan.yaml"), PLAN);
  writeFileSync(at("report.xml"), '<testsuite><testcase name="a"/></testsuite>');
  writeFileSync(
    at("signing.json"),
    JSON.stringify({ mediaType: "application/vnd.dev.sigstore.signingconfig.v0.2+json" }),
  );
  await ours("keys", "generate", "ci");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function ours(...argv: string[]): Promise<string> {
  const { code, out, err } = await runForTest(argv, { folder, variables: { COSIGN_PASSWORD: PASSWORD } });
  expect({ argv, code, err }).toEqual({ argv, code: 0, err: "" });
  return out;
}

/** Whether our `verify` says yes; a mistake in the question is an error. */
async function holds(...argv: string[]): Promise<boolean> {
  const { code, err } = await runForTest(["verify", ...argv], { folder });
  if (code > 1) throw new Error(err);
  return code === 0;
}

function theirs(program: string, ...args: string[]): { ok: boolean; said: string } {
  const env = { PATH: process.env["PATH"], HOME: at("home"), COSIGN_PASSWORD: PASSWORD };
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, env, encoding: "utf8", timeout: 120_000 });
  return { ok: status === 0, said: `${stdout}${stderr}` };
}

describe.skipIf(!HAS_COSIGN)(`cosign${WHY_NO_COSIGN}`, () => {
  const cosign = (...args: string[]) => theirs(COSIGN, ...args);
  const withKey = ["--key", "ci.pub", "--insecure-ignore-tlog"];

  test("verifies what `sign` and `attest` make", async () => {
    await ours("sign", "plan.yaml", "--type", "plan", "--key", "ci.key", "-o", "plan.bundle.json");
    await ours("package", "plan.yaml", "--type", "plan", "-o", "plan.manifest.json");
    await ours("attest", "--junit", "report.xml", "--artifact", "model.onnx", "--key", "ci.key", "-o", "tests.json");
    expect(cosign("verify-blob", ...withKey, "--bundle", "plan.bundle.json", "plan.manifest.json")).toMatchObject({
      ok: true,
    });
    const attestation = ["verify-blob-attestation", ...withKey, "--bundle", "tests.json", "--type", TESTS];
    expect(cosign(...attestation, "model.onnx")).toMatchObject({ ok: true });
    expect(cosign(...attestation, "plan.yaml")).toMatchObject({ ok: false });
  });

  test("signs what `attest --unsigned` and `package` write, and `verify` takes it", async () => {
    await ours("attest", "--junit", "report.xml", "--artifact", "model.onnx", "--unsigned", "-o", "statement.json");
    await ours("package", "plan.yaml", "--type", "plan", "-o", "signed.manifest.json");
    const signing = ["--key", "ci.key", "--signing-config", "signing.json", "-y", "--bundle"];
    const attested = cosign("attest-blob", "--statement", "statement.json", ...signing, "by-cosign.json");
    expect(attested).toMatchObject({ ok: true });
    expect(cosign("sign-blob", ...signing, "plan-by-cosign.json", "signed.manifest.json")).toMatchObject({ ok: true });
    expect(await holds("model.onnx", "--type", "tests", "--bundle", "by-cosign.json", "--key", "ci.pub")).toBe(true);
    expect(await holds("plan.yaml", "--type", "plan", "--bundle", "plan-by-cosign.json", "--key", "ci.pub")).toBe(true);
  });
});

describe.skipIf(!HAS_MODEL_SIGNING)(`OpenSSF Model Signing's program${WHY_NO_MODEL_SIGNING}`, () => {
  const modelSigning = (...args: string[]) => theirs(MODEL_SIGNING, ...args);

  test("verifies what `sign` makes of a folder, and only as long as the folder is the same", async () => {
    writeModel();
    await ours("sign", "model", "--key", "ci.key", "-o", "model/model.sig");
    const verify = ["verify", "key", "model", "--signature", "model/model.sig", "--public_key", "ci.pub"];
    expect(modelSigning(...verify)).toMatchObject({ ok: true });
    writeFileSync(at("model/b.txt"), "changed");
    expect(modelSigning(...verify)).toMatchObject({ ok: false });
  });

  test("signs a folder so that `verify` takes it, and only as long as the folder is the same", async () => {
    writeModel();
    // It reads no encrypted cosign key; ours are P-256, its own example too.
    const pem = ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "theirs.pem"];
    expect(theirs("openssl", ...pem)).toMatchObject({ ok: true });
    expect(theirs("openssl", "ec", "-in", "theirs.pem", "-pubout", "-out", "theirs.pub")).toMatchObject({ ok: true });
    const signed = modelSigning("sign", "key", "model", "--signature", "theirs.sig", "--private_key", "theirs.pem");
    expect(signed).toMatchObject({ ok: true });
    const verify = ["model", "--bundle", "theirs.sig", "--key", "theirs.pub"];
    expect(await holds(...verify)).toBe(true);
    writeFileSync(at("model/more"), "x");
    expect(await holds(...verify)).toBe(false);
  });

  /** Names that programs sort differently when they compare paths by parts. */
  function writeModel(): void {
    rmSync(at("model"), { recursive: true, force: true });
    for (const inside of ["model/b", "model/B", "model/.git"]) mkdirSync(at(inside), { recursive: true });
    for (const path of ["b.txt", "b/2", "B/x", "ü", "b-1", "a b", ".gitignore", ".git/HEAD"])
      writeFileSync(at(`model/${path}`), path);
  }
});

describe.skipIf(VECTORS === undefined)(`a keyless bundle of Sigstore's public instance${WHY_NO_VECTORS}`, () => {
  const CASE = join(VECTORS ?? "", "sigstore-conformance", "bundle-verify");
  const WORKFLOW =
    "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
  const ISSUER = "https://token.actions.githubusercontent.com";

  test("is verified for exactly its identity and issuer", async () => {
    cpSync(join(CASE, "a.txt"), at("a.txt"));
    cpSync(join(CASE, "happy-path-v0.3-new-mediaType/bundle.sigstore.json"), at("keyless.json"));
    const verify = (identity: string, issuer: string, file = "a.txt") =>
      holds(file, "--bundle", "keyless.json", "--identity", identity, "--issuer", issuer, "--trusted-root", ROOT);
    expect(await verify(WORKFLOW, ISSUER)).toBe(true);
    for (const [identity, issuer] of [
      [WORKFLOW.slice(0, -1), ISSUER],
      [`${WORKFLOW}2`, ISSUER],
      [".*", ISSUER],
      [WORKFLOW.toUpperCase(), ISSUER],
      [WORKFLOW, `${ISSUER}/`],
      [WORKFLOW, ".*"],
    ] as const)
      expect(await verify(identity, issuer), `${identity} ${issuer}`).toBe(false);
    expect(await verify(WORKFLOW, ISSUER, "plan.yaml")).toBe(false);
    expect(readFileSync(at("keyless.json"), "utf8")).toContain("certificate");
  });
});
