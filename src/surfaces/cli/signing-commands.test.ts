import { createHash, generateKeyPairSync, verify as verifySignature } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { runForTest } from "./testing/run-for-test.ts";

const PLAN = `apiVersion: continuum/v1
kind: DeploymentPlan
metadata: { name: churn }
spec:
  environment: staging
  model: { name: churn, version: 1.0.0, artifact: "file:./model.onnx" }
  compute: { instanceType: ml.m5.large }
  rollback: { alarms: [ModelMonitorAlarm, DataDriftAlarm] }
`;
const PROVENANCE = {
  buildDefinition: { buildType: "https://example.com/build/v1", externalParameters: { ref: "refs/heads/main" } },
  runDetails: { builder: { id: "https://example.com/builder" } },
};

let folder: string;
/** cosign's own variable, so that no command below has to name one. */
const variables: Record<string, string> = { COSIGN_PASSWORD: "correct horse" };
const run = (...argv: string[]) => runForTest(argv, { folder, variables });
const told = async (...argv: string[]) => {
  const { code, out } = await run(...argv, "-o", "json");
  return { exit: code, ...JSON.parse(out) };
};
const at = (name: string) => join(folder, name);
const write = (name: string, text: string) => writeFileSync(at(name), text);
const digestOf = (bytes: string | Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
let counter = 0;
const newFile = () => `result-${++counter}.json`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "continuum-signing-"));
  write("model.onnx", "a model");
  write("plan.yaml", PLAN);
  write("provenance.json", JSON.stringify(PROVENANCE));
  for (const name of ["ci", "stranger"]) expect((await run("keys", "generate", name)).code).toBe(0);
  expect((await run("sign", "model.onnx", "--key", "ci.key", "-o", "file.bundle.json")).code).toBe(0);
  variables["CI_KEY"] = readFileSync(at("ci.key"), "utf8");
  variables["CI_PUB"] = readFileSync(at("ci.pub"), "utf8");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  rmSync(at("model"), { recursive: true, force: true });
  mkdirSync(at("model/weights"), { recursive: true });
  mkdirSync(at("model/.git"));
  write("model/config.json", "{}");
  write("model/weights/part-1", "one");
  write("model/weights/part-2", "two");
  write("model/.git/HEAD", "ref: refs/heads/main");
});

describe("package", () => {
  it("lists every file with its digest, and answers the same for the same files", async () => {
    const [one, other] = [newFile(), newFile()];
    const made = await run("package", "model", "-o", one);
    expect(made).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^wrote .*: 3 files of model, 8 bytes, sha256:/),
    });
    await run("package", "./model/", "-o", other);
    expect(readFileSync(at(one))).toEqual(readFileSync(at(other)));
    const { subject, predicateType, predicate } = JSON.parse(readFileSync(at(one), "utf8"));
    const digests = ["{}", "one", "two"].map((text) => createHash("sha256").update(text).digest());
    expect(subject).toEqual([{ name: "model", digest: { sha256: digestOf(Buffer.concat(digests)).slice(7) } }]);
    expect(predicateType).toBe("https://model_signing/signature/v1.0");
    expect(predicate.resources.map(({ name }: { name: string }) => name)).toEqual([
      "config.json",
      "weights/part-1",
      "weights/part-2",
    ]);
  });

  it.each<[string, () => void, unknown]>([
    ["a changed file", () => write("model/config.json", "{ }"), { what: "changed", path: "config.json" }],
    ["a further file", () => write("model/new", "x"), { what: "extra", path: "new" }],
    ["a missing file", () => rmSync(at("model/weights/part-2")), { what: "missing", path: "weights/part-2" }],
    ["a further link", () => symlinkSync("config.json", at("model/link")), { what: "symlink", path: "link" }],
    [
      "a link in a file's place",
      () => {
        rmSync(at("model/config.json"));
        symlinkSync("weights/part-1", at("model/config.json"));
      },
      { what: "symlink", path: "config.json" },
    ],
  ])("--against sees %s", async (_what, change, difference) => {
    const manifest = newFile();
    await run("package", "model", "-o", manifest);
    expect(await told("package", "model", "--against", manifest)).toMatchObject({ exit: 0, ok: true, differences: [] });
    change();
    const seen = await told("package", "model", "--against", manifest);
    expect(seen).toMatchObject({ exit: 1, ok: false, differences: [difference] });
  });

  it("counts neither its own result nor the list that it compares with", async () => {
    await run("package", "model", "-o", "model/manifest.json");
    expect(await told("package", "model", "--against", "model/manifest.json")).toMatchObject({ ok: true });
    write("model/.gitignore", "x");
    expect(await told("package", "model", "--against", "model/manifest.json")).toMatchObject({ ok: true });
  });

  it("holds to a list that names such a file", async () => {
    const manifest = newFile();
    await run("package", "model", "-o", manifest);
    const listed = JSON.parse(readFileSync(at(manifest), "utf8"));
    const hash = createHash("sha256").update("x").digest("hex");
    listed.predicate.resources.unshift({ name: ".gitignore", algorithm: "sha256", digest: hash });
    const digests = listed.predicate.resources.map(({ digest }: { digest: string }) => Buffer.from(digest, "hex"));
    listed.subject[0].digest.sha256 = digestOf(Buffer.concat(digests)).slice(7);
    write(manifest, JSON.stringify(listed));
    expect(await told("package", "model", "--against", manifest)).toMatchObject({ exit: 1 });
    write("model/.gitignore", "x");
    expect(await told("package", "model", "--against", manifest)).toMatchObject({ exit: 0 });
  });

  it("refuses links, folders that are not there, and lists that are none", async () => {
    expect(await run("package", "nowhere")).toMatchObject({ code: 64, err: expect.stringContaining("no such file") });
    for (const text of ["x", "{}", JSON.stringify(PROVENANCE)]) {
      write("list.json", text);
      expect((await run("package", "model", "--against", "list.json")).code).toBe(64);
    }
    symlinkSync("/etc/passwd", at("model/link"));
    expect(await run("package", "model")).toMatchObject({
      code: 64,
      err: expect.stringContaining("symbolic link, link"),
    });
  });
});

describe("sign and verify of a model folder", () => {
  const verifyModel = (...rest: string[]) => told("verify", "model", "--bundle", "model/model.sig", ...rest);
  let signature: Buffer | undefined;
  beforeEach(async () => {
    if (signature !== undefined) return writeFileSync(at("model/model.sig"), signature);
    expect((await run("sign", "model", "--key", "ci.key", "-o", "model/model.sig")).code).toBe(0);
    signature = readFileSync(at("model/model.sig"));
  });

  it("hold for exactly the files that were signed, the signature beside them", async () => {
    const held = await verifyModel("--key", "ci.pub");
    expect(held).toMatchObject({
      exit: 0,
      ok: true,
      type: "model",
      files: 3,
      keyId: expect.stringMatching(/^sha256:/),
    });
    write("model/weights/part-1", "ONE");
    write("model/more", "x");
    expect(await verifyModel("--key", "ci.pub")).toMatchObject({
      exit: 1,
      code: "wrong-files",
      differences: [
        { what: "extra", path: "more" },
        { what: "changed", path: "weights/part-1" },
      ],
    });
  });

  it("do not hold for another signer, whatever the files are", async () => {
    expect(await verifyModel("--key", "stranger.pub")).toMatchObject({ exit: 1, code: "untrusted-key" });
  });

  it("see a file whose name would rewrite what a person reads", async () => {
    write("model/a\u202eb", "x");
    const { out, code } = await run("verify", "model", "--bundle", "model/model.sig", "--key", "ci.pub");
    expect(code).toBe(1);
    expect(out).toContain("extra    a\ufffdb");
  });

  it("are not taken for a signature of a file, nor the other way", async () => {
    const bundle = "file.bundle.json";
    expect(await told("verify", "model", "--bundle", bundle, "--key", "ci.pub")).toMatchObject({ exit: 1 });
    expect(await told("verify", "model.onnx", "--bundle", "model/model.sig", "--key", "ci.pub")).toMatchObject({
      exit: 1,
    });
  });

  it("give no bare signature, which would say nothing of the list", async () => {
    expect(await run("sign", "model", "--key", "ci.key", "--bare")).toMatchObject({ code: 64 });
    expect((await run("verify", "model", "--signature", "x", "--key", "ci.pub")).code).toBe(64);
  });
});

describe("sign and verify of a plan", () => {
  const sign = (...rest: string[]) => run("sign", "plan.yaml", "--type", "plan", "--key", "ci.key", ...rest);

  it("speak of the plan digest, whatever the file looks like, and of the artifact's bytes", async () => {
    const [bundle, manifest] = [newFile(), newFile()];
    await sign("-o", bundle);
    await run("package", "plan.yaml", "--type", "plan", "-o", manifest);
    const { planDigest } = JSON.parse((await run("plan", "check", "-f", "plan.yaml", "-o", "json")).out);
    expect(digestOf(readFileSync(at(manifest)))).toBe(planDigest);
    const verify = (file: string, ...rest: string[]) =>
      told("verify", file, "--bundle", bundle, "--key", "ci.pub", ...rest);
    expect(await verify("plan.yaml", "--type", "plan")).toMatchObject({
      ok: true,
      type: "plan",
      subjectDigest: planDigest,
    });
    expect(await verify(manifest)).toMatchObject({ ok: true, type: "signature" });
    write("same.yaml", `# another look\n${PLAN}  dryRun: true\n`);
    expect(await verify("same.yaml", "--type", "plan")).toMatchObject({ ok: true });
    write("other.yaml", PLAN.replace("1.0.0", "1.0.1"));
    expect(await verify("other.yaml", "--type", "plan")).toMatchObject({ ok: false, code: "wrong-subject" });
    write("model.onnx", "another model");
    expect(await verify("plan.yaml", "--type", "plan")).toMatchObject({ ok: false, code: "wrong-subject" });
    write("model.onnx", "a model");
  });

  it("refuse what is no plan", async () => {
    expect((await run("sign", "model.onnx", "--type", "plan", "--key", "ci.key")).code).toBe(64);
    expect((await run("sign", "model", "--type", "plan", "--key", "ci.key")).code).toBe(64);
    expect((await run("sign", "model.onnx", "--type", "model", "--key", "ci.key")).code).toBe(64);
    expect((await run("package", "plan.yaml", "--type", "plan", "--against", "plan.yaml")).code).toBe(64);
  });
});

describe("a bare signature", () => {
  it("is the signature in base64 and nothing else", async () => {
    const file = newFile();
    await run("sign", "model.onnx", "--bare", "--key", "ci.key", "-o", file);
    const text = readFileSync(at(file), "utf8");
    const bytes = Buffer.from(text, "base64");
    expect(text.trimEnd()).toBe(bytes.toString("base64"));
    expect(verifySignature("sha256", Buffer.from("a model"), readFileSync(at("ci.pub")), bytes)).toBe(true);
    const verify = (...rest: string[]) => told("verify", "model.onnx", "--signature", file, ...rest);
    expect(await verify("--key", "ci.pub")).toMatchObject({ exit: 0, ok: true });
    expect(await verify("--key", "stranger.pub")).toMatchObject({ exit: 1, code: "untrusted-key" });
    expect((await run("verify", "model.onnx", "--signature", file, "--bundle", file, "--key", "ci.pub")).code).toBe(64);
  });
});

describe("keys by reference", () => {
  it("are read from a file or a variable, for either half", async () => {
    for (const [key, pub] of [
      ["file:ci.key", "file:ci.pub"],
      ["env:CI_KEY", "env:CI_PUB"],
    ] as const) {
      const bundle = newFile();
      expect((await run("sign", "model.onnx", "--key", key, "-o", bundle)).code).toBe(0);
      expect(await told("verify", "model.onnx", "--bundle", bundle, "--key", pub)).toMatchObject({ ok: true });
    }
  });

  it.each(["env:NOT_SET", "env:", "env:a b", "env:__proto__", "file:nowhere", "nowhere"])(
    "say what is wrong with %s in one line",
    async (key) => {
      const { code, err } = await run("sign", "model.onnx", "--key", key);
      expect({ code, lines: err.trimEnd().split("\n").length }).toEqual({ code: 64, lines: 1 });
    },
  );

  it("take keys on larger curves for verifying, and for nothing else", async () => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "secp384r1" });
    write("large.pub", publicKey.export({ type: "spki", format: "pem" }).toString());
    const bundle = "file.bundle.json";
    expect(await told("verify", "model.onnx", "--bundle", bundle, "--key", "large.pub")).toMatchObject({ exit: 1 });
    expect((await run("sign", "model.onnx", "--key", "large.pub")).code).toBe(64);
  });
});

describe("whom verify trusts", () => {
  it("is one signer, named whole", async () => {
    const bundle = "file.bundle.json";
    const verify = (...rest: string[]) => run("verify", "model.onnx", "--bundle", bundle, ...rest);
    write("root.json", "{}");
    for (const rest of [
      [],
      ["--identity", "a", "--issuer", "b"],
      ["--key", "ci.pub", "--identity", "a", "--issuer", "b", "--trusted-root", "root.json"],
      ["--identity", "a", "--issuer", "b", "--trusted-root", "root.json"],
      ["--key", "ci.pub", "--builder", "b"],
    ])
      expect((await verify(...rest)).code, rest.join(" ")).toBe(64);
    expect((await run("verify", "model.onnx", "--key", "ci.pub")).code).toBe(64);
  });
});

describe("attest", () => {
  it("signs a provenance for several digests, which verifies for each and for no other builder", async () => {
    const [bundle, image] = [newFile(), digestOf("an image")];
    const about = ["--artifact", "model.onnx", "--digest", image];
    const made = await run("attest", "--provenance", "provenance.json", ...about, "--key", "ci.key", "-o", bundle);
    expect(made.code).toBe(0);
    const verify = (subject: string, builder: string) =>
      told("verify", subject, "--type", "provenance", "--bundle", bundle, "--key", "ci.pub", "--builder", builder);
    const builder = PROVENANCE.runDetails.builder.id;
    for (const subject of ["model.onnx", image])
      expect(await verify(subject, builder)).toMatchObject({ ok: true, builderId: builder });
    expect(await verify("model.onnx", `${builder}s`)).toMatchObject({ exit: 1, code: "wrong-builder" });
    expect(await verify("plan.yaml", builder)).toMatchObject({ exit: 1, code: "wrong-subject" });
    const asTests = await told("verify", "model.onnx", "--type", "tests", "--bundle", bundle, "--key", "ci.pub");
    expect(asTests).toMatchObject({ exit: 1, code: "wrong-predicate-type" });
  });

  it.each<[string, string]>([
    ["no JSON", "x"],
    ["no builder", JSON.stringify({ ...PROVENANCE, runDetails: {} })],
  ])("does not sign %s as a provenance", async (_what, text) => {
    write("bad.json", text);
    const { code, out } = await run(
      "attest",
      "--provenance",
      "bad.json",
      "--artifact",
      "model.onnx",
      "--key",
      "ci.key",
    );
    expect({ code, out }).toEqual({ code: 64, out: "" });
  });

  it("wants one statement about something", async () => {
    write("report.xml", '<testsuite><testcase name="a"/></testsuite>');
    for (const argv of [
      [],
      ["--artifact", "model.onnx"],
      ["--junit", "report.xml"],
      ["--junit", "report.xml", "--digest", "sha256:4f"],
      ["--junit", "report.xml", "--provenance", "provenance.json", "--artifact", "model.onnx"],
    ])
      expect((await run("attest", ...argv, "--key", "ci.key")).code, argv.join(" ")).toBe(64);
  });

  it("gives the statement alone to whoever signs elsewhere", async () => {
    write("report.xml", '<testsuite><testcase name="a"/></testsuite>');
    for (const source of [
      ["--junit", "report.xml"],
      ["--provenance", "provenance.json"],
    ]) {
      const argv = ["attest", ...source, "--artifact", "model.onnx", "--unsigned"];
      const { out } = await run(...argv);
      expect(JSON.parse(out)).toMatchObject({ subject: [{ digest: { sha256: digestOf("a model").slice(7) } }] });
      expect((await run(...argv, "--key", "ci.key")).code).toBe(64);
      expect((await run(...argv.slice(0, -1))).code).toBe(64);
    }
  });

  it("takes nothing personal out of a report, wherever it stands", async () => {
    const planted = [
      ...["ada.lovelace@example.org", "+44 20 7946 0958", "4111 1111 1111 1111", "DE89370400440532013000"],
      ...["192.0.2.17", "2001:db8::17", "Ada", "test_login[user=ada-17]"],
    ];
    const cases = planted.map(
      (text) =>
        `<testcase name="${text}" classname="${text}" file="${text}"><properties><property name="p" value="${text}"/></properties><system-out>${text}</system-out></testcase><testcase name="${text}"><failure message="${text}" type="${text}">${text}</failure></testcase>`,
    );
    const names = planted.map((text) => `<testsuite name="${text}" hostname="${text}"></testsuite>`);
    write(
      "personal.xml",
      `<testsuites name="${planted[0]}">${names.join("")}<testsuite>${cases.join("")}</testsuite></testsuites>`,
    );
    write("ada.lovelace@example.org.onnx", "a model");
    const made = await run(
      "attest",
      "--junit",
      "personal.xml",
      "--artifact",
      "ada.lovelace@example.org.onnx",
      "--key",
      "ci.key",
    );
    const payload = Buffer.from(JSON.parse(made.out).dsseEnvelope.payload, "base64").toString("utf8");
    expect(JSON.parse(payload).predicate).toMatchObject({
      result: "FAILED",
      failedTests: expect.arrayContaining(["case-2"]),
    });
    for (const text of planted) expect(payload, text).not.toContain(text);
  });
});
