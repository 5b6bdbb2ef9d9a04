import { join, resolve } from "node:path";
import type { z } from "zod";
import type { Parsed } from "../core/error.ts";
import { nearestKey } from "../core/plan/nearest-key.ts";
import { type ConfigFile, readConfigFile } from "./config-file.ts";
import { absolutePath, resolvedDatabaseUrl } from "./database-url.ts";
import { claimsToBeSetting, type Environment, otherVariableNames } from "./environment.ts";
import { peopleProblems } from "./people-schema.ts";
import { type Config, configSchema, type Setting, settings } from "./schema.ts";
import { workloadProblems } from "./tenants-schema.ts";

/** Settings given on the command line, by their path in the file (`api.port`), with the option that each came by. */
export type ConfigFlags = Readonly<Record<string, { option: string; value: string | boolean | undefined }>>;

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

export type CheckedConfig =
  | { ok: true; value: LoadedConfig }
  | {
      ok: false;
      /** One line each; at least one. */
      problems: readonly string[];
      file?: string;
      sources: Readonly<Record<string, string>>;
    };

/**
 * Reads the settings: defaults, then `continuum.yaml`, then `CONTINUUM_*`, then flags; later ones win, key by key.
 * Errors name what is wrong, where it was said, and what would be right.
 */
export function loadConfig(options: LoadConfigOptions): Parsed<LoadedConfig> {
  const checked = checkConfig(options);
  return checked.ok ? checked : fail(checked.problems[0] ?? "the configuration is malformed");
}

/** As `loadConfig`, with everything that is wrong and not the first alone, so that it can be mended at once. */
export function checkConfig(options: LoadConfigOptions): CheckedConfig {
  const { environment } = options;
  const all = settings();
  const named = options.file ?? environment.variables["CONTINUUM_CONFIG"];
  const file = resolve(environment.workingDir, named ?? "continuum.yaml");
  const read = readConfigFile(file, { required: named !== undefined });
  const content = read.ok ? read.value : undefined;
  const problems = [...(read.ok ? [] : [read.problem.message]), ...unknownVariables(environment, all)];
  const layers: Layer[] = [
    {
      values: { dataDir: join(environment.homeDir, ".continuum"), hostName: environment.hostName },
      place: () => "a default",
    },
    fileLayer(file, content),
    variableLayer(environment, all),
    flagLayer(options.flags ?? {}, all),
  ];
  const values = layers.map((layer) => layer.values).reduce(merged, {});
  const parsed = configSchema.safeParse(values);
  if (parsed.success) problems.push(...peopleProblems(parsed.data), ...workloadProblems(parsed.data));
  else problems.push(...parsed.error.issues.flatMap((issue) => describeIssue(issue, layers, all)));
  const urls = DATABASE_URLS.map((path) => databaseUrlOf(path, { values, environment, layers }));
  problems.push(...urls.flatMap((url) => (url.ok ? [] : [url.problem.message])));
  const origin = { sources: sourcesOf(layers, all), ...(content === undefined ? {} : { file }) };
  if (!parsed.success || problems.length > 0) return { ok: false, problems, ...origin };
  return { ok: true, value: { config: completed(parsed.data, environment, urls), ...origin } };
}

function unknownVariables(environment: Environment, all: Setting[]): string[] {
  const known = [...all.map((setting) => setting.environmentName), ...otherVariableNames()];
  return Object.keys(environment.variables)
    .filter((name) => claimsToBeSetting(name) && !known.includes(name))
    .map(
      (name) => `unknown setting ${name}, in the environment, ${suggestion(nearestKey(name, known), known[0] ?? "")}`,
    );
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

function flagLayer(flags: ConfigFlags, all: Setting[]): Layer {
  const values: Record<string, unknown> = {};
  for (const [path, flag] of Object.entries(flags)) {
    const kind = all.find((setting) => setting.path.join(".") === path)?.kind ?? "text";
    if (flag?.value !== undefined)
      put(values, path.split("."), typeof flag.value === "string" ? typed(flag.value, kind) : flag.value);
  }
  return { values, place: (path) => flags[path]?.option ?? path };
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

/** One line for each thing that is wrong; several keys that nobody knows come as one issue. */
function describeIssue(issue: z.core.$ZodIssue, layers: Layer[], all: Setting[]): string[] {
  const placeOf = (path: readonly PropertyKey[]) => layerOf(layers, path)?.place(path.join(".")) ?? path.join(".");
  if (issue.code !== "unrecognized_keys") {
    const text = issue.path.join(".");
    const range = all.find((setting) => setting.path.join(".") === text)?.range;
    const right = range === undefined ? issue.message.replace(/^Invalid \w+: /, "") : rangeText(range);
    return [`bad setting ${text}, ${placeOf(issue.path)}, ${right}`];
  }
  const siblings = siblingsOf(all, issue.path.map(String));
  return issue.keys.map((key) => {
    const path = [...issue.path, key];
    const meant = suggestion(nearestKey(key, siblings), siblings.join(", "));
    return `unknown setting ${path.join(".")}, ${placeOf(path)}, ${meant}`;
  });
}

function rangeText({ min, max }: NonNullable<Setting["range"]>): string {
  return `must be an integer from ${min} to ${max}`;
}

function siblingsOf(all: Setting[], parent: string[]): string[] {
  const below = all.filter((setting) => parent.every((key, index) => setting.path[index] === key));
  return [...new Set(below.map((setting) => setting.path[parent.length] ?? ""))];
}

function suggestion(near: string | undefined, otherwise: string): string {
  return near === undefined ? `known are ${otherwise}` : `did you mean ${near}?`;
}

function completed(
  data: z.infer<typeof configSchema>,
  environment: Environment,
  urls: readonly Parsed<string | undefined>[],
): Config {
  const dataDir = absolutePath(data.dataDir, environment);
  const { databaseUrl: _whole, artifacts, audit, webhooks, policy, policyDir, serving, ...rest } = data;
  const { databaseUrl: _api, ...api } = data.api;
  const { databaseUrl: _worker, ...worker } = data.worker;
  const [whole, ofApi, ofWorker] = urls.map((url) =>
    url.ok && url.value !== undefined ? { databaseUrl: url.value } : {},
  );
  const keyFile = (name: string) => `file:${join(dataDir, "keys", name)}`;
  return {
    ...rest,
    dataDir,
    artifacts: { ...artifacts, keyReference: artifacts.keyReference ?? keyFile("artifact-store.key") },
    audit: {
      ...{ ...audit, keyReference: audit.keyReference ?? keyFile("audit-checkpoints.key") },
      directory:
        audit.directory === "off" ? null : absolutePath(audit.directory ?? join(dataDir, "checkpoints"), environment),
    },
    serving: { ...serving, captureKeyReference: serving.captureKeyReference ?? keyFile("capture.key") },
    webhooks: { ...webhooks, keyReference: webhooks.keyReference ?? keyFile("webhooks.key") },
    policy: { ...policy, keyReference: policy.keyReference ?? keyFile("policy.key") },
    ...(policyDir === undefined ? {} : { policyDir: absolutePath(policyDir, environment) }),
    ...{ ...whole, api: { ...api, ...ofApi }, worker: { ...worker, ...ofWorker } },
  };
}

/** Every setting that holds a database's URL, in the order that `completed` takes them. */
const DATABASE_URLS = [["databaseUrl"], ["api", "databaseUrl"], ["worker", "databaseUrl"]] as const;

/** Looked at whatever else is wrong. What is no text is the schema's to refuse. */
function databaseUrlOf(
  path: readonly string[],
  from: { values: Record<string, unknown>; environment: Environment; layers: Layer[] },
): Parsed<string | undefined> {
  const { values, environment, layers } = from;
  const reference = valueAt(values, path);
  if (typeof reference !== "string" || reference === "") return { ok: true, value: undefined };
  const passwordAllowed = layerOf(layers, path) === layers[2];
  return resolvedDatabaseUrl({ setting: path.join("."), reference, environment, passwordAllowed });
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
