import { type ConfigFlags, type LoadConfigOptions, type LoadedConfig, loadConfig } from "../../config/load.ts";
import { malformed } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";

/** The settings in force for this command, with the options that it has. */
export function loadSettings(context: CommandContext): LoadedConfig {
  const loaded = loadConfig(settingsOptions(context));
  if (!loaded.ok) throw malformed(loaded.problem.message, "", "");
  return loaded.value;
}

/** Where this command's settings come from. */
export function settingsOptions(context: CommandContext): LoadConfigOptions {
  const file = context.text("config");
  return {
    environment: context.io.environment,
    flags: flagsOf(context),
    ...(file === undefined ? {} : { file }),
  };
}

function flagsOf(context: CommandContext): ConfigFlags {
  const text = (option: string, name: string) => ({ option, value: context.text(name) });
  return {
    dataDir: text("--data-dir", "dataDir"),
    databaseUrl: text("--database-url", "databaseUrl"),
    logLevel: text("--log-level", "logLevel"),
    "api.host": text("--host", "host"),
    "api.port": text("--port", "port"),
    "api.allowInsecureHttp": {
      option: "--allow-insecure-http",
      value: context.flag("allowInsecureHttp") ? true : undefined,
    },
    "serving.host": text("--serving-host", "servingHost"),
    "serving.port": text("--serving-port", "servingPort"),
    "worker.count": text("--workers", "workers"),
  };
}
