import { type ConfigFlags, type LoadedConfig, loadConfig } from "../../config/load.ts";
import { malformed } from "./cli-error.ts";
import { type CommandContext, integerOf } from "./command-context.ts";

/** The settings in force for this command, with the options that it has. */
export function loadSettings(context: CommandContext): LoadedConfig {
  const file = context.text("config");
  const options = {
    environment: context.io.environment,
    flags: flagsOf(context),
    ...(file === undefined ? {} : { file }),
  };
  const loaded = loadConfig(options);
  if (!loaded.ok) throw malformed(loaded.problem.message, "", "");
  return loaded.value;
}

function flagsOf(context: CommandContext): ConfigFlags {
  const integer = (name: string, flag: string, max: number, min = 0) => {
    const text = context.text(name);
    return text === undefined ? undefined : integerOf(text, flag, { min, max });
  };
  return {
    dataDir: context.text("dataDir"),
    databaseUrl: context.text("databaseUrl"),
    logLevel: context.text("logLevel"),
    "api.host": context.text("host"),
    "api.port": integer("port", "--port", 65_535),
    "api.allowInsecureHttp": context.flag("allowInsecureHttp") ? true : undefined,
    "serving.host": context.text("servingHost"),
    "serving.port": integer("servingPort", "--serving-port", 65_535),
    "worker.count": integer("workers", "--workers", 64, 1),
  };
}
