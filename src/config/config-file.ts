import { readFileSync } from "node:fs";
import { parseDocument } from "yaml";
import type { Parsed } from "../core/error.ts";

const BYTES_MAX = 64 * 1024;

/** The mapping of a `continuum.yaml`; undefined when the file does not exist and `required` is false. */
export function readConfigFile(
  file: string,
  options: { required: boolean },
): Parsed<Record<string, unknown> | undefined> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (missing && !options.required) return { ok: true, value: undefined };
    return bad(
      missing ? `no such file: ${file}` : `cannot read ${file} (${String((error as NodeJS.ErrnoException).code)})`,
    );
  }
  if (Buffer.byteLength(text) > BYTES_MAX)
    return bad(`${file} is larger than 64 KiB, a configuration is a short mapping`);
  return parseConfigText(text, file);
}

/** Plain YAML only: no aliases, no tags, no duplicate keys, so that what is read is what a person sees. */
export function parseConfigText(text: string, file: string): Parsed<Record<string, unknown>> {
  const document = parseDocument(text, {
    version: "1.2",
    schema: "core",
    merge: false,
    uniqueKeys: true,
    prettyErrors: true,
  });
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined) {
    const place = problem.linePos?.[0];
    const where = place === undefined ? file : `${file}:${place.line}:${place.col}`;
    return bad(
      `${problem.message.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? "not YAML"}, ${where}, must be plain YAML`,
    );
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 0 });
  } catch {
    return bad(`an alias, ${file}, must be written out: aliases are not read`);
  }
  if (value === null || value === undefined) return { ok: true, value: {} };
  if (typeof value !== "object" || Array.isArray(value))
    return bad(`not a mapping, ${file}, must be keys such as \`api:\``);
  return { ok: true, value: value as Record<string, unknown> };
}

function bad(message: string): { ok: false; problem: { path: string; message: string } } {
  return { ok: false, problem: { path: "", message } };
}
