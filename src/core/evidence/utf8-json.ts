import { parseJsonStrict } from "../plan/strict-json.ts";

/**
 * The value of a JSON text, undefined for anything that two readers could understand differently: bytes that are not
 * UTF-8, a key that stands twice, a number that cannot be held. What was signed must say one thing to everyone.
 */
export function parseUtf8Json(json: string | Uint8Array, bytesMax: number): unknown {
  let text: string;
  try {
    text = typeof json === "string" ? json : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(json);
  } catch {
    return undefined;
  }
  const parsed = parseJsonStrict(text, { bytesMax });
  return parsed.ok ? parsed.value : undefined;
}
