import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Parsed } from "../core/error.ts";
import type { Environment } from "./environment.ts";
import { readSecretFile } from "./secret-file.ts";

/** Where a client finds the server, and who it is there. */
export interface ClientSettings {
  url: string;
  /** Undefined when none was given: the server then says that one is needed. */
  token?: string;
  /** Which of the places the URL came from, for the reader of an error. */
  source: "option" | "environment" | "data folder" | "default";
}

/** `<dataDir>/cli.json`, written by `start` so that the first command after it just works. */
export interface ClientFile {
  url: string;
  token: string;
}

const FILE_NAME = "cli.json";
const DEFAULT_URL = "http://127.0.0.1:7400";

export interface ClientSettingsOptions {
  environment: Environment;
  dataDir: string;
  url?: string;
  /** `--token-file`: a token on a command line would stand in every process list. */
  tokenFile?: string;
  /** Allow a token to travel over plain HTTP to another machine. */
  allowInsecureHttp?: boolean;
}

/**
 * Options, then `CONTINUUM_URL` and `CONTINUUM_TOKEN`, then `<dataDir>/cli.json`. The token of `cli.json` goes only to
 * the server it was written for, and no token goes over plain HTTP to another machine.
 */
export function loadClientSettings(options: ClientSettingsOptions): Parsed<ClientSettings> {
  const file = readClientFile(options.dataDir);
  if (!file.ok) return file;
  const { variables } = options.environment;
  const chosen = firstUrl(options.url, variables["CONTINUUM_URL"], file.value?.url);
  const url = parsedUrl(chosen.url, options.allowInsecureHttp === true);
  if (!url.ok) return url;
  const token = chosenToken(options, url.value, file.value);
  if (!token.ok) return token;
  const settings: ClientSettings = { url: url.value, source: chosen.source };
  if (token.value !== undefined) settings.token = token.value;
  return { ok: true, value: settings };
}

/** Writes `<dataDir>/cli.json`, readable by its owner only, in one step. */
export function writeClientFile(dataDir: string, content: ClientFile): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const file = join(dataDir, FILE_NAME);
  const fresh = `${file}.${process.pid}.new`;
  writeFileSync(fresh, `${JSON.stringify(content)}\n`, { mode: 0o600 });
  chmodSync(fresh, 0o600);
  renameSync(fresh, file);
}

/**
 * Says where the server of this data folder listens from now on; the token stays the one that is there. Without a file,
 * or with one that cannot be read, nothing is written: then there is no token to keep.
 */
export function moveClientFile(dataDir: string, url: string): void {
  const file = readClientFile(dataDir);
  if (file.ok && file.value !== undefined && file.value.url !== url)
    writeClientFile(dataDir, { url, token: file.value.token });
}

function firstUrl(
  option: string | undefined,
  variable: string | undefined,
  file: string | undefined,
): { url: string; source: ClientSettings["source"] } {
  if (option !== undefined) return { url: option, source: "option" };
  if (variable !== undefined && variable !== "") return { url: variable, source: "environment" };
  return file === undefined ? { url: DEFAULT_URL, source: "default" } : { url: file, source: "data folder" };
}

function parsedUrl(text: string, allowInsecureHttp: boolean): Parsed<string> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol) || url.username !== "" || url.password !== "")
    return fail(
      "bad server address, --url or CONTINUUM_URL, must be https://HOST[:PORT] or http://127.0.0.1:PORT, without a credential",
    );
  if (url.protocol === "http:" && !isLoopback(url.hostname) && !allowInsecureHttp)
    return fail(
      `plain HTTP to ${url.host}, --url or CONTINUUM_URL, must be https:// (or say --allow-insecure-http on a network you trust)`,
    );
  return { ok: true, value: url.href.replace(/\/+$/, "") };
}

/** The literals only: a name that resolves to loopback today may resolve elsewhere tomorrow. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname);
}

function chosenToken(
  options: ClientSettingsOptions,
  url: string,
  file: ClientFile | undefined,
): Parsed<string | undefined> {
  if (options.tokenFile !== undefined) return readTokenFile(options.tokenFile);
  const variable = options.environment.variables["CONTINUUM_TOKEN"];
  if (variable !== undefined && variable !== "") return checkedToken(variable.trim(), "CONTINUUM_TOKEN");
  const isItsServer = file !== undefined && URL.canParse(file.url) && new URL(file.url).origin === new URL(url).origin;
  return isItsServer ? checkedToken(file.token, FILE_NAME) : { ok: true, value: undefined };
}

function readTokenFile(file: string): Parsed<string> {
  const token = readSecretFile(file, "a token");
  return token.ok ? checkedToken(token.value.trim(), file) : token;
}

/** Printable ASCII without spaces: anything else would end or split the header that it travels in. */
function checkedToken(token: string, where: string): Parsed<string> {
  return /^[\x21-\x7e]{8,512}$/.test(token)
    ? { ok: true, value: token }
    : fail(`not a token, ${where}, must be one line such as ctm_...`);
}

function readClientFile(dataDir: string): Parsed<ClientFile | undefined> {
  const file = join(dataDir, FILE_NAME);
  let content: unknown;
  try {
    const { mode } = statSync(file);
    if (process.platform !== "win32" && (mode & 0o077) !== 0)
      return fail(`a token that others may read, ${file}, must have mode 0600`);
    content = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { ok: true, value: undefined };
    return fail(`cannot read ${file}, it is damaged or not yours, remove it and give --url and CONTINUUM_TOKEN`);
  }
  const { url, token } = (content ?? {}) as Partial<ClientFile>;
  if (typeof url === "string" && typeof token === "string") return { ok: true, value: { url, token } };
  return fail(`cannot read ${file}, it is damaged, remove it and give --url and CONTINUUM_TOKEN`);
}

function fail(message: string): { ok: false; problem: { path: string; message: string } } {
  return { ok: false, problem: { path: "", message } };
}
