import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Secret, TOTP } from "otpauth";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { composeMaintenance } from "../../src/compose/maintenance.ts";
import { startReceiver } from "../../src/drivers/notifications/webhook/testing/receiver.ts";
import { trainModels } from "../../src/quickstart/training/train-models.ts";
import { COMMAND_GROUPS } from "../../src/surfaces/cli/specs/command-groups.ts";
import { runForTest, type TestRun } from "../../src/surfaces/cli/testing/run-for-test.ts";

// Every command that speaks to a server, against the server as `continuum start` runs it: real processes, a real
// database, a real model. The commands run in this process, since what is tested is what they say and how they end.

const BIN = fileURLToPath(new URL("../../bin/continuum.js", import.meta.url));
const DATA = fileURLToPath(new URL("../../examples/quickstart/data/breast-cancer.csv", import.meta.url));
const TRUSTED_ROOT = fileURLToPath(new URL("../fixtures/cosign/public-good-trusted-root.json", import.meta.url));
/** Run by other tests, without a server or with one of their own. */
const OFFLINE = [
  "monitor baseline",
  "monitor check",
  "monitor quality",
  "quickstart",
  "start",
  "plan explain",
  "attest",
  "package",
  "sign",
  "verify",
  "keys generate",
  "policy lint",
  "policy test",
  "policy diff",
  "config check",
  "config schema",
  "completion",
  "doctor",
  "migrate",
  "backup create",
  "backup verify",
  "backup restore",
  "artifact rekey",
];

/** Nobody is asked there: what is trusted is only written down. */
const PIPELINES = {
  CONTINUUM_WORKLOAD_IDENTITY_ISSUER: "https://token.actions.githubusercontent.com",
  CONTINUUM_WORKLOAD_IDENTITY_AUDIENCE: "continuum.test",
};
/** Webhooks of this test go to loopback. */
const RECEIVING = { CONTINUUM_WEBHOOKS_INTERNAL_HOSTS: "127.0.0.1", CONTINUUM_WEBHOOKS_PLAIN_HTTP_HOSTS: "127.0.0.1" };

let folder: string;
let server: ChildProcess;
const ran = new Set<string>();

async function run(command: string, options: { token?: string } = {}): Promise<TestRun> {
  const argv = command.split(" ");
  const spec = COMMAND_GROUPS.flatMap((group) => group.commands).find(
    ({ path }) => command === path || command.startsWith(`${path} `),
  );
  ran.add(spec?.path ?? command);
  const variables = { PASSWORD: "pw", ...(options.token === undefined ? {} : { CONTINUUM_TOKEN: options.token }) };
  const maintenance = async () => composeMaintenance({ version: "1.2.3" });
  return runForTest([...argv, "--data-dir", join(folder, "data")], { folder, variables, maintenance });
}

async function ok(command: string, options: { token?: string } = {}): Promise<string> {
  const { code, out, err } = await run(command, options);
  expect({ command, code, err: code === 0 ? "" : err }).toEqual({ command, code: 0, err: "" });
  return out;
}

async function json<T = Record<string, unknown>>(command: string, options: { token?: string } = {}): Promise<T> {
  return JSON.parse(await ok(`${command} -o json`, options)) as T;
}

function plan(changes: {
  version: string;
  environment?: string;
  count?: number;
  bakeSeconds?: number;
  type?: string;
}): string {
  return [
    "apiVersion: continuum/v1",
    "kind: DeploymentPlan",
    "metadata: { name: tumour }",
    "spec:",
    `  environment: ${changes.environment ?? "development"}`,
    `  model: { name: tumour, version: ${changes.version}, artifact: "file:./v1.onnx" }`,
    `  compute: { instanceType: ${changes.type ?? "ml.m5.large"}, instanceCount: ${changes.count ?? 1} }`,
    `  rollout: { bakeSeconds: ${changes.bakeSeconds ?? 1} }`,
    "  rollback: { alarms: [ModelMonitorAlarm, DataDriftAlarm] }",
    "",
  ].join("\n");
}

/** Resolves when the program says that it is ready; its end before that is an error with what it printed. */
function startServer(): Promise<ChildProcess> {
  const argv = [
    BIN,
    "start",
    "--data-dir",
    join(folder, "data"),
    "--port",
    "0",
    "--serving-port",
    "0",
    "--workers",
    "1",
  ];
  const child = spawn(process.execPath, argv, {
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: folder, CONTINUUM_WORKER_OPS_PORT: "0", ...RECEIVING, ...PIPELINES },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return new Promise((resolve, reject) => {
    let text = "";
    const take = (chunk: Buffer) => {
      text += chunk.toString("utf8");
      if (text.includes("Continuum is ready")) resolve(child);
    };
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}: ${text.slice(-2000)}`)));
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "continuum-server-"));
  const csv = readFileSync(DATA, "utf8");
  const models = await trainModels(csv, 7);
  writeFileSync(join(folder, "v1.onnx"), models.v1.onnx);
  const rows = csv
    .split("\n")
    .slice(1, 3)
    .map((line) => line.split(",").slice(0, 30).join(","));
  writeFileSync(join(folder, "rows.csv"), `${rows.join("\n")}\n`);
  writeFileSync(join(folder, "labels.jsonl"), '{"inferenceId": "of-nobody", "label": 1}\n');
  writeFileSync(join(folder, "report.xml"), '<testsuite tests="1"><testcase name="a"/></testsuite>');
  writeFileSync(join(folder, "p1.yaml"), plan({ version: "1.0.0" }));
  writeFileSync(join(folder, "p2.yaml"), plan({ version: "2.0.0", bakeSeconds: 300 }));
  writeFileSync(join(folder, "bad.yaml"), plan({ version: "3.0.0", type: "ml.g5.xlarge" }));
  writeFileSync(join(folder, "staging.yaml"), plan({ version: "1.0.0", environment: "staging", count: 3 }));
  server = await startServer();
}, 120_000);

afterAll(async () => {
  if (server !== undefined && server.exitCode === null) {
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGTERM");
    await ended;
  }
  rmSync(folder, { recursive: true, force: true });
});

describe("every command that speaks to a server", () => {
  let first: string;

  it("gives the evidence that a deployment needs", async () => {
    await ok("keys generate ci --password-env PASSWORD");
    await ok("attest --junit report.xml --artifact v1.onnx --key ci.key --password-env PASSWORD -o tests.json");
    expect((await run("evidence add tests.json")).code).toBe(2); // no key is trusted yet
    await ok("keys import --purpose tests ci.pub");
    await ok("evidence add tests.json");
    expect(await json("keys list")).toMatchObject({ items: [{ purpose: "tests", revokedAt: null }] });
    const artifact = (await ok("artifact import v1.onnx")).trim().replace("store:", "");
    expect(await json("artifact list")).toMatchObject({ items: [{ digest: artifact, encrypted: true }] });
    expect(await json(`evidence list --subject ${artifact}`)).toMatchObject({ items: [{ result: "PASSED" }] });
  });

  it("takes what the GitHub Action brings, with a token that may only propose", async () => {
    const { secret } = await json<{ secret: string }>("token create ci --kind service --owner admin --role proposer");
    const { url } = JSON.parse(readFileSync(join(folder, "data/cli.json"), "utf8")) as { url: string };
    const steps = fileURLToPath(new URL("../../deploy/github-action/steps", import.meta.url));
    mkdirSync(join(folder, "bundles"));
    copyFileSync(join(folder, "tests.json"), join(folder, "bundles/tests.bundle.json"));
    const env = {
      ...{ PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`, HOME: folder, RUNNER_TEMP: folder },
      ...{ GITHUB_OUTPUT: join(folder, "outputs"), ACTION_EVIDENCE: join(folder, "bundles") },
      ...{ ACTION_PLAN: "p1.yaml", ACTION_ARTIFACT: "v1.onnx", ACTION_SERVER_URL: url, ACTION_TOKEN: secret },
    };
    for (const step of ["install.sh", "authorize.sh", "submit.sh"]) {
      const { status, stdout, stderr } = spawnSync("bash", [join(steps, step)], { cwd: folder, env, encoding: "utf8" });
      expect({ step, status, stderr }).toEqual({ step, status: 0, stderr: "" });
      expect(stdout).not.toContain(secret);
    }
    expect(readFileSync(join(folder, "outputs"), "utf8")).toMatch(/^decision=allow\nplan-digest=sha256:[0-9a-f]{64}$/m);
  });

  it("decides like the offline check, and deploys with --wait", async () => {
    const here = await json<{ planDigest: string }>("plan check -f p1.yaml");
    expect(await json("plan check -f p1.yaml --server")).toMatchObject({
      decision: "allow",
      source: "server",
      planDigest: here.planDigest,
    });
    const denied = await run("plan submit -f bad.yaml");
    expect(denied).toMatchObject({ code: 2, out: expect.stringMatching(/AO-1 +deny/) });
    const { code, out, err } = await run("plan submit -f p1.yaml --wait --timeout 60s -o json");
    expect({ code, phase: JSON.parse(out).phase }).toEqual({ code: 0, phase: "Succeeded" });
    expect(err).toMatch(/Succeeded +100 % {2}promoted/);
    first = JSON.parse(out).id;
    expect(await json("plan diff -f p2.yaml")).toMatchObject({ liveRollout: first });
  });

  it("shows and asks what serves", async () => {
    expect(await json("endpoint list -e development")).toMatchObject({ items: [{ liveRollout: first }] });
    expect(await json("endpoint get tumour -e development")).toMatchObject({
      instanceCount: 1,
      variants: [{ percent: 100 }],
    });
    const invoked = await run("endpoint invoke tumour -e development --data rows.csv");
    expect(invoked).toMatchObject({ code: 0, out: expect.stringMatching(/^0\.\d+,[01]\n0\.\d+,[01]\n$/) });
    expect(await json("endpoint scale tumour -e development --instances 2")).toMatchObject({ instanceCount: 2 });
    expect(await json("breaker show tumour -e development")).toMatchObject({ state: "closed" });
    expect(await json("breaker reset tumour -e development")).toMatchObject({ failures: 0 });
  });

  it("shows what its data plane says of the version that serves, and takes a person's word on it", async () => {
    const healthy = { items: expect.arrayContaining([expect.objectContaining({ alarm: "HealthAlarm", state: "OK" })]) };
    const listed = () => json("monitor alarms tumour -e development");
    await expect.poll(listed, { timeout: 20_000 }).toMatchObject(healthy);
    expect(await json("monitor history tumour -e development --alarm HealthAlarm")).toMatchObject({
      items: [{ from: "INSUFFICIENT_DATA", to: "OK" }],
    });
    expect(await ok("monitor show tumour -e development")).toMatch(/replicas +healthy +\d +\d/);
    expect((await run("monitor acknowledge tumour HealthAlarm -e development")).err).toContain("is not in ALARM");
    const suppress = "monitor suppress tumour HealthAlarm -e development --for 2h --reason moved-to-other-racks";
    expect(await json(suppress)).toMatchObject({ alarm: "HealthAlarm", reason: "moved-to-other-racks" });
    expect(await json("monitor unsuppress tumour HealthAlarm -e development")).toEqual({ ended: true });
    expect(await json("monitor truth tumour -e development -f labels.jsonl")).toMatchObject({ records: 1, added: 1 });
  });

  it("steers a rollout, and its end is the exit code", async () => {
    const { id } = await json<{ id: string }>("plan submit -f p2.yaml -q");
    expect((await run(`rollout watch ${id} --timeout 3s`)).code).toBe(5);
    expect((await run("rollout list --active -o ndjson")).out).toContain(id);
    await ok(`rollout pause ${id}`);
    await expect.poll(() => json(`rollout get ${id}`), { timeout: 20_000 }).toMatchObject({ phase: "Paused" });
    await ok(`rollout resume ${id}`);
    await ok(`rollout promote ${id}`);
    const { code, err } = await run(`rollout rollback ${id} --wait --timeout 60s`);
    expect(code).toBe(4);
    expect(err).toContain("RolledBack");
    expect((await run(`rollout abort ${id}`)).code).toBe(1);
    const watched = await run(`rollout watch ${id} -o ndjson`);
    expect(watched.code).toBe(4);
    const sequences = watched.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).sequence);
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));
  });

  it("lets people approve, and nobody their own plan, and no agent any", async () => {
    const { code, out } = await run("plan submit -f staging.yaml -o json -q");
    expect(code).toBe(3);
    const { id, planDigest } = JSON.parse(out);
    expect(await json("approval list")).toMatchObject({ items: [{ rollout: { id } }] });
    expect(await json(`approval show ${id}`)).toMatchObject({ needs: [{ role: "approver", given: 0 }] });
    const approve = `approval approve ${id} --plan-digest ${planDigest}`;
    expect(await run(approve)).toMatchObject({ code: 77, err: expect.stringContaining("own-plan") });
    const person = await json<{ id: string; secret: string }>("token create bo --kind human --role approver");
    const agent = await json<{ secret: string }>("token create helper --kind agent --owner bo --role proposer");
    expect(await run(approve, { token: agent.secret })).toMatchObject({ code: 77 });
    await ok(approve, { token: person.secret });
    await ok(`token revoke ${person.id}`);
    expect((await run("rollout list", { token: person.secret })).code).toBe(77);
    const { items } = await json<{ items: { id: string; revokedAt: string | null }[] }>("token list");
    expect(items.find((token) => token.id === person.id)?.revokedAt).not.toBeNull();
    // Staging needs a signed manifest as well, and says so instead of going on.
    expect(await run(`rollout watch ${id} --timeout 60s`)).toMatchObject({
      code: 2,
      out: expect.stringContaining("CP-1"),
    });
    const second = JSON.parse((await run("plan submit -f staging.yaml -o json -q")).out);
    await ok(`approval reject ${second.id} --comment later`);
    expect((await run(`rollout watch ${second.id} -q`)).code).toBe(2);
  });

  it("lets a person sign with their own key, alone when nobody else can be reached, and another review it", async () => {
    const token = {
      token: (await json<{ secret: string }>("token create gus --kind human --role break-glass")).secret,
    };
    await ok("keys generate gus --password-env PASSWORD");
    const signing = "--key gus.key --password-env PASSWORD";
    const { keyId } = await json<{ keyId: string }>(`keys enroll ${signing} --label desk`, token);
    expect(await json("keys enrolled", token)).toMatchObject({ items: [{ keyId, label: "desk" }] });
    const { secret } = await json<{ secret: string }>("mfa enroll", token);
    // Each step is good for one code, and the next one's is taken a little early.
    const code = (steps: number) =>
      TOTP.generate({ secret: Secret.fromBase32(secret), timestamp: Date.now() + steps * 30_000 });
    expect(await json(`mfa confirm --code ${code(0)}`, token)).toMatchObject({ totp: "confirmed" });
    const { id, planDigest } = JSON.parse((await run("plan submit -f staging.yaml -o json -q")).out);
    const alone = `approval approve ${id} ${signing} --yes --plan-digest ${planDigest} --break-glass --reason nobody-is-there`;
    expect(await run(`${alone} --code 000000`, token)).toMatchObject({ code: 77 });
    await ok(`${alone} --code ${code(1)}`, token);
    expect(await ok("approval reviews")).toContain("nobody-is-there");
    const review = `approval review ${id} --verdict justified --comment seen`;
    expect(await run(review, token)).toMatchObject({ code: 77, err: expect.stringContaining("own-plan") });
    const other = await json<{ secret: string }>("token create rea --kind human --role approver");
    await ok(review, { token: other.secret });
    expect(await json("approval reviews")).toMatchObject({ items: [] });
    await ok(`keys withdraw ${keyId}`, token);
    expect(await run("mfa remove --code 000000", token)).toMatchObject({ code: 77 });
    expect(await json("mfa show", token)).toMatchObject({ totp: "confirmed", keys: 0 });
  });

  it("gives an audit log that verifies, and a changed copy that does not", async () => {
    expect((await json<{ items: unknown[] }>("audit list --all")).items.length).toBeGreaterThan(20);
    expect(await json("audit verify")).toMatchObject({ ok: true });
    expect(await ok(`audit prove ${first}`)).toContain("each was proved");
    await ok("audit export -O log.ndjson");
    expect(await json("audit verify log.ndjson")).toMatchObject({ ok: true, tenant: "default" });
    writeFileSync(
      join(folder, "changed.ndjson"),
      readFileSync(join(folder, "log.ndjson"), "utf8").replace('"human"', '"agent"'),
    );
    expect(await run("audit verify changed.ndjson")).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^CHANGED {2}line \d+, entry \d+/),
    });
  });

  it("gives one file that proves a rollout to somebody with the keys alone, and checkpoints to keep", async () => {
    writeFileSync(join(folder, "keys.txt"), await ok("audit keys"));
    expect(await ok(`audit prove ${first} -O first.proof`)).toContain("things are proved");
    const verify = "audit verify first.proof --key keys.txt";
    expect(await ok(verify)).toMatch(/^VERIFIED {2}rollout r-.*the plan sha256:.*is what decided/s);
    const text = readFileSync(join(folder, "first.proof"), "utf8");
    writeFileSync(join(folder, "forged.proof"), text.replace("Succeeded", "Succeedet"));
    expect((await run("audit verify forged.proof --key keys.txt")).code).toBe(1);
    const { items } = await json<{ items: unknown[] }>("audit checkpoints --all -O kept");
    expect(items.length).toBeGreaterThan(0);
    await ok("audit export -O later.ndjson");
    const grown = await json("audit verify later.ndjson --checkpoint kept --key keys.txt");
    expect(grown).toMatchObject({ ok: true, checkpoints: { verified: items.length } });
    // What the workers published lies beside the database and says the same.
    await ok(`audit verify later.ndjson --checkpoint ${join(folder, "data", "checkpoints")} --key keys.txt`);
  });

  it("shows policy and prices as the server has them, and takes back what was given", async () => {
    expect((await json<{ policies: unknown[] }>("policy list --server")).policies.length).toBeGreaterThan(20);
    expect(await json("prices show --server")).toMatchObject({ usdPerHour: { "ml.m5.large": 0.115 } });
    expect(await json("endpoint delete tumour -e development --yes")).toEqual({ deleted: true });
    const { items: evidence } = await json<{ items: { id: string }[] }>("evidence list --kind tests");
    expect((await run(`evidence revoke ${evidence[0]?.id}`)).code).toBe(64); // not without a reason
    await ok(`evidence revoke ${evidence[0]?.id} --reason rebuilt`);
    expect(await json("evidence list")).toMatchObject({ items: [{ revoked: { by: "admin", reason: "rebuilt" } }] });
    const { items } = await json<{ items: { keyId: string }[] }>("keys list");
    await ok(`keys revoke ${items[0]?.keyId} --purpose tests`);
  });

  it("changes the policy by two people, and decides offline by what came into force", async () => {
    const uma = { token: (await json<{ secret: string }>("token create uma --kind human --role policy-admin")).secret };
    await ok("keys generate uma --password-env PASSWORD");
    const signing = "--key uma.key --password-env PASSWORD";
    await ok(`keys enroll ${signing}`, uma);
    const { secret } = await json<{ secret: string }>("mfa enroll", uma);
    const code = (steps: number) =>
      TOTP.generate({ secret: Secret.fromBase32(secret), timestamp: Date.now() + steps * 30_000 });
    await ok(`mfa confirm --code ${code(0)}`, uma);
    mkdirSync(join(folder, "acme"));
    writeFileSync(
      join(folder, "acme", "acme.cedar"),
      `@id("ACME-1") @level("deny") @reason("At most {limit} instances, not {observed}") @source("acme#capacity")
       @observed("instanceCount") @limit("64")
       forbid (principal, action in Action::"deploy", resource) when { context.instanceCount > 64 };`,
    );
    const { version } = await json<{ version: { digest: string } }>("policy propose acme");
    const { items } = await json<{ items: { digest: string; state: string }[] }>("policy versions");
    expect(items.map(({ state }) => state)).toEqual(["proposed", "active"]);
    const activate = `policy activate ${version.digest} ${signing} --yes`;
    expect(await run(`${activate} --code ${code(1)}`)).toMatchObject({ code: 77 });
    await ok(`${activate} --code ${code(1)}`, uma);
    expect(await ok(`policy show ${version.digest}`)).toMatch(/uma +admin/);
    await ok("policy pull");
    const checked = await json("plan check -f p1.yaml --require-bundle");
    expect(checked).toMatchObject({ source: "bundle", policyDigest: version.digest });
    await ok(`policy propose --digest ${items[1]?.digest}`);
    await ok(`policy withdraw ${items[1]?.digest}`);
  });

  it("trusts signers for one purpose each, and takes a plan's signature before it knows the plan", async () => {
    await ok("keys import --purpose manifest --not-after 2999-01-31 ci.pub");
    await ok("sign p1.yaml --type plan --key ci.key --password-env PASSWORD -o p1.bundle.json");
    expect((await run("evidence add p1.bundle.json --kind provenance --plan p1.yaml")).code).not.toBe(0);
    const stored = await json("evidence add p1.bundle.json --kind manifest-signature --plan p1.yaml");
    expect(stored).toMatchObject({
      kind: "manifest-signature",
      subjectDigest: (await json("plan check -f p1.yaml"))["planDigest"],
    });
    const pinned = await json(`trust pin ${TRUSTED_ROOT}`);
    expect(pinned).toMatchObject({ trustedRoot: { digest: expect.stringMatching(/^sha256:/) } });
    const added = await json("identity add ci@example.com --issuer https://issuer.example.com --purpose tests");
    expect(await json("identity list")).toMatchObject({ items: [added] });
    await ok(`identity revoke ${added["id"]} --purpose tests`);
    await ok("trust update --builder https://example.com/builder --max-age tests=20d");
    expect(await json("trust show")).toMatchObject({
      builders: ["https://example.com/builder"],
      maxAgeSeconds: { tests: 20 * 86_400 },
    });
    expect(await json("trust update --clear-builders")).toMatchObject({
      builders: [],
      maxAgeSeconds: { tests: 1728000 },
    });
    expect(await json("trust unpin")).toMatchObject({ trustedRoot: null });
  });

  it("invites people to a passkey by a link that works once, and says how they sign in", async () => {
    const invited = await json<{ link: string; code: string }>("person invite pia --role approver --expires 2h");
    expect(invited.link).toMatch(/^http:\/\/localhost:\d+\/#enroll=cte_[\w-]{43}$/);
    expect(await ok("person enroll")).toMatch(/link +http:\/\/localhost/);
    expect(await ok("person list --limit 200")).toMatch(/pia +approver +0 +token alone/);
    expect(await ok("person list --limit 200")).not.toContain("cte_");
    // Her link ends with it; then nothing of hers is left to end.
    expect(await ok("person reset pia")).toContain("0 passkeys removed");
    expect((await run("person reset pia")).err).toContain("not-found");
    expect((await run("person invite pia --role aprover")).err).toMatch(/unknown role "aprover"/);
  });

  it("trusts a pipeline whose jobs bring an identity token, and stops", async () => {
    const workflow = "acme/churn/.github/workflows/deploy.yml@refs/heads/main";
    const trust = `workload trust ci --repository acme/churn --workflow ${workflow}`;
    expect(await run(trust)).toMatchObject({ code: 64, err: expect.stringContaining("--ref") });
    const made = await json<{ id: string }>(`${trust} --ref refs/heads/main --role proposer@staging --expires 10m`);
    expect(made).toMatchObject({ principal: "ci", roles: ["proposer@staging"], tokenSeconds: 600 });
    expect(await ok("workload list")).toContain("acme/churn");
    expect(await ok(`workload remove ${made.id}`)).toContain("trusted no more");
  });

  it("tells a receiver of its own what happens, and says how that went", async () => {
    const got = await startReceiver();
    try {
      const made = await json<{ id: string; secret: string }>(`webhook create ${got.url} --event rollout.succeeded`);
      expect(await ok(`webhook test ${made.id}`)).toMatch(/^msg_\S+ {2}arrived \(204\) in \d+ ms\n$/);
      const [test] = got.seen;
      expect(new Webhook(made.secret).verify(test?.body ?? "", test?.headers ?? {})).toMatchObject({
        type: "webhook.test",
      });
      const { items } = await json<{ items: { message: string }[] }>(`webhook deliveries ${made.id} --state delivered`);
      expect(await ok(`webhook replay ${made.id} --message ${items[0]?.message}`)).toBe("1 sent again\n");
      await expect.poll(() => got.seen.length, { timeout: 10_000 }).toBe(2);
      expect(await json(`webhook replay ${made.id} --since 1d`)).toMatchObject({ nextSince: null });
      const rotated = await json<{ secret: string }>(`webhook rotate ${made.id} --overlap 0s`);
      expect(rotated.secret).not.toBe(made.secret);
      expect((await run(`webhook update ${made.id} --event rollout.suceeded`)).err).toContain(
        "did you mean rollout.succeeded?",
      );
      expect(await ok(`webhook update ${made.id} --disable`)).toMatch(/state +off/);
      expect((await run(`webhook test ${made.id}`)).err).toContain("webhook update --enable");
      expect(await ok("webhook list")).not.toContain("whsec_");
      expect(await json(`webhook get ${made.id}`)).toMatchObject({ enabled: false, disabledReason: "operator" });
      expect((await run("token create bot --kind agent --owner bo --role admin")).err).toContain("humans-only");
      const agent = await json<{ secret: string }>("token create bot --kind agent --owner bo --role operator");
      expect((await run("webhook list", { token: agent.secret })).err).toContain("humans-only");
      expect((await run("webhook create https://10.0.0.1/")).code).toBe(64);
      await ok(`webhook delete ${made.id}`);
      expect(await run("token bootstrap")).toMatchObject({
        code: 1,
        err: expect.stringContaining("has people already"),
      });
    } finally {
      await got.close();
    }
  });

  it("was run here at least once", () => {
    const all = COMMAND_GROUPS.flatMap((group) => group.commands.map(({ path }) => path));
    expect(all.filter((path) => !ran.has(path) && !OFFLINE.includes(path))).toEqual([]);
  });
});
