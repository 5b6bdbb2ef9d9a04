import { execFile, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readCosignKey, writeCosignKey } from "../../src/core/evidence/cosign-key.ts";
import { verifyManifestSignature } from "../../src/core/evidence/manifest-signature.ts";
import { modelManifest, modelStatement } from "../../src/core/evidence/model-manifest.ts";
import { signMessage, signStatement } from "../../src/core/evidence/sign.ts";
import { generateSigningKey } from "../../src/core/evidence/signing-key.ts";
import { STATEMENT_TYPE, type Statement } from "../../src/core/evidence/statement.ts";
import { buildTestResult } from "../../src/core/evidence/test-result.ts";
import { verifyTrusted } from "../../src/core/evidence/verify-trusted.ts";

/** What this project signs is verified by a real cosign, without any network: the binary that `COSIGN` or the path names. */
const COSIGN = process.env["COSIGN"] ?? "cosign";
const IS_HERE = spawnSync(COSIGN, ["version"], { stdio: "ignore" }).status === 0;
const WHY_SKIPPED = IS_HERE ? "" : " (skipped: no cosign in COSIGN or on the path)";
const PASSWORD = "correct horse";
const OFFLINE = ["--insecure-ignore-tlog"];

const KEY = generateSigningKey(randomBytes);
const STRANGER = generateSigningKey(randomBytes);
const PLAN = Buffer.from('{"apiVersion":"continuum.dev/v1","kind":"Deployment"}');
const SUBJECT = `sha256:${createHash("sha256").update(PLAN).digest("hex")}`;

let folder = "";
const at = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-cosign-"));
  mkdirSync(at("home"));
  writeFileSync(at("plan.json"), PLAN);
  writeFileSync(at("key.pub"), KEY.publicKey.spkiPem);
  writeFileSync(at("stranger.pub"), STRANGER.publicKey.spkiPem);
  writeFileSync(at("cosign.key"), writeCosignKey(KEY, { password: PASSWORD, random: randomBytes }), { mode: 0o600 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The exit code, and what was said on either output. */
function cosign(...args: string[]): Promise<{ code: number; said: string }> {
  const env = { PATH: process.env["PATH"], HOME: at("home"), COSIGN_PASSWORD: PASSWORD };
  return new Promise((resolve) => {
    execFile(COSIGN, args, { cwd: folder, env, timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, said: `${stdout}${stderr}` });
    });
  });
}

const verifyBlob = (key: string, bundle: string, blob: string) =>
  cosign("verify-blob", "--key", key, "--bundle", bundle, ...OFFLINE, blob);
const verifyAttestation = (key: string, bundle: string, type: string) =>
  cosign("verify-blob-attestation", "--key", key, "--bundle", bundle, "--type", type, ...OFFLINE, "plan.json");

describe.skipIf(!IS_HERE)(`a real cosign${WHY_SKIPPED}`, () => {
  test("verifies a signature that was made here, and only of exactly the bytes and under the key", async () => {
    writeFileSync(at("plan.bundle"), signMessage(PLAN, KEY));
    writeFileSync(at("other.json"), "{}");
    expect(await verifyBlob("key.pub", "plan.bundle", "plan.json")).toMatchObject({ code: 0 });
    expect(await verifyBlob("key.pub", "plan.bundle", "other.json")).toMatchObject({ code: 1 });
    expect(await verifyBlob("stranger.pub", "plan.bundle", "plan.json")).toMatchObject({ code: 1 });
  });

  test("verifies test results and our own approvals as attestations of their type", async () => {
    const built = buildTestResult({
      junit: Buffer.from("<testsuite><testcase/></testsuite>"),
      subjects: [{ name: "plan.json", digest: SUBJECT }],
    });
    if (!built.ok) throw new Error(built.problem.message);
    const approval: Statement = {
      _type: STATEMENT_TYPE,
      subject: [{ name: "plan", digest: { sha256: SUBJECT.slice("sha256:".length) } }],
      predicateType: "urn:continuum:approval:v1",
      predicate: { approved: true },
    };
    for (const statement of [built.value.statement, approval]) {
      const type = statement.predicateType;
      writeFileSync(at("statement.bundle"), signStatement(statement, KEY));
      expect(await verifyAttestation("key.pub", "statement.bundle", type), type).toMatchObject({ code: 0 });
      expect(await verifyAttestation("stranger.pub", "statement.bundle", type)).toMatchObject({ code: 1 });
      expect(await verifyAttestation("key.pub", "statement.bundle", `${type}x`)).toMatchObject({ code: 1 });
    }
  });

  test("verifies a model manifest by the digest over its files", async () => {
    const manifest = modelManifest("model", [
      { path: "model.onnx", digest: SUBJECT },
      { path: "tokenizer/vocab.json", digest: `sha256:${"0".repeat(64)}` },
    ]);
    if (!manifest.ok) throw new Error(manifest.problem.message);
    const statement = modelStatement(manifest.value);
    writeFileSync(at("model.sig"), signStatement(statement, KEY));
    const digest = manifest.value.digest.slice("sha256:".length);
    const asked = ["--type", statement.predicateType, "--digest", digest, "--digestAlg", "sha256", ...OFFLINE];
    const verify = ["verify-blob-attestation", "--bundle", "model.sig", ...asked];
    expect(await cosign(...verify, "--key", "key.pub")).toMatchObject({ code: 0 });
    expect(await cosign(...verify, "--key", "stranger.pub")).toMatchObject({ code: 1 });
  });

  test("opens a key file that was made here, and what it signs with it is accepted here", async () => {
    expect(await cosign("public-key", "--key", "cosign.key")).toMatchObject({ code: 0 });
    await cosign("signing-config", "create", "--out", "signing-config.json");
    const config = ["--signing-config", "signing-config.json", "-y"];
    const signed = await cosign(
      "sign-blob",
      "--key",
      "cosign.key",
      ...config,
      "--bundle",
      "theirs.bundle",
      "plan.json",
    );
    expect(signed).toMatchObject({ code: 0 });
    const { keyId, spkiPem } = KEY.publicKey;
    const signers = [{ kind: "key" as const, purpose: "manifest" as const, keyId, spkiPem }];
    const signature = { kind: "bundle" as const, json: readFileSync(at("theirs.bundle")) };
    expect(verifyManifestSignature(signature, { signers, manifest: PLAN })).toMatchObject({ ok: true, keyId });

    const type = "urn:continuum:approval:v1";
    writeFileSync(at("predicate.json"), '{"approved":true}');
    const attest = ["attest-blob", "--key", "cosign.key", ...config, "--bundle", "theirs.statement"];
    expect(await cosign(...attest, "--type", type, "--predicate", "predicate.json", "plan.json")).toMatchObject({
      code: 0,
    });
    const approvers = [{ kind: "key" as const, purpose: "approval" as const, keyId, spkiPem }];
    const required = { purpose: "approval", predicateType: type, subjectDigest: SUBJECT, signers: approvers };
    expect(verifyTrusted(readFileSync(at("theirs.statement")), required)).toMatchObject({
      ok: true,
      statement: { predicate: { approved: true } },
    });
  });

  test("makes key files that open here", async () => {
    expect(await cosign("generate-key-pair", "--output-key-prefix", "theirs")).toMatchObject({ code: 0 });
    const opened = readCosignKey(readFileSync(at("theirs.key"), "utf8"), PASSWORD);
    if (!opened.ok) throw new Error(opened.problem.message);
    expect(opened.value.publicKey.spkiPem).toBe(readFileSync(at("theirs.pub"), "utf8"));
  });
});
