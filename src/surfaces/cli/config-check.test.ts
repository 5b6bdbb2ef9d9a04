import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runForTest } from "./testing/run-for-test.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-check-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Checked {
  ok: boolean;
  file: string | null;
  problems: string[];
  config: Record<string, unknown> | null;
  sources: Record<string, string>;
}

async function check(options: { yaml?: string; variables?: Record<string, string>; flags?: string[] }) {
  if (options.yaml !== undefined) writeFileSync(join(folder, "continuum.yaml"), options.yaml);
  const argv = ["config", "check", ...(options.flags ?? [])];
  const given = { folder, variables: options.variables ?? {} };
  const text = await runForTest(argv, given);
  const json = await runForTest([...argv, "-o", "json"], given);
  return { ...text, checked: JSON.parse(json.out) as Checked };
}

describe("config check", () => {
  it("says everything that is wrong at once: in the file, the environment and the options", async () => {
    const { code, out, err, checked } = await check({
      yaml: "api: { prot: 1 }\nworker: { count: many, cuont: 2 }\nartifacts: { keyReference: hunter2 }\n",
      variables: { CONTINUUM_API_PROT: "1", CONTINUUM_SERVING_PORT: "70000", CONTINUUM_LOG_LEVEL: "loud" },
      flags: ["--port", "7e3", "--database-url", "postgres://me:hunter2@db/x"],
    });
    expect(code).toBe(64);
    const yaml = join(folder, "continuum.yaml");
    expect(checked.problems.toSorted()).toEqual([
      "a password stands in databaseUrl, in a file or an option, must be a reference: file:PATH or env:NAME",
      "bad setting api.port, --port, must be an integer from 0 to 65535",
      `bad setting artifacts.keyReference, ${yaml}:3:14, must be file:PATH or env:NAME`,
      expect.stringMatching(/^bad setting logLevel, CONTINUUM_LOG_LEVEL in the environment, .*"debug"/),
      "bad setting serving.port, CONTINUUM_SERVING_PORT in the environment, must be an integer from 0 to 65535",
      `bad setting worker.count, ${yaml}:2:11, must be an integer from 1 to 64`,
      "unknown setting CONTINUUM_API_PROT, in the environment, did you mean CONTINUUM_API_PORT?",
      `unknown setting api.prot, ${yaml}:1:8, did you mean port?`,
      `unknown setting worker.cuont, ${yaml}:2:24, did you mean count?`,
    ]);
    for (const problem of checked.problems) expect(out).toContain(problem);
    expect(err).toBe("9 things are wrong\n");
    expect(checked).toMatchObject({ ok: false, file: yaml, config: null });
    expect(out + JSON.stringify(checked)).not.toContain("hunter2");
  });

  it("goes on past a file that cannot be read", async () => {
    const { code, checked } = await check({ yaml: "a: [", variables: { CONTINUUM_API_PORT: "many" } });
    expect(code).toBe(64);
    expect(checked.problems).toHaveLength(2);
    expect(checked.problems[0]).toContain("continuum.yaml:");
  });

  it("shows what is in force and where each value came from, and no secret", async () => {
    const { code, out, checked } = await check({
      yaml: "webhooks: { linkBaseUrl: 'https://me:hunter2@continuum.example' }\nworker: { count: 3 }\n",
      variables: { CONTINUUM_DATABASE_URL: "postgres://me:hunter2@db/x", CONTINUUM_WORKER_COUNT: "4" },
      flags: ["--workers", "5", "--host", "127.0.0.2"],
    });
    expect(code).toBe(0);
    expect(checked).toMatchObject({
      ok: true,
      problems: [],
      config: { databaseUrl: "set (not shown)", worker: { count: 5 }, api: { host: "127.0.0.2", port: 7400 } },
      sources: {
        databaseUrl: "CONTINUUM_DATABASE_URL in the environment",
        "worker.count": "--workers",
        "api.host": "--host",
        "webhooks.linkBaseUrl": `${join(folder, "continuum.yaml")}:1:13`,
      },
    });
    expect(out).toMatch(/^worker\.count +5 {3}\(--workers\)$/m);
    expect(out).toMatch(/^api\.port +7400 {3}\(default\)$/m);
    expect(out + JSON.stringify(checked)).not.toContain("hunter2");
  });

  it("refuses what is well formed and ends every start", async () => {
    const { code, checked } = await check({
      yaml: "artifacts: { keyReference: 'env:NOT_THERE' }\n",
      flags: ["--host", "0.0.0.0"],
    });
    expect(code).toBe(64);
    expect(checked.problems).toEqual([
      expect.stringContaining("Refusing to serve plain HTTP on 0.0.0.0 (api.host)"),
      "nothing under artifacts.keyReference, NOT_THERE is not set in the environment, set it",
    ]);
    expect((await check({ flags: ["--host", "0.0.0.0", "--allow-insecure-http"], yaml: "" })).code).toBe(0);
  });
});
