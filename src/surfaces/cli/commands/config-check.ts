import type { CommandContext } from "../command-context.ts";
import { loadSettings } from "../load-settings.ts";
import { textRecord } from "../text-table.ts";

/** Shows the settings in force and where each came from. The database's URL may hold a password and is never shown. */
export async function configCheck(context: CommandContext): Promise<number> {
  const { config, file, sources } = loadSettings(context);
  const shown = { ...config, databaseUrl: config.databaseUrl === undefined ? "embedded" : "set (not shown)" };
  await context.show({ ok: true, file: file ?? null, config: shown, sources }, () => {
    const lines = Object.fromEntries(
      leaves(shown, "").map(([path, value]) => [
        path,
        `${String(value)}${sources[path] === undefined ? "" : `   (${sources[path]})`}`,
      ]),
    );
    return `${textRecord({ file: file ?? "none", ...lines })}the settings are well formed\n`;
  });
  return 0;
}

function leaves(value: object, path: string): [string, unknown][] {
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === "object" && inner !== null
      ? leaves(inner, `${path}${key}.`)
      : [[`${path}${key}`, inner] as [string, unknown]],
  );
}
