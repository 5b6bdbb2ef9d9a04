import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COMMAND_GROUPS } from "./specs/command-groups.ts";
import { runForTest } from "./testing/run-for-test.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-cli-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (argv: string[], variables: Record<string, string> = {}) => runForTest(argv, { folder, variables });
const specs = COMMAND_GROUPS.flatMap((group) => group.commands);

describe("help", () => {
  it("names every group, and is no mistake when nothing was asked", async () => {
    const bare = await run([]);
    expect(bare).toMatchObject({ code: 0, err: "" });
    for (const group of COMMAND_GROUPS) expect(bare.out).toContain(`\n  ${group.name}`);
    expect(await run(["--help"])).toMatchObject({ code: 0, out: bare.out });
    expect((await run(["--version"])).out).toBe("1.2.3\n");
  });

  it.each(specs.map((spec) => [spec.path, spec] as const))(
    "of `%s` shows its examples, the common options and the exit codes",
    async (path, spec) => {
      const { code, out } = await run([...path.split(" "), "--help"]);
      expect(code).toBe(0);
      for (const example of spec.examples) expect(out).toContain(`$ continuum ${example}`);
      for (const option of ["--output", "--wait", "--timeout", "--idempotency-key", "--no-color", "--quiet"])
        expect(out).toContain(option);
      expect(out).toContain("64 usage or malformed input");
    },
  );

  it.each(specs.map((spec) => [spec.path, spec] as const))("`%s` has code to run", async (_path, spec) => {
    expect(await spec.load()).toBeTypeOf("function");
  });

  it("shows the help of a command by name", async () => {
    expect((await run(["help", "plan"])).out).toContain("continuum plan");
    const check = await run(["help", "plan", "check"]);
    expect(check).toMatchObject({ code: 0, err: "", out: (await run(["plan", "check", "--help"])).out });
  });
});

describe("mistakes on the command line", () => {
  it.each([
    [["plna"], /^continuum: unknown command 'plna', did you mean plan\?\n$/],
    [["plan", "chek"], /^continuum: unknown command 'chek', did you mean check\?\n$/],
    [["help", "bogus"], /^continuum: unknown command 'bogus', help, must be one of/],
    [["help", "plan", "bogus"], /^continuum: unknown command 'plan bogus', help, must be one of/],
    [["bogus"], /^continuum: unknown command 'bogus', see --help\n$/],
    [["submit"], /^continuum: unknown command 'submit', did you mean plan submit\?\n$/],
    [["start", "--role", "workr"], /Allowed choices are all, api, worker, serve, monitor\., did you mean worker\?\n$/],
    [["plan", "check"], /^continuum: -f, --file <file> is missing, plan check, it is the plan/],
    [["plan", "check", "--fil", "x"], /^continuum: unknown option '--fil', did you mean --file, --fix\?\n$/],
    [["plan", "check", "-f"], /^continuum: option '-f, --file <file>' argument missing/],
    [["plan", "check", "-f", "x", "extra"], /^continuum: too many arguments/],
    [
      ["plan", "check", "-f", "x", "-o", "xml"],
      /^continuum: option '-o, --output <table\|json>' argument 'xml' is invalid/,
    ],
    [["start", "--port", "99999"], /^continuum: bad setting api\.port, --port, must be an integer from 0 to 65535\n$/],
    [
      ["start", "--workers", "0"],
      /^continuum: bad setting worker\.count, --workers, must be an integer from 1 to 64\n$/,
    ],
    [["start", "--role", "boss"], /^continuum: option '--role <role>' argument 'boss' is invalid/],
    [["rollout", "list", "--limit", "0"], /^continuum: bad number "0", --limit, must be an integer from 1 to 200\n$/],
    [
      ["rollout", "list", "--timeout", "soon"],
      /^continuum: bad duration "soon", --timeout, must be such as 90s, 10m, 2h or 30d\n$/,
    ],
    [["rollout", "list", "--url", "nonsense"], /^continuum: bad server address/],
    [["rollout", "list", "--idempotency-key", "a b"], /^continuum: bad idempotency key/],
    [
      ["token", "create", "x", "--kind", "agent", "--role", "proposer"],
      /^continuum: an agent without an owner, --owner/,
    ],
    [["sign", "x", "--key", "k", "-o", "xml"], /^continuum: unknown format "xml", -o/],
    [["audit", "verify", "x", "--head", "1:zz"], /^continuum: bad head, --head, must be SIZE:ROOT/],
  ])("%j ends with exit code 64 and one line", async (argv, line) => {
    const { code, out, err } = await run(argv);
    expect({ code, out }).toEqual({ code: 64, out: "" });
    expect(err).toMatch(line);
    expect(err.trimEnd()).not.toContain("\n");
  });

  it("answers a group without a command with its list and exit code 64", async () => {
    const { code, err } = await run(["plan"]);
    expect(code).toBe(64);
    expect(err).toContain("Commands:");
  });

  it("shows nothing of an escape sequence that stands in a mistake", async () => {
    const { err } = await run(["\u001b[31mplan\u202e"]);
    expect(err).not.toContain("\u001b");
    expect(err).not.toContain("\u202e");
  });
});

describe("failures", () => {
  it("of ours are one line with exit code 1, and a stack only for who asks", async () => {
    const broken = { CONTINUUM_CONFIG: "c.yaml", CONTINUUM_DEBUG: "" };
    writeFileSync(join(folder, "c.yaml"), "tenant: a\n");
    const spec = specs.find((candidate) => candidate.path === "config schema");
    const load = spec?.load;
    if (spec === undefined || load === undefined) throw new Error("config schema is gone");
    try {
      spec.load = async () => async () => {
        throw new TypeError("x is not a function\nat y");
      };
      const quiet = await run(["config", "schema"], broken);
      expect(quiet).toMatchObject({
        code: 1,
        err: "continuum: internal error: x is not a function at y; CONTINUUM_DEBUG=1 shows where\n",
      });
      const loud = await run(["config", "schema"], { ...broken, CONTINUUM_DEBUG: "1" });
      expect(loud.err).toContain("cli.test.ts");
    } finally {
      spec.load = load;
    }
  });
});

describe("failures with -o json", () => {
  it.each([
    [["plan", "check", "-f", "none.yaml", "-o", "json"], "malformed-input", 64],
    [["plan", "chek", "--output=json"], "malformed-input", 64],
    [["rollout", "list", "-o", "ndjson", "--url", "http://127.0.0.1:1"], "unreachable", 69],
  ])("%j are one object on standard error", async (argv, errorCode, exitCode) => {
    const { code, out, err } = await run(argv);
    expect({ code, out }).toEqual({ code: exitCode, out: "" });
    expect(err.trim().split("\n")).toHaveLength(1);
    expect(JSON.parse(err)).toEqual({
      error: { code: errorCode, exitCode, message: expect.not.stringMatching(/^continuum:/) },
    });
  });
});

describe("start and quickstart", () => {
  it("hand the settings to the composition root", async () => {
    const { code, started } = await run(
      ["start", "--role", "worker", "--port", "0", "--workers", "3", "--data-dir", "d"],
      { CONTINUUM_LOG_LEVEL: "warn" },
    );
    expect(code).toBe(0);
    expect(started).toMatchObject([
      {
        role: "worker",
        config: { dataDir: join(folder, "d"), api: { port: 0 }, worker: { count: 3 }, logLevel: "warn" },
      },
    ]);
    const { quickstarted } = await run(["quickstart", "--keep"]);
    expect(quickstarted).toEqual([{ keep: true, simulate: false, color: false }]);
    expect((await run(["quickstart", "--simulate"])).quickstarted).toMatchObject([{ keep: false, simulate: true }]);
  });

  it("refuse settings that are wrong before anything starts", async () => {
    const { code, started, err } = await run(["start"], { CONTINUUM_API_PROT: "1" });
    expect({ code, started }).toEqual({ code: 64, started: [] });
    expect(err).toBe(
      "continuum: unknown setting CONTINUUM_API_PROT, in the environment, did you mean CONTINUUM_API_PORT?\n",
    );
  });
});

describe("config", () => {
  it("check shows the settings with their sources, and no secret", async () => {
    const { code, out } = await run(["config", "check", "-o", "json"], {
      CONTINUUM_DATABASE_URL: "postgres://u:hunter2@h/d",
    });
    expect(code).toBe(0);
    expect(out).not.toContain("hunter2");
    expect(JSON.parse(out)).toMatchObject({
      ok: true,
      config: { databaseUrl: "set (not shown)" },
      sources: { databaseUrl: "CONTINUUM_DATABASE_URL in the environment" },
    });
  });

  it("schema is a JSON Schema", async () => {
    expect(JSON.parse((await run(["config", "schema"])).out)).toMatchObject({
      type: "object",
      additionalProperties: false,
    });
  });
});

describe("doctor", () => {
  const at = { check: "ports.7400", looked: "api.port", seen: "taken by nginx" };
  const taken = { ...at, state: "broken" as const, mend: "stop it" };

  it("ends with 0 when nothing is broken, and with 1 otherwise, with the mend beside it", async () => {
    const well = await runForTest(["doctor", "-o", "json"], { folder });
    expect(well.code).toBe(0);
    expect(JSON.parse(well.out)).toMatchObject({ ok: true, broken: 0 });
    const ill = await runForTest(["doctor"], { folder, findings: [taken] });
    expect(ill.code).toBe(1);
    expect(ill.out).toMatch(/BROKEN ports\.7400 +api\.port: taken by nginx\n +-> stop it\n/);
  });

  it("goes on with the defaults when the settings cannot be read", async () => {
    const { code, out } = await run(["doctor", "-o", "json"], { CONTINUUM_API_PROT: "1" });
    const { findings } = JSON.parse(out) as { findings: { check: string; state: string; seen: string }[] };
    expect(code).toBe(1);
    expect(findings[0]).toMatchObject({ check: "settings.read", state: "broken" });
    expect(findings[0]?.seen).toContain("did you mean CONTINUUM_API_PORT?");
  });
});
