import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runForTest } from "./testing/run-for-test.ts";

const JUNIT = '<testsuite name="s" tests="2"><testcase name="ada@example.org paid"/><testcase name="b"/></testsuite>';
const FAILED = '<testsuite name="s" tests="1"><testcase name="a"><failure message="no"/></testcase></testsuite>';

let folder: string;
const run = (argv: string[], variables: Record<string, string> = { PASSWORD: "correct horse" }) =>
  runForTest(argv, { folder, variables });
const at = (name: string) => join(folder, name);
const withPassword = ["--password-env", "PASSWORD"];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "continuum-evidence-"));
  writeFileSync(at("model.onnx"), "a model");
  writeFileSync(at("other.onnx"), "another model");
  writeFileSync(at("report.xml"), JUNIT);
  writeFileSync(at("failed.xml"), FAILED);
  for (const name of ["ci", "stranger"]) expect((await run(["keys", "generate", name, ...withPassword])).code).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("keys generate", () => {
  it("writes an encrypted key that only its owner reads, and never writes over one", async () => {
    expect(readFileSync(at("ci.key"), "utf8")).toMatch(/^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n/);
    expect(statSync(at("ci.key")).mode & 0o777).toBe(0o600);
    const before = readFileSync(at("ci.key"));
    const again = await run(["keys", "generate", "ci", ...withPassword]);
    expect(again).toMatchObject({ code: 64, err: expect.stringContaining("nothing is overwritten") });
    expect(readFileSync(at("ci.key"))).toEqual(before);
    const nowhere = await run(["keys", "generate", "no/such/ci", ...withPassword]);
    expect(nowhere).toMatchObject({ code: 64, err: expect.stringContaining("must lie in a folder that exists") });
  });

  it("takes no password from nowhere, and no empty one", async () => {
    expect(await run(["keys", "generate", "new"])).toMatchObject({
      code: 64,
      err: expect.stringContaining("a password is needed"),
    });
    expect(await run(["keys", "generate", "new", ...withPassword], { PASSWORD: "" })).toMatchObject({ code: 64 });
    expect(await run(["keys", "generate", "new", "--password-env", "NOT_SET"])).toMatchObject({
      code: 64,
      err: expect.stringContaining("NOT_SET is not set"),
    });
    writeFileSync(at("password"), "x\n", { mode: 0o644 });
    expect(await run(["keys", "generate", "new", "--password-file", "password"])).toMatchObject({
      code: 64,
      err: expect.stringContaining("0600"),
    });
  });
});

describe("attest and verify --type tests", () => {
  it("say that a file's tests passed, and leave the names of the tests at home", async () => {
    const made = await run([
      "attest",
      "--junit",
      "report.xml",
      "--artifact",
      "model.onnx",
      "--key",
      "ci.key",
      ...withPassword,
      "-o",
      "tests.json",
    ]);
    expect(made).toMatchObject({
      code: 0,
      out: expect.stringContaining("tests PASSED (2 passed, 0 failed, 0 warned)"),
    });
    const bundle = JSON.parse(readFileSync(at("tests.json"), "utf8"));
    const payload = Buffer.from(bundle.dsseEnvelope.payload, "base64").toString("utf8");
    expect(payload).toContain("test-result/v0.1");
    expect(payload).not.toContain("ada@");
    const verified = await run([
      "verify",
      "model.onnx",
      "--bundle",
      "tests.json",
      "--key",
      "ci.pub",
      "--type",
      "tests",
      "-o",
      "json",
    ]);
    expect(verified.code).toBe(0);
    expect(JSON.parse(verified.out)).toMatchObject({ ok: true, type: "tests" });
  });

  it.each([
    ["another file", ["other.onnx", "--bundle", "tests.json", "--key", "ci.pub", "--type", "tests"], "wrong-subject"],
    [
      "another key",
      ["model.onnx", "--bundle", "tests.json", "--key", "stranger.pub", "--type", "tests"],
      "untrusted-key",
    ],
    ["another kind of bundle", ["model.onnx", "--bundle", "tests.json", "--key", "ci.pub"], "wrong-predicate-type"],
  ])("refuse %s with exit code 1", async (_what, argv, code) => {
    const { code: exit, out } = await run(["verify", ...argv, "-o", "json"]);
    expect(exit).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ ok: false, code });
  });

  it("state failed tests as failed, which verifies as nothing", async () => {
    await run([
      "attest",
      "--junit",
      "failed.xml",
      "--artifact",
      "model.onnx",
      "--key",
      "ci.key",
      ...withPassword,
      "-o",
      "failed.json",
    ]);
    const { code, out } = await run([
      "verify",
      "model.onnx",
      "--bundle",
      "failed.json",
      "--key",
      "ci.pub",
      "--type",
      "tests",
    ]);
    expect({ code, out }).toEqual({ code: 1, out: "NOT VERIFIED  the tests' result is FAILED, not PASSED\n" });
  });

  it("refuse a wrong password and a report that is none, and say nothing of the password", async () => {
    const wrong = await run(
      ["attest", "--junit", "report.xml", "--artifact", "model.onnx", "--key", "ci.key", ...withPassword],
      { PASSWORD: "hunter2" },
    );
    expect(wrong).toMatchObject({
      code: 64,
      out: "",
      err: expect.stringContaining("does not open with this password"),
    });
    expect(wrong.err).not.toContain("hunter2");
    const noReport = await run([
      "attest",
      "--junit",
      "model.onnx",
      "--artifact",
      "model.onnx",
      "--key",
      "ci.key",
      ...withPassword,
    ]);
    expect(noReport).toMatchObject({
      code: 64,
      err: expect.stringMatching(/^continuum: cannot read the report, --junit model\.onnx, [^\n]+\n$/),
    });
  });
});

describe("sign and verify", () => {
  it("sign a file's bytes to standard output or a file, and see a change", async () => {
    const signed = await run(["sign", "model.onnx", "--key", "ci.key", ...withPassword]);
    writeFileSync(at("model.bundle.json"), signed.out);
    const verify = ["verify", "model.onnx", "--bundle", "model.bundle.json", "--key", "ci.pub"];
    expect(await run(verify)).toMatchObject({ code: 0, out: expect.stringMatching(/^VERIFIED/) });
    expect((await run(["verify", "other.onnx", ...verify.slice(2)])).code).toBe(1);
    expect((await run([...verify, "--type", "tests"])).code).toBe(1);
  });

  it("refuse a private key where a public one belongs", async () => {
    expect(await run(["verify", "model.onnx", "--bundle", "tests.json", "--key", "ci.key"])).toMatchObject({
      code: 64,
      err: expect.stringContaining("private key"),
    });
  });
});
