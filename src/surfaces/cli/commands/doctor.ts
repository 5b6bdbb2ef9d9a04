import { loadClientSettings } from "../../../config/client-settings.ts";
import type { DoctorOptions } from "../../../config/doctor-options.ts";
import { loadConfig } from "../../../config/load.ts";
import type { Config } from "../../../config/schema.ts";
import type { DoctorFinding } from "../../../core/doctor/finding.ts";
import { CliError } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";
import { loadSettings } from "../load-settings.ts";

/** Looks at the whole set-up and says what is wrong with it and how to mend it. Exit code 1 when something is broken. */
export async function doctor(context: CommandContext): Promise<number> {
  const settings = lookAtSettings(context);
  const client = lookAtClient(context, settings.config);
  const looked = await context.injected.doctor({ config: settings.config, server: client.server });
  const findings = [settings.finding, ...client.findings, ...looked];
  const brokenCount = findings.filter(({ state }) => state === "broken").length;
  const noteCount = findings.filter(({ state }) => state === "note").length;
  await context.show({ ok: brokenCount === 0, broken: brokenCount, notes: noteCount, findings }, () => {
    const notes = noteCount === 1 ? "1 note" : `${noteCount} notes`;
    const end = `${brokenCount === 0 ? "nothing is" : brokenCount} broken, ${notes}`;
    return `${findings.map((finding) => textOf(context, finding)).join("")}\n${end}\n`;
  });
  return brokenCount === 0 ? EXIT.ok : EXIT.failed;
}

function textOf({ paint }: CommandContext, { state, check, looked, seen, mend }: DoctorFinding): string {
  const mark = { ok: paint.good("ok    "), note: paint.warn("note  "), broken: paint.bad("BROKEN") }[state];
  const next = mend === null ? "" : `\n       ${" ".repeat(26)}-> ${mend}`;
  return `${mark} ${check.padEnd(26)}${looked}: ${seen}${next}\n`;
}

/** Settings that cannot be read must not keep the rest from being looked at: the defaults stand in for them. */
function lookAtSettings(context: CommandContext): { config: Config; finding: DoctorFinding } {
  const at = { check: "settings.read", looked: "settings" };
  try {
    const { config, file, sources } = loadSettings(context);
    const set = Object.keys(sources);
    const seen = `${file ?? "no file"}; ${set.length === 0 ? "all defaults" : `${set.join(", ")} set`}`;
    return { config, finding: { ...at, state: "ok", seen, mend: null } };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const dataDir = context.text("dataDir");
    const fallback = loadConfig({
      environment: { ...context.io.environment, variables: {} },
      file: "/dev/null",
      flags: { dataDir: { option: "--data-dir", value: dataDir } },
    });
    if (!fallback.ok) throw error;
    const mend = "mend it, then look again: what follows was looked at with the defaults";
    return { config: fallback.value.config, finding: { ...at, state: "broken", seen: error.message, mend } };
  }
}

function lookAtClient(
  context: CommandContext,
  config: Config,
): { server: DoctorOptions["server"]; findings: DoctorFinding[] } {
  const url = context.text("url");
  const tokenFile = context.text("tokenFile");
  const settings = loadClientSettings({
    environment: context.io.environment,
    dataDir: config.dataDir,
    allowInsecureHttp: config.api.allowInsecureHttp,
    ...(url === undefined ? {} : { url }),
    ...(tokenFile === undefined ? {} : { tokenFile }),
  });
  const at = { check: "settings.client", looked: "where this user's commands go" };
  if (!settings.ok) {
    const mend = "mend it: no command reaches a server with it";
    return { server: undefined, findings: [{ ...at, state: "broken", seen: settings.problem.message, mend }] };
  }
  const { source, token } = settings.value;
  const seen = `${settings.value.url} (${source}), ${token === undefined ? "without a token" : "with a token"}`;
  return { server: settings.value, findings: [{ ...at, state: "ok", seen, mend: null }] };
}
