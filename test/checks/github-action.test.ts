import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { COMMAND_GROUPS } from "../../src/surfaces/cli/specs/command-groups.ts";
import { runForTest } from "../../src/surfaces/cli/testing/run-for-test.ts";
import { json, problem, type SmallServer, smallServer } from "../../src/surfaces/cli/testing/small-server.ts";

// The steps of the GitHub Action as plain shell, with GitHub's variables as a runner sets them.

const ACTION = fileURLToPath(new URL("../../deploy/github-action", import.meta.url));
const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const HAS_BASH = spawnSync("bash", ["-c", "true"]).status === 0;
const WHY_SKIPPED = HAS_BASH ? "" : " (skipped: no bash on the path)";
const PASSWORD = "correct horse";
const SCRIPTS = readdirSync(join(ACTION, "steps")).filter((name) => name.endsWith(".sh"));
const scriptText = (name: string) => readFileSync(join(ACTION, "steps", name), "utf8");

interface Action {
  inputs: Record<string, { description: string; required?: boolean }>;
  outputs: Record<string, { value: string }>;
  runs: { steps: { id: string; if?: string; run: string; shell: string; env?: Record<string, string> }[] };
}
const action = parse(readFileSync(join(ACTION, "action.yml"), "utf8")) as Action;

const PLAN = `apiVersion: continuum/v1
kind: DeploymentPlan
metadata: { name: churn }
spec:
  environment: ENVIRONMENT
  model: { name: churn, version: 1.0.0, artifact: "file:./model.onnx" }
  compute: { instanceType: TYPE }
  rollback: { alarms: [ModelMonitorAlarm, DataDriftAlarm] }
`;
const GITHUB = {
  GITHUB_ACTIONS: "true",
  GITHUB_SERVER_URL: "https://github.com",
  GITHUB_REPOSITORY: "acme/churn",
  GITHUB_REPOSITORY_ID: "17",
  GITHUB_REPOSITORY_OWNER_ID: "4",
  GITHUB_REF: "refs/heads/main",
  GITHUB_WORKFLOW_REF: "acme/churn/.github/workflows/release.yml@refs/heads/main",
  GITHUB_EVENT_NAME: "push",
  GITHUB_SHA: "4f".repeat(20),
  GITHUB_RUN_ID: "1234",
  GITHUB_RUN_ATTEMPT: "1",
  GITHUB_ACTOR: "ada-lovelace",
  RUNNER_ENVIRONMENT: "github-hosted",
};

let folder: string;
let keys: Record<"ACTION_TESTS_KEY" | "ACTION_PROVENANCE_KEY" | "ACTION_MANIFEST_KEY", string>;
const at = (name: string) => join(folder, name);

interface Ran {
  code: number;
  said: string;
  outputs: Record<string, string>;
}

/** One step as the runner starts it: its own environment, which is GitHub's and what action.yml gives the step. */
function step(script: string, env: Record<string, string> = {}): Promise<Ran> {
  rmSync(at("outputs"), { force: true });
  const all = {
    ...GITHUB,
    ...{ PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`, HOME: folder, RUNNER_TEMP: at("temp") },
    GITHUB_OUTPUT: at("outputs"),
    ...env,
  };
  return new Promise((resolve) => {
    execFile("bash", [join(ACTION, "steps", script)], { cwd: folder, env: all }, (error, stdout, stderr) => {
      const code = typeof error?.code === "number" ? error.code : error === null ? 0 : -1;
      resolve({ code, said: stdout + stderr, outputs: readOutputs() });
    });
  });
}

function readOutputs(): Record<string, string> {
  try {
    const lines = readFileSync(at("outputs"), "utf8").trimEnd().split("\n");
    return Object.fromEntries(lines.map((line) => line.split("=", 2) as [string, string]));
  } catch {
    return {};
  }
}

async function ok(script: string, env: Record<string, string> = {}): Promise<Ran> {
  const ran = await step(script, env);
  expect({ script, code: ran.code, said: ran.code === 0 ? "" : ran.said }).toEqual({ script, code: 0, said: "" });
  return ran;
}

async function verified(path: string, bundle: string, ...rest: string[]): Promise<Record<string, unknown>> {
  const argv = ["verify", path, "--bundle", join("bundles", bundle), ...rest, "-o", "json"];
  return JSON.parse((await runForTest(argv, { folder })).out) as Record<string, unknown>;
}

describe("action.yml", () => {
  const { inputs, outputs, runs } = action;
  const text = readFileSync(join(ACTION, "action.yml"), "utf8");

  test("puts no input into the text of a script, where it could become a command", () => {
    for (const { run, shell } of runs.steps) {
      expect(shell).toBe("bash");
      expect(run).toMatch(/^bash "\$GITHUB_ACTION_PATH\/steps\/[a-z]+\.sh"$/);
      expect(SCRIPTS).toContain(run.replace(/^.*\/|"$/g, ""));
    }
  });

  test("names inputs that exist, and uses each", () => {
    const used = new Set([...text.matchAll(/\$\{\{ inputs\.([a-z-]+) \}\}/g)].map(([, name]) => name));
    expect([...used].toSorted()).toEqual(Object.keys(inputs).toSorted());
  });

  test("gives each step the variables that its script reads, and outputs that a step writes", () => {
    for (const { run, env = {} } of runs.steps) {
      const name = run.replace(/^.*\/|"$/g, "");
      const script =
        scriptText(name) + (name === "authorize.sh" ? readFileSync(join(ACTION, "steps/exchange.js"), "utf8") : "");
      const read = new Set([...script.matchAll(/ACTION_[A-Z_]+|COSIGN_PASSWORD/g)].map(([variable]) => variable));
      if (script.includes("env:ACTION_")) read.add("COSIGN_PASSWORD");
      expect([name, ...[...read].toSorted()]).toEqual([name, ...Object.keys(env).toSorted()]);
    }
    for (const { value } of Object.values(outputs)) {
      const [, id = "", name = ""] = /^\$\{\{ steps\.([a-z]+)\.outputs\.([a-z-]+) \}\}$/.exec(value) ?? [];
      expect(scriptText(`${id}.sh`)).toMatch(new RegExp(`^output ${name} |^outputs .*\\b${name}=`, "m"));
    }
  });

  test("runs commands that exist", () => {
    const paths = COMMAND_GROUPS.flatMap(({ commands }) => commands.map(({ path }) => path));
    const asked = SCRIPTS.flatMap((name) => [...scriptText(name).matchAll(/(?:^|\s)continuum ((?:[a-z]+ ?)+)/gm)]);
    expect(asked.length).toBeGreaterThan(8);
    for (const [line, words = ""] of asked)
      expect(
        paths.some((path) => words.startsWith(path)),
        line,
      ).toBe(true);
  });
});

describe.skipIf(!HAS_BASH)(`the steps of the action${WHY_SKIPPED}`, () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "continuum-action-"));
    for (const name of ["temp", "model"]) mkdirSync(at(name));
    writeFileSync(at("model.onnx"), "a model");
    writeFileSync(at("model/weights"), "weights");
    writeFileSync(at("report.xml"), '<testsuite><testcase name="::error::ada@example.org"/></testsuite>');
    writeFileSync(at("plan.yaml"), PLAN.replace("ENVIRONMENT", "development").replace("TYPE", "ml.m5.large"));
    writeFileSync(at("denied.yaml"), PLAN.replace("ENVIRONMENT", "development").replace("TYPE", "ml.g5.xlarge"));
    writeFileSync(
      at("waits.yaml"),
      PLAN.replace("ENVIRONMENT", "staging").replace("TYPE", "ml.m5.large, instanceCount: 3"),
    );
    const made = await runForTest(["keys", "generate", "ci"], { folder, variables: { COSIGN_PASSWORD: PASSWORD } });
    expect(made.code).toBe(0);
    const key = readFileSync(at("ci.key"), "utf8");
    keys = { ACTION_TESTS_KEY: key, ACTION_PROVENANCE_KEY: key, ACTION_MANIFEST_KEY: key };
    // Without the process that looks for the pinned Node, which this is already.
    writeFileSync(at("program"), `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`, { mode: 0o755 });
    await ok("install.sh", { ACTION_PROGRAM: at("program"), ACTION_EVIDENCE: at("bundles") });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("run the program of the action's own commit, unless another is named", async () => {
    const own = await ok("install.sh", { RUNNER_TEMP: at("model") });
    expect(own.said).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(readFileSync(at("model/continuum-action/program"), "utf8")).toMatch(/\/bin\/continuum\.js$/);
    rmSync(at("model/continuum-action"), { recursive: true });
  });

  test("make evidence of the tests and of the build, which verifies, and holds nobody's name", async () => {
    const { said } = await ok("attest.sh", {
      ...{ ACTION_ARTIFACT: "model.onnx", ACTION_JUNIT: "report.xml", COSIGN_PASSWORD: PASSWORD },
      ...{ ACTION_TESTS_KEY: keys.ACTION_TESTS_KEY, ACTION_PROVENANCE_KEY: keys.ACTION_PROVENANCE_KEY },
    });
    const byKey = ["--key", "ci.pub"];
    expect(await verified("model.onnx", "tests.bundle.json", "--type", "tests", ...byKey)).toMatchObject({ ok: true });
    const builder = "https://github.com/acme/churn/.github/workflows/release.yml@refs/heads/main";
    const provenance = ["--type", "provenance", "--builder", builder, ...byKey];
    expect(await verified("model.onnx", "provenance.bundle.json", ...provenance)).toMatchObject({ ok: true });
    for (const bundle of ["tests.bundle.json", "provenance.bundle.json"]) {
      const { dsseEnvelope } = JSON.parse(readFileSync(at(`bundles/${bundle}`), "utf8"));
      expect(Buffer.from(dsseEnvelope.payload, "base64").toString("utf8")).not.toMatch(/ada[@-]|lovelace/);
    }
    expect(said).not.toContain("ada@");
    expect(said).not.toContain(PASSWORD);
  });

  test("refuse a report that nothing could sign, and a key that does not open", async () => {
    const without = await step("attest.sh", { ACTION_ARTIFACT: "model.onnx", ACTION_JUNIT: "report.xml" });
    expect(without).toMatchObject({
      code: 1,
      said: expect.stringContaining("::error title=Continuum::junit is given"),
    });
    const wrong = { ACTION_TESTS_KEY: keys.ACTION_TESTS_KEY, COSIGN_PASSWORD: "hunter2" };
    const refused = await step("attest.sh", { ACTION_ARTIFACT: "model.onnx", ACTION_JUNIT: "report.xml", ...wrong });
    expect(refused.code).toBe(64);
    expect(refused.said).not.toContain("hunter2");
  });

  test("list and sign the model and the plan", async () => {
    await ok("sign.sh", {
      ...{ ACTION_PLAN: "plan.yaml", ACTION_MODEL_FOLDER: "model", COSIGN_PASSWORD: PASSWORD },
      ACTION_MANIFEST_KEY: keys.ACTION_MANIFEST_KEY,
    });
    expect(await verified("model", "model.sig", "--key", "ci.pub")).toMatchObject({ ok: true, files: 1 });
    expect(await verified("plan.yaml", "plan.bundle.json", "--type", "plan", "--key", "ci.pub")).toMatchObject({
      ok: true,
    });
    expect(await ok("sign.sh", { ACTION_PLAN: "plan.yaml" })).toMatchObject({
      said: expect.stringContaining("::notice"),
    });
  });

  test("check the plan, and fail for one that is denied alone", async () => {
    const allowed = await ok("submit.sh", { ACTION_PLAN: "plan.yaml", ACTION_ARTIFACT: "model.onnx" });
    expect(allowed.outputs).toEqual({
      decision: "allow",
      "plan-digest": expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    });
    const waits = await ok("submit.sh", { ACTION_PLAN: "waits.yaml", ACTION_ARTIFACT: "model.onnx" });
    expect(waits).toMatchObject({ outputs: { decision: "needs-approval" }, said: expect.stringContaining("::notice") });
    const denied = await step("submit.sh", { ACTION_PLAN: "denied.yaml", ACTION_ARTIFACT: "model.onnx" });
    expect(denied).toMatchObject({ code: 2, outputs: { decision: "deny" }, said: expect.stringContaining("AO-1") });
    const broken = await step("submit.sh", { ACTION_PLAN: "model.onnx", ACTION_ARTIFACT: "model.onnx" });
    expect(broken).toMatchObject({ code: 64, outputs: {} });
  }, 60_000);

  test("show what files say with GitHub's commands switched off", async () => {
    writeFileSync(at("shout"), "#!/bin/sh\necho '::set-output name=decision::allow'\nexit 3\n", { mode: 0o755 });
    const line = `source "${join(ACTION, "steps/shared.sh")}"; shown "${at("shout")}" || echo "code $?"`;
    const { stdout } = spawnSync("bash", ["-c", line], {
      env: { ...process.env, RUNNER_TEMP: at("temp") },
      encoding: "utf8",
    });
    const [, word] = /^::stop-commands::(stop-[0-9a-f]{32})\n/.exec(stdout) ?? [];
    expect(stdout).toBe(`::stop-commands::${word}\n::set-output name=decision::allow\n::${word}::\ncode 3\n`);
  });

  describe("exchange the job's identity", () => {
    const token = () => readFileSync(at("temp/continuum-action/token"), "utf8");
    let server: SmallServer;
    let answer = { status: 201, secret: "short-token" };
    beforeAll(async () => {
      server = await smallServer({
        "GET /identity": (_request, response) => json(response, 200, { value: "a.job.token" }),
        "POST /v1/tokens:exchange": (_request, response) =>
          answer.status === 201
            ? json(response, 201, { secret: answer.secret })
            : problem(response, { status: answer.status, code: "exchange-refused", detail: "::error::no" }),
      });
    });
    afterAll(() => server.close());
    const job = () => ({
      ...{ ACTION_SERVER_URL: server.url, ACTION_AUDIENCE: "continuum", ACTION_TENANT: "acme" },
      ...{
        ACTIONS_ID_TOKEN_REQUEST_URL: `${server.url}/identity?api=1`,
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: "of-the-runner",
      },
    });

    test("for a short token, hidden in the log and readable by the job alone", async () => {
      const { said } = await ok("authorize.sh", job());
      expect(token()).toBe("short-token");
      expect(statSync(at("temp/continuum-action/token")).mode & 0o077).toBe(0);
      expect(said).toBe("::add-mask::a.job.token\n::add-mask::short-token\n");
      const [asked, exchanged] = server.seen;
      expect(asked).toMatchObject({
        path: "/identity?api=1&audience=continuum",
        headers: { authorization: "bearer of-the-runner" },
      });
      expect(JSON.parse(String(exchanged?.body))).toEqual({ token: "a.job.token", tenant: "acme" });
      expect(exchanged?.headers.authorization).toBeUndefined();
      await ok("forget.sh");
      expect(token).toThrow();
    });

    test("and say in one line what is wrong", async () => {
      for (const [change, line] of [
        [{ ACTION_AUDIENCE: "" }, "audience is missing"],
        [{ ACTIONS_ID_TOKEN_REQUEST_URL: "" }, "id-token: write"],
        [{ ACTION_SERVER_URL: "http://continuum.example.com" }, "server-url must begin with https://"],
        [{ ACTION_SERVER_URL: "x" }, "server-url is no URL"],
        [{ ACTIONS_ID_TOKEN_REQUEST_URL: "http://example.com/x" }, "must begin with https://"],
      ] as const) {
        const { code, said } = await step("authorize.sh", { ...job(), ...change });
        expect({ code, lines: said.trimEnd().split("\n").length }, line).toEqual({ code: 1, lines: 1 });
        expect(said).toContain(line);
      }
      answer = { status: 401, secret: "" };
      const refused = await step("authorize.sh", job());
      expect(refused).toMatchObject({ code: 1, said: expect.stringContaining("answers 401 (exchange-refused)\n") });
      expect(refused.said).not.toContain("::error::no");
      answer = { status: 201, secret: "two\nlines" };
      expect((await step("authorize.sh", job())).code).toBe(1);
      expect(token).toThrow();
    });

    test("or take the token that is given, or none where there is no server", async () => {
      await ok("authorize.sh", { ACTION_SERVER_URL: server.url, ACTION_TOKEN: "of-a-secret" });
      expect(token()).toBe("of-a-secret");
      expect(await ok("authorize.sh")).toMatchObject({ said: expect.stringContaining("the plan is checked here") });
      expect(token).toThrow();
    });
  });
});
