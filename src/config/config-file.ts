import { readFileSync } from "node:fs";
import type { Parsed } from "../core/error.ts";
import type { Located } from "../core/plan/input-rules.ts";
import { readYaml } from "../core/plan/strict-yaml.ts";

const BYTES_MAX = 64 * 1024;

export interface ConfigFile {
  values: Record<string, unknown>;
  locate: Located["locate"];
}

/** The mapping of a `continuum.yaml`; undefined when the file does not exist and `required` is false. */
export function readConfigFile(file: string, options: { required: boolean }): Parsed<ConfigFile | undefined> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const code = String((error as NodeJS.ErrnoException).code);
    if (code === "ENOENT" && !options.required) return { ok: true, value: undefined };
    return fail(
      code === "ENOENT" ? `no such file: ${file}` : `cannot read ${file} (${code}), it must be a file of yours`,
    );
  }
  const read = text.trim() === "" ? EMPTY : readYaml(text, { bytesMax: BYTES_MAX });
  if (!read.ok) return fail(`${file}${/^\d+:\d+:/.test(read.problem.message) ? ":" : ": "}${read.problem.message}`);
  const { value, locate } = read.value;
  if (value === null) return { ok: true, value: { values: {}, locate } };
  if (typeof value !== "object" || Array.isArray(value))
    return fail(`${file}: not a mapping; it must hold keys such as \`api:\``);
  return { ok: true, value: { values: value as Record<string, unknown>, locate } };
}

const EMPTY: Parsed<Located> = { ok: true, value: { value: null, locate: () => undefined } };

function fail(message: string): { ok: false; problem: { path: string; message: string } } {
  return { ok: false, problem: { path: "", message } };
}
