import type { Environment } from "../../../config/environment.ts";
import { checkConfig } from "../../../config/load.ts";
import { openHttp } from "../../../config/open-http.ts";
import type { Config } from "../../../config/schema.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";
import { settingsOptions } from "../load-settings.ts";
import { printable } from "../printable.ts";
import { textRecord } from "../text-table.ts";

/** Shows the settings in force and where each came from, or everything that keeps `start` from taking them. */
export async function configCheck(context: CommandContext): Promise<number> {
  const options = settingsOptions(context);
  const checked = checkConfig(options);
  const config = checked.ok ? checked.value.config : undefined;
  const { file, sources } = checked.ok ? checked.value : checked;
  const problems = checked.ok ? startProblems(checked.value.config, options.environment) : checked.problems;
  const shown = config === undefined ? null : withoutSecrets(config);
  const result = { ok: problems.length === 0, file: file ?? null, problems, config: shown, sources };
  await context.show(result, () => {
    const settings = shown === null ? {} : shownLines(shown, sources);
    const said = problems.map((problem) => `${context.paint.bad("wrong")}  ${printable(problem)}\n`).join("");
    const end = problems.length === 0 ? "the settings are well formed\n" : "";
    return `${textRecord({ file: file ?? "none", ...settings })}${said}${end}`;
  });
  if (problems.length === 0) return EXIT.ok;
  // Said on standard error as every refusal is: whoever sends the report elsewhere must still see that there is one.
  context.io.err(`${counted(problems.length)} wrong\n`);
  return EXIT.malformed;
}

function counted(count: number): string {
  return count === 1 ? "1 thing is" : `${count} things are`;
}

/** What is well formed and still ends a start. */
function startProblems(config: Config, { variables }: Environment): string[] {
  const references = {
    "artifacts.keyReference": config.artifacts,
    "artifacts.previousKeyReference": { keyReference: config.artifacts.previousKeyReference },
    "serving.captureKeyReference": { keyReference: config.serving.captureKeyReference },
    "webhooks.keyReference": config.webhooks,
    "policy.keyReference": config.policy,
    "audit.keyReference": config.audit,
    "tls.key": { keyReference: config.tls.key },
    "oidc.clientSecretReference": { keyReference: config.oidc.clientSecretReference },
  };
  const missing = Object.entries(references).flatMap(([setting, { keyReference = "" }]) => {
    const name = /^env:(.*)$/.exec(keyReference)?.[1];
    return name === undefined || variables[name]
      ? []
      : [`nothing under ${setting}, ${name} is not set in the environment, set it`];
  });
  return [...openHttp(config).map(({ message }) => message), ...missing];
}

/** The database's URL may hold a password, and so may one that people are led to. */
function withoutSecrets(config: Config): Record<string, unknown> {
  const { linkBaseUrl, ...webhooks } = config.webhooks;
  const link = linkBaseUrl === undefined ? {} : { linkBaseUrl: linkBaseUrl.replace(/\/\/[^/@]*@/, "//(not shown)@") };
  const databaseUrl = config.databaseUrl === undefined ? "embedded" : "set (not shown)";
  const hidden = (login: { databaseUrl?: string }) =>
    login.databaseUrl === undefined ? {} : { databaseUrl: "set (not shown)" };
  const logins = {
    api: { ...config.api, ...hidden(config.api) },
    worker: { ...config.worker, ...hidden(config.worker) },
  };
  return { ...config, ...logins, databaseUrl, webhooks: { ...webhooks, ...link } };
}

function shownLines(shown: object, sources: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    leaves(shown, "").map(([path, value]) => [path, `${String(value)}   (${sources[path] ?? "default"})`]),
  );
}

function leaves(value: object, path: string): [string, unknown][] {
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === "object" && inner !== null
      ? leaves(inner, `${path}${key}.`)
      : [[`${path}${key}`, inner] as [string, unknown]],
  );
}
