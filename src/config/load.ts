import { isAbsolute, join, resolve } from "node:path";
import type { z } from "zod";
import type { Parsed } from "../core/error.ts";
import { nearestKey } from "../core/plan/nearest-key.ts";
import { type ConfigFile, readConfigFile } from "./config-file.ts";
import { claimsToBeSetting, type Environment, otherVariableNames } from "./environment.ts";
import { type Config, configSchema, type Setting, settings } from "./schema.ts";
import { readSecretFile } from "./secret-file.ts";

/** Settings given on the command line, by their path in the file (`api.port`). */
export type ConfigFlags = Readonly<Record<string, string | number | boolean | undefined>>;

export interface LoadConfigOptions {
  environment: Environment;
  /** `--config FILE`; must exist when given. Otherwise `CONTINUUM_CONFIG`, else `continuum.yaml` here when there is one. */
  file?: string;
  flags?: ConfigFlags;
}

export interface LoadedConfig {
  config: Config;
  /** The file that was read; undefined when there was none. */
  file?: string;
  /** Where each setting that is no default came from, by its path in the file. */
  sources: Readonly<Record<string, string>>;
}

interface Layer {
  values: Record<string, unknown>;
  /** How the reader of an error finds the setting again. */
  place(path: string): string;
}

/**
 * Reads the settings: defaults, then `continuum.yaml`, then `CONTINUUM_*`, then flags; later ones win, key by key.
 * Errors name what is wrong, where it was said, and what would be right.
 */
export function loadConfig(options: LoadConfigOptions): Parsed<LoadedConfig> {
  const { environment } = options;
  const all = settings();
  const named = options.file ?? environment.variables["CONTINUUM_CONFIG"];
  const file = resolve(environment.workingDir, named ?? "continuum.yaml");
  const read = readConfigFile(file, { required: named !== undefined });
  if (!read.ok) return read;
  const unknownVariable = unknownVariables(environment, all);
  if (unknownVariable !== undefined) return fail(unknownVariable);

  const layers: Layer[] = [
    {
      values: { dataDir: join(environment.homeDir, ".continuum"), hostName: environment.hostName },
      place: () => "a default",
    },
    fileLayer(file, read.value),
    variableLayer(environment, all),
    flagLayer(options.flags ?? {}),
  ];
  const parsed = configSchema.safeParse(layers.map((layer) => layer.values).reduce(merged, {}));
  if (!parsed.success) return fail(describeIssue(parsed.error, layers, all));
  const config = completed(parsed.data, environment, layers);
  if (!config.ok) return config;
  const loaded: LoadedConfig = { config: config.value, sources: sourcesOf(layers, all) };
  if (read.value !== undefined) loaded.file = file;
  return { ok: true, value: loaded };
}

function unknownVariables(environment: Environment, all: Setting[]): string | undefined {
  const known = [...all.map((setting) => setting.environmentName), ...otherVariableNames()];
  for (const name of Object.keys(environment.variables)) {
    if (!claimsToBeSetting(name) || known.includes(name)) continue;
    return `unknown setting ${name}, in the environment, ${suggestion(nearestKey(name, known), known[0] ?? "")}`;
  }
  return undefined;
}

function fileLayer(file: string, read: ConfigFile | undefined): Layer {
  const place = (path: string) => {
    const position = read?.locate(`/${path.replaceAll(".", "/")}`);
    return position === undefined ? file : `${file}:${position.line}:${position.column}`;
  };
  return { values: read?.values ?? {}, place };
}

function variableLayer(environment: Environment, all: Setting[]): Layer {
  const values: Record<string, unknown> = {};
  for (const setting of all) {
    const text = environment.variables[setting.environmentName];
    if (text !== undefined && text !== "") put(values, setting.path, typed(text, setting.kind));
  }
  const place = (path: string) => {
    const name = all.find((setting) => setting.path.join(".") === path)?.environmentName;
    return `${name ?? path} in the environment`;
  };
  return { values, place };
}

function flagLayer(flags: ConfigFlags): Layer {
  const values: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(flags)) if (value !== undefined) put(values, path.split("."), value);
  return { values, place: (path) => `the option for ${path}` };
}

/** A text that is no number or no truth value is left as it is: the schema then says what would be right. */
function typed(text: string, kind: Setting["kind"]): unknown {
  if (kind === "integer") return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
  if (kind === "flag") return { true: true, "1": true, false: false, "0": false }[text] ?? text;
  return text;
}

function put(into: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path;
  if (key === undefined) return;
  if (rest.length === 0) {
    into[key] = value;
    return;
  }
  const inner = isMapping(into[key]) ? into[key] : {};
  into[key] = inner;
  put(inner, rest, value);
}

function merged(below: Record<string, unknown>, above: Record<string, unknown>): Record<string, unknown> {
  const entries = new Map<string, unknown>(Object.entries(below));
  for (const [key, value] of Object.entries(above)) {
    const under = entries.get(key);
    entries.set(key, isMapping(under) && isMapping(value) ? merged(under, value) : value);
  }
  return Object.fromEntries(entries); // defines keys such as `__proto__` as data, so that the schema refuses them
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function valueAt(values: unknown, path: readonly PropertyKey[]): unknown {
  let value = values;
  for (const key of path) value = isMapping(value) && Object.hasOwn(value, key) ? value[String(key)] : undefined;
  return value;
}

function layerOf(layers: Layer[], path: readonly PropertyKey[]): Layer | undefined {
  return layers.findLast((layer) => valueAt(layer.values, path) !== undefined);
}

function describeIssue(error: z.ZodError, layers: Layer[], all: Setting[]): string {
  const issue = error.issues[0];
  if (issue === undefined) return "the configuration is malformed";
  const unknown = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const path = unknown === undefined ? issue.path : [...issue.path, unknown];
  const text = path.join(".");
  const place = layerOf(layers, path)?.place(text) ?? text;
  if (unknown === undefined) return `bad setting ${text}, ${place}, ${issue.message.replace(/^Invalid \w+: /, "")}`;
  const siblings = siblingsOf(all, issue.path.map(String));
  return `unknown setting ${text}, ${place}, ${suggestion(nearestKey(unknown, siblings), siblings.join(", "))}`;
}

function siblingsOf(all: Setting[], parent: string[]): string[] {
  const below = all.filter((setting) => parent.every((key, index) => setting.path[index] === key));
  return [...new Set(below.map((setting) => setting.path[parent.length] ?? ""))];
}

function suggestion(near: string | undefined, otherwise: string): string {
  return near === undefined ? `known are ${otherwise}` : `did you mean ${near}?`;
}

function completed(data: z.infer<typeof configSchema>, environment: Environment, layers: Layer[]): Parsed<Config> {
  const dataDir = absolute(data.dataDir, environment);
  const { databaseUrl: reference, artifacts, webhooks, ...rest } = data;
  const keyFile = (name: string) => `file:${join(dataDir, "keys", name)}`;
  const config: Config = {
    ...rest,
    dataDir,
    artifacts: { ...artifacts, keyReference: artifacts.keyReference ?? keyFile("artifact-store.key") },
    webhooks: { ...webhooks, keyReference: webhooks.keyReference ?? keyFile("webhooks.key") },
  };
  if (reference === undefined) return { ok: true, value: config };
  const fromVariable = layerOf(layers, ["databaseUrl"]) === layers[2];
  const url = resolvedDatabaseUrl({ reference, environment, passwordAllowed: fromVariable });
  return url.ok ? { ok: true, value: { ...config, databaseUrl: url.value } } : url;
}

/** A password in a file or on a command line is read by others sooner or later; only a reference may stand there. */
function resolvedDatabaseUrl(options: {
  reference: string;
  environment: Environment;
  passwordAllowed: boolean;
}): Parsed<string> {
  const { reference, environment } = options;
  const isReference = /^(file|env):/.test(reference);
  const text = isReference ? readReference(reference, environment) : { ok: true as const, value: reference };
  if (!text.ok) return text;
  const url = URL.canParse(text.value) ? new URL(text.value) : undefined;
  if (url === undefined || !["postgres:", "postgresql:"].includes(url.protocol))
    return fail("bad setting databaseUrl, not a PostgreSQL URL, must be postgres://USER@HOST:PORT/DATABASE");
  const hasPassword = url.password !== "" || url.searchParams.has("password");
  if (hasPassword && !isReference && !options.passwordAllowed)
    return fail("a password stands in databaseUrl, in a file or an option, must be a reference: file:PATH or env:NAME");
  return { ok: true, value: text.value };
}

function readReference(reference: string, environment: Environment): Parsed<string> {
  if (reference.startsWith("env:")) {
    const name = reference.slice("env:".length);
    const value = environment.variables[name];
    return value
      ? { ok: true, value }
      : fail(`nothing under databaseUrl's reference, ${name} is not set in the environment, set it`);
  }
  return readSecretFile(absolute(reference.slice("file:".length), environment), "the database URL");
}

function absolute(path: string, environment: Environment): string {
  if (path === "~" || path.startsWith("~/")) return join(environment.homeDir, path.slice(1));
  return isAbsolute(path) ? path : resolve(environment.workingDir, path);
}

function sourcesOf(layers: Layer[], all: Setting[]): Record<string, string> {
  const sources: Record<string, string> = {};
  for (const setting of all) {
    const layer = layerOf(layers.slice(1), setting.path);
    const path = setting.path.join(".");
    if (layer !== undefined) sources[path] = layer.place(path);
  }
  return sources;
}

function fail(message: string): { ok: false; problem: { path: string; message: string } } {
  return { ok: false, problem: { path: "", message } };
}
