import { getCompileCacheDir } from "node:module";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "../config/load.ts";
import { childEnvironment } from "./child-environment.ts";

const URL = "postgres://continuum:a-password@127.0.0.1:5432/continuum";
const PLACE = { homeDir: "/home/ada", workingDir: "/nowhere", hostName: "host-1" };

function configOf(variables: Record<string, string>) {
  const loaded = loadConfig({ environment: { variables, ...PLACE } });
  if (!loaded.ok) throw new Error(loaded.problem.message);
  return loaded.value.config;
}

test("a role finds the settings of its supervisor, and the database behind a reference", () => {
  const config = configOf({ CONTINUUM_DATA_DIR: "/data", CONTINUUM_WORKER_COUNT: "3" });
  const env = childEnvironment(config, URL);
  expect(configOf(env as Record<string, string>)).toEqual({ ...config, databaseUrl: URL });
});

test("a role that has no business with the database is not handed its password, whoever runs the database", () => {
  const logins = { CONTINUUM_API_DATABASE_URL: "env:OWN", CONTINUUM_WORKER_DATABASE_URL: "env:OWN", OWN: URL };
  for (const config of [configOf({}), configOf({ CONTINUUM_DATABASE_URL: "env:OWN", ...logins })]) {
    const env = childEnvironment(config, undefined);
    expect(JSON.stringify(env)).not.toContain("a-password");
    expect(env["CONTINUUM_DATABASE_URL"]).toBeUndefined();
  }
});

test("roles start from what their supervisor keeps compiled, and from the data directory where it keeps nothing", () => {
  const kept = getCompileCacheDir();
  const { NODE_COMPILE_CACHE: outer } = process.env;
  const expected = kept === undefined ? "/data/compile-cache" : dirname(kept);
  const env = childEnvironment(configOf({ CONTINUUM_DATA_DIR: "/data" }), undefined);
  expect(env["NODE_COMPILE_CACHE"]).toBe(outer ?? expected);
});
