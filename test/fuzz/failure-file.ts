import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** An input that broke a property, with what it takes to feed it again. */
export interface Failure {
  target: string;
  seed: number;
  message: string;
  input: unknown;
}

/** Writes the input as JSON, bytes as base64, under a name of its own; answers the path. */
export function writeFailure(folder: string, failure: Failure): string {
  mkdirSync(folder, { recursive: true });
  const text = inputText(failure);
  const name = `${failure.target}-${createHash("sha256").update(text).digest("hex").slice(0, 12)}.json`;
  const path = join(folder, name);
  writeFileSync(path, `${text}\n`);
  return path;
}

export function readFailure(path: string): Failure {
  return JSON.parse(readFileSync(path, "utf8"), (_, value: unknown) => {
    const isBytes = typeof value === "object" && value !== null && "$base64" in value;
    return isBytes ? new Uint8Array(Buffer.from(String(value.$base64), "base64")) : value;
  }) as Failure;
}

function inputText(failure: Failure): string {
  return JSON.stringify(
    failure,
    function (this: Record<string, unknown>, key, value: unknown) {
      // A Buffer has turned itself into something else by the time that it comes as the value.
      const original = this[key];
      return original instanceof Uint8Array ? { $base64: Buffer.from(original).toString("base64") } : value;
    },
    1,
  );
}
