import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Secret, TOTP } from "otpauth";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { operations } from "../../contract/operations.ts";
import { writeDsseBundle } from "../../core/evidence/bundle.ts";
import { readCosignKey } from "../../core/evidence/cosign-key.ts";
import { IN_TOTO_PAYLOAD_TYPE, signEnvelope } from "../../core/evidence/dsse.ts";
import { generateSigningKey } from "../../core/evidence/signing-key.ts";
import { sha256Digest } from "../../core/plan/canonical.ts";
import { openPolicyBundle, policySigningKey, signPolicyBundle } from "../../core/policy/policy-bundle.ts";
import { planOf } from "../../service/testing/service-fixture.ts";
import { type HttpFixture, httpFixture } from "../http/testing/http-fixture.ts";
import { runForTest } from "./testing/run-for-test.ts";
import { json, smallServer } from "./testing/small-server.ts";

const PASSWORD = "a password";
const DAY_MS = 86_400_000;
const forbid = (count: number) => `@id("ACME-1")
@level("deny")
@reason("At most {limit} instances; the plan asks for {observed}")
@source("acme#capacity")
@observed("instanceCount")
@limit("${count}")
forbid (principal, action in Action::"deploy", resource)
when { context.instanceCount > ${count} };
`;
const PLAN = `apiVersion: continuum/v1
kind: DeploymentPlan
metadata: { name: churn }
spec:
  environment: development
  model: { name: churn, version: 1.0.0, artifact: "s3://models/churn.onnx" }
  compute: { instanceType: ml.m5.large, instanceCount: 5 }
  rollback: { alarms: [ModelMonitorAlarm, DataDriftAlarm] }
`;

let on: HttpFixture;
let folder: string;
let tokens: { olga: string; ada: string };
let totp: TOTP;
/** A rollout that the first of the changed policies decided. */
let then: string;

beforeAll(async () => {
  on = await httpFixture();
  folder = mkdtempSync(join(tmpdir(), "continuum-policy-change-"));
  mkdirSync(join(folder, "own"));
  writeFileSync(join(folder, "own", "acme.cedar"), forbid(4));
  writeFileSync(join(folder, "plan.yaml"), PLAN);
  const olga = await on.principal("olga", "human", ["policy-admin"]);
  const ada = await on.principal("ada", "human", ["policy-admin"]);
  tokens = { olga: olga.token, ada: ada.token };
  expect((await as("ada", "keys", "generate", "ada", "--password-env", "PASSWORD")).code).toBe(0);
  const key = readCosignKey(readFileSync(join(folder, "ada.key"), "utf8"), PASSWORD);
  if (!key.ok) throw new Error(key.problem.message);
  const own = { publicKey: key.value.publicKey.spkiPem, kind: "cosign" as const, label: "laptop" };
  const { payload } = await on.call("me.keys.statement", ada, { body: own });
  const envelope = { payloadType: IN_TOTO_PAYLOAD_TYPE, payload: Buffer.from(payload, "base64") };
  const bundle = writeDsseBundle(key.value.publicKey, { ...envelope, signature: signEnvelope(key.value, envelope) });
  await on.call("me.keys.enroll", ada, { body: { ...own, bundle: JSON.parse(bundle) } });
  totp = new TOTP({ secret: Secret.fromBase32((await on.call("me.totp.enroll", ada)).secret) });
  await on.call("me.totp.confirm", ada, { body: { code: code() } });
});
afterAll(async () => {
  await on.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The next code: each counts once. */
function code(): string {
  on.clock.offsetMs += 60_000;
  return totp.generate({ timestamp: Date.now() + on.clock.offsetMs });
}

const as = (who: "olga" | "ada", ...argv: string[]) =>
  runForTest(argv, {
    folder,
    variables: {
      CONTINUUM_URL: on.url,
      CONTINUUM_TOKEN: tokens[who],
      PASSWORD,
      CONTINUUM_DATA_DIR: join(folder, "data"),
    },
  });

/** Without a server, and with a data folder of its own when one is named. */
const offline = (argv: string[], data = "data") =>
  runForTest(argv, { folder, variables: { CONTINUUM_DATA_DIR: join(folder, data) } });

const check = (...more: string[]) => ["plan", "check", "-f", "plan.yaml", "-o", "json", ...more];

async function proposed(): Promise<string> {
  const { code: exit, out, err } = await as("olga", "policy", "propose", "own", "-o", "json");
  expect([exit, err]).toEqual([0, ""]);
  return operations["policy.propose"].output.parse(JSON.parse(out)).version.digest;
}

const activate = (digest: string, ...more: string[]) =>
  as("ada", "policy", "activate", digest, "--key", "ada.key", "--password-env", "PASSWORD", "--code", code(), ...more);

describe("changing the policy", () => {
  it("goes from a proposal that shows what it does to another person's activation", async () => {
    const shown = await as("olga", "policy", "propose", "own", "--comment", "capacity is short");
    expect(shown.code).toBe(0);
    expect(shown.out).toMatch(/added +ACME-1 +ACME-1/);
    expect(shown.out).toMatch(/allow +deny +ACME-1/);
    const digest = /proposed (sha256:[0-9a-f]{64})/.exec(shown.out)?.[1] ?? "";
    expect((await as("ada", "policy", "versions")).out).toMatch(new RegExp(`${digest} +proposed +olga`));
    expect((await as("olga", "policy", "activate", digest, "--key", "ada.key", "--code", "000000", "--yes")).code).toBe(
      77,
    );
    const unasked = await activate(digest);
    expect([unasked.code, unasked.err]).toEqual([64, expect.stringContaining("--yes")]);
    const activated = await activate(digest, "--yes");
    expect([activated.code, activated.out]).toEqual([0, `in force: ${digest}\n`]);
    expect(activated.err).toContain("capacity is short");
    const after = await as("ada", "policy", "show", digest, "--write", "copy", "--subject", "subject.json");
    expect(sha256Digest(readFileSync(join(folder, "subject.json")))).toBe(digest);
    expect(after.out).toMatch(/state +active/);
    expect(readFileSync(join(folder, "copy", "own", "acme.cedar"), "utf8")).toBe(forbid(4));
    expect((await as("ada", "policy", "show", digest, "--write", "copy")).code).toBe(64);
    // What was written is the same version again.
    expect((await as("olga", "policy", "propose", "copy")).err).toContain("in force");
  });

  it("shows what the files change, whatever a server says of it, and signs no other files", async () => {
    writeFileSync(join(folder, "own", "acme.cedar"), forbid(7));
    const digest = await proposed();
    const olga = await on.principal("olga", "human", ["policy-admin"]);
    const shows = (params: { digest: string }) => on.call("policy.show", olga, { params });
    const diff = await on.call("policy.diff", olga, { params: { digest } });
    const detail = await shows({ digest });
    const quiet = { ...diff, changes: [], witnesses: [], data: [] };
    for (const [files, code, words] of [
      [detail.files, 64, "changed  ACME-1"],
      [detail.files.slice(1), 1, "nothing was signed"],
    ] as const) {
      const liar = await smallServer({
        [`GET /v1/policy/versions/${encodeURIComponent(digest)}`]: (_, to) => json(to, 200, { ...detail, files }),
        [`GET /v1/policy/versions/${encodeURIComponent(digest)}/diff`]: (_, to) => json(to, 200, quiet),
        [`GET /v1/policy/versions/${encodeURIComponent(diff.before)}`]: async (_, to) =>
          json(to, 200, await shows({ digest: diff.before })),
      });
      const variables = { CONTINUUM_URL: liar.url, CONTINUUM_TOKEN: tokens.ada, PASSWORD };
      const run = await runForTest(["policy", "activate", digest, "--key", "ada.key"], { folder, variables });
      await liar.close();
      expect([run.code, run.err.replaceAll(/ +/g, "  ")]).toEqual([
        code,
        expect.stringContaining(words.replaceAll(/ +/g, "  ")),
      ]);
    }
    await on.call("policy.withdraw", olga, { params: { digest } });
  });

  it("names what nobody may change, here and there", async () => {
    const whole = join(folder, "whole");
    const listed = JSON.parse((await as("olga", "policy", "versions", "-o", "json")).out) as {
      items: { digest: string; state: string }[];
    };
    const shipped = listed.items.find(({ state }) => state === "former")?.digest ?? "";
    await as("olga", "policy", "show", shipped, "--write", "whole");
    const file = join(whole, "agentops", "environments.cedar");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.slice(0, text.indexOf('@id("AO-4")')));
    const linted = await offline(["policy", "lint", "whole"]);
    expect([linted.code, linted.out]).toEqual([1, expect.stringContaining("AO-4 is missing")]);
    const refused = await as("olga", "policy", "propose", "whole");
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining("AO-4 admits no exception")]);
    expect((await offline(check("--policy", "whole"), "none")).code).toBe(64);
    writeFileSync(file, text);
    expect((await offline(["policy", "lint", "whole"])).code).toBe(0);
    expect((await offline(check("--policy", "whole"), "none")).code).toBe(0);
  });

  it("leaves an old rollout explained by the policy that decided it", async () => {
    const admin = await on.admin();
    const plan = planOf({ artifact: await on.artifact("a model"), name: "then", instanceCount: 5 });
    const { id } = await on.call("plans.submit", admin, { body: { plan } });
    then = id;
    const explained = await as("ada", "plan", "explain", "--rollout", id);
    expect([explained.code, explained.err]).toEqual([0, ""]);
    expect(explained.out).toMatch(/^DENIED .* by the server\n/);
    expect(explained.out).toContain(
      "ACME-1  A clause of your own policies\n  deny: At most 4 instances; the plan asks for 5",
    );
    expect((await as("ada", "plan", "explain", "--rollout", id, "-f", "plan.yaml")).code).toBe(64);
    expect((await offline(["plan", "explain"])).code).toBe(64);
  });

  it("is asked for in one way at a time", async () => {
    for (const argv of [[], ["own", "--program"], ["--program", "--digest", "x"]])
      expect((await as("olga", "policy", "propose", ...argv)).code).toBe(64);
  });
});

describe("a pulled bundle", () => {
  it("is what a plan is decided by offline, and required where that is asked", async () => {
    const none = await offline(check("--require-bundle"), "none");
    expect([none.code, none.err]).toEqual([69, expect.stringContaining("policy pull")]);
    expect(JSON.parse((await offline(check(), "none")).out)).toMatchObject({ decision: "allow", source: "shipped" });
    const pulled = await as("ada", "policy", "pull");
    expect([pulled.code, pulled.err]).toEqual([0, expect.stringContaining("trusted from now on")]);
    const decided = await offline(check("--require-bundle"));
    const decision = operations["plans.check"].output.parse(JSON.parse(decided.out));
    expect(decision).toMatchObject({ decision: "deny", source: "bundle" });
    expect(decision.findings.map(({ clause }) => clause)).toContain("ACME-1");
    expect(decision.policyDigest).toBe(
      JSON.parse((await as("ada", "policy", "list", "--server", "-o", "json")).out).digest,
    );
    expect((await offline(["plan", "explain", "-f", "plan.yaml"])).out).toContain("by the pulled policy bundle");
    expect((await as("ada", "policy", "pull")).err).toBe("");
  });

  it("counts in a file only by a key that is named or pinned, and not changed, expired or older than one seen", async () => {
    await as("ada", "policy", "pull", "-o", "old.json");
    const text = readFileSync(join(folder, "old.json"), "utf8");
    const refused = async (argv: string[], words: RegExp, data = "data") => {
      const { code: exit, err, out } = await offline(check(...argv), data);
      expect([exit, out, err]).toEqual([64, "", expect.stringMatching(words)]);
    };
    expect((await offline(check("--bundle", "old.json"))).code).toBe(2);
    await refused(["--bundle", "old.json"], /nobody vouches/, "nobody");
    const told = JSON.parse((await as("ada", "policy", "pull", "-o", "json")).out) as { publicKey: string };
    writeFileSync(join(folder, "policy.pub"), told.publicKey);
    expect((await offline(check("--bundle", "old.json", "--key", "policy.pub"), "named")).code).toBe(2);
    writeFileSync(join(folder, "other.pub"), generateSigningKey(randomBytes).publicKey.spkiPem);
    await refused(["--bundle", "old.json", "--key", "other.pub"], /none of the keys/);
    writeFileSync(join(folder, "changed.json"), text.replace(/"payload":"..../, '"payload":"eyJh'));
    await refused(["--bundle", "changed.json"], /none of the keys/);
    writeFileSync(join(folder, "own", "acme.cedar"), forbid(6));
    expect((await activate(await proposed(), "--yes")).code).toBe(0);
    expect((await as("ada", "policy", "pull")).code).toBe(0);
    expect((await offline(check())).code).toBe(0);
    expect((await as("ada", "plan", "explain", "--rollout", then)).out).toContain("At most 4 instances");
    await refused(["--bundle", "old.json"], /older than the one seen before/);
    await refused(["--bundle", "old.json", "--key", "policy.pub"], /older than the one seen before/);
    // Where the newer one was never seen, the old one counts until it expires.
    expect((await offline(check("--bundle", "old.json", "--key", "policy.pub"), "named")).code).toBe(2);
  });

  it("is refused when it has expired, and the shipped set does not step in", async () => {
    const key = policySigningKey(Buffer.alloc(32, 2));
    if (key === undefined) throw new Error("32 bytes are a key");
    const now = JSON.parse((await as("ada", "policy", "pull", "-o", "json")).out) as { file: string };
    const opened = openPolicyBundle(readFileSync(now.file, "utf8"), {
      keys: [key.publicKey],
      nowMs: Date.now(),
      seen: () => undefined,
    });
    if (!opened.ok) throw new Error(opened.message);
    const expired = { ...opened.bundle, issuedAtMs: Date.now() - 2 * DAY_MS, expiresAtMs: Date.now() - DAY_MS };
    writeFileSync(now.file, signPolicyBundle(expired, key));
    const { code: exit, err } = await offline(check());
    expect([exit, err]).toEqual([64, expect.stringContaining("pull it again")]);
    expect((await as("ada", "policy", "pull")).code).toBe(0);
    expect((await offline(check())).code).toBe(0);
  });

  it("is not taken from a server that signs with another key than at the first pull", async () => {
    const pinned = join(folder, "data", "policy", "keys.json");
    const before = readFileSync(pinned, "utf8");
    const other = generateSigningKey(randomBytes).publicKey;
    const list = JSON.parse(before) as { keys: { keyId: string; publicKey: string }[] };
    for (const one of list.keys) Object.assign(one, { keyId: other.keyId, publicKey: other.spkiPem });
    writeFileSync(pinned, JSON.stringify(list));
    const { code: exit, err } = await as("ada", "policy", "pull");
    expect([exit, err]).toEqual([64, expect.stringContaining("first pull")]);
    expect((await as("ada", "policy", "pull", "--key", "other.pub")).code).toBe(64);
    expect((await as("ada", "policy", "pull", "--key", "policy.pub")).code).toBe(0);
    writeFileSync(pinned, "no JSON");
    expect((await offline(check())).err).toContain("damaged list of policy keys");
    writeFileSync(pinned, before);
  });

  it("stands beside no other policy", async () => {
    for (const argv of [
      ["--policy", "own", "--require-bundle"],
      ["--policy", "own", "--bundle", "old.json"],
      ["--server", "--bundle", "old.json"],
      ["--server", "--require-bundle"],
    ])
      expect([(await offline(check(...argv))).code, argv]).toEqual([64, argv]);
    expect((await offline(check("--key", "policy.pub"), "none")).code).toBe(64);
    expect(existsSync(join(folder, "none", "policy"))).toBe(false);
  });
});
