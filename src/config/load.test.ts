import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ConfigFlags, loadConfig } from "./load.ts";
import { configJsonSchema, settings } from "./schema.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-config-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function load(options: { yaml?: string; variables?: Record<string, string>; flags?: ConfigFlags }) {
  if (options.yaml !== undefined) writeFileSync(join(folder, "continuum.yaml"), options.yaml);
  return loadConfig({
    environment: { variables: options.variables ?? {}, homeDir: "/home/ada", workingDir: folder, hostName: "host-1" },
    flags: options.flags ?? {},
  });
}

function problem(options: Parameters<typeof load>[0]): string {
  const result = load(options);
  return result.ok ? "no problem" : result.problem.message;
}

describe("loadConfig", () => {
  it("answers with the defaults when nothing was said", () => {
    const result = load({});
    expect(result).toMatchObject({
      ok: true,
      value: {
        config: {
          dataDir: "/home/ada/.continuum",
          hostName: "host-1",
          api: { host: "127.0.0.1", port: 7400, allowInsecureHttp: false },
          serving: { port: 7401, captureEnabled: true },
          worker: { count: 2 },
          tenant: "default",
          artifacts: { keyReference: "file:/home/ada/.continuum/keys/artifact-store.key", maxBytes: 536_870_912 },
        },
        sources: {},
      },
    });
  });

  it("lets the environment win over the file, and an option over both, key by key", () => {
    const yaml = "api: { host: 127.0.0.2, port: 1 }\nworker: { count: 3 }\ndataDir: ~/elsewhere\n";
    const variables = {
      CONTINUUM_API_PORT: "2",
      CONTINUUM_WORKER_COUNT: "4",
      CONTINUUM_SERVING_CAPTURE_ENABLED: "false",
    };
    const result = load({ yaml, variables, flags: { "worker.count": { option: "--workers", value: "5" } } });
    expect(result).toMatchObject({
      ok: true,
      value: {
        config: {
          dataDir: "/home/ada/elsewhere",
          api: { host: "127.0.0.2", port: 2 },
          worker: { count: 5 },
          serving: { captureEnabled: false },
        },
        sources: { "api.port": "CONTINUUM_API_PORT in the environment", "worker.count": "--workers" },
      },
    });
  });

  it.each([
    ["api: { prot: 1 }", /^unknown setting api\.prot, .*continuum\.yaml:1:8, did you mean port\?$/],
    ["apis: {}", /^unknown setting apis, .* did you mean api\?$/],
    ["api: { port: many }", /^bad setting api\.port, .*continuum\.yaml:1:8, /],
    ["__proto__: { x: 1 }", /continuum\.yaml:1:1: key "__proto__" is reserved/],
    ["constructor: 1", /continuum\.yaml:1:1: key "constructor" is reserved/],
    ["tenant: a\ntenant: b", /continuum\.yaml:2:1: key "tenant" stands twice/],
    ["tenant: &a x\nlogLevel: *a", /continuum\.yaml:1:\d+: .*(anchor|alias)/],
    ["- a", /continuum\.yaml: not a mapping/],
    ["tenant: !!js/function 'x'", /continuum\.yaml:1:9: .*tag/],
    ["databaseUrl: postgres://u:secret@h/d", /^a password stands in databaseUrl, .* must be a reference/],
    ["databaseUrl: http://h/d", /^bad setting databaseUrl, not a PostgreSQL URL/],
    ["databaseUrl: env:NOT_THERE", /NOT_THERE is not set/],
    ["artifacts: { keyReference: c2VjcmV0 }", /^bad setting artifacts\.keyReference, .*must be file:PATH or env:NAME$/],
  ])("refuses %j with what, where and what would be right", (yaml, message) => {
    const line = problem({ yaml });
    expect(line).toMatch(message);
    expect(line).not.toContain("\n");
    expect(line).not.toContain("secret");
  });

  it("refuses a misspelt variable, and leaves those of Kubernetes and of the client alone", () => {
    expect(problem({ variables: { CONTINUUM_API_PROT: "1" } })).toBe(
      "unknown setting CONTINUUM_API_PROT, in the environment, did you mean CONTINUUM_API_PORT?",
    );
    const links = {
      CONTINUUM_PORT: "tcp://10.0.0.1:7400",
      CONTINUUM_SERVICE_HOST: "10.0.0.1",
      CONTINUUM_PORT_7400_TCP_ADDR: "10.0.0.1",
    };
    expect(load({ variables: { ...links, CONTINUUM_URL: "http://x", CONTINUUM_TOKEN: "t" } }).ok).toBe(true);
  });

  it("refuses a variable that is no number", () => {
    expect(problem({ variables: { CONTINUUM_API_PORT: "7e3" } })).toMatch(
      /^bad setting api\.port, CONTINUUM_API_PORT in the environment/,
    );
  });

  it("takes a password from the environment or a private file, and from no file that all may read", () => {
    const url = "postgres://u:p@h:5432/d";
    expect(load({ variables: { CONTINUUM_DATABASE_URL: url } })).toMatchObject({
      ok: true,
      value: { config: { databaseUrl: url } },
    });
    const file = join(folder, "url");
    writeFileSync(file, `${url}\n`, { mode: 0o600 });
    expect(load({ yaml: `databaseUrl: file:${file}` })).toMatchObject({
      ok: true,
      value: { config: { databaseUrl: url } },
    });
    chmodSync(file, 0o644);
    expect(problem({ yaml: `databaseUrl: file:${file}` })).toMatch(/must have mode 0600$/);
  });

  it("refuses a file that was named and is not there", () => {
    expect(problem({ variables: { CONTINUUM_CONFIG: "nowhere.yaml" } })).toMatch(/^no such file: .*nowhere\.yaml$/);
  });
});

describe("the published schema", () => {
  it("is strict and requires nothing", () => {
    const schema = configJsonSchema();
    expect(schema).toMatchObject({ type: "object", additionalProperties: false });
    expect(schema["required"] ?? []).toEqual([]);
  });

  it("names every setting once, with its variable", () => {
    const names = settings().map((setting) => setting.environmentName);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain("CONTINUUM_API_ALLOW_INSECURE_HTTP");
    expect(names).toContain("CONTINUUM_DATABASE_URL");
  });
});
