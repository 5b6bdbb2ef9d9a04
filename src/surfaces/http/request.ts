import type { Context } from "hono";
import type { z } from "zod";
import type { Operation } from "../../contract/operation.ts";
import type { ProblemCode } from "../../contract/problem.ts";
import { quote } from "../../core/plan/input-rules.ts";
import { shapeProblem } from "../../core/plan/shape-problem.ts";
import { parseJsonStrict } from "../../core/plan/strict-json.ts";
import { Refusal } from "../../service/refusal.ts";

export interface Limits {
  /** Largest JSON body, in bytes. */
  jsonBytesMax: number;
  /** Largest raw body (an artifact), in bytes. */
  rawBytesMax: number;
  /** How many bytes of bodies may be in memory at a time, all requests together. */
  heldBytesMax: number;
}

/** Bytes of bodies that are in memory now. One caller with many large uploads must not end the process for all. */
export class HeldBytes {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** One request's share; `release` when it was answered. */
  hold(): Hold {
    let held = 0;
    return {
      take: (bytes) => {
        if (this.#bytes + bytes > this.#bytesMax) return false;
        this.#bytes += bytes;
        held += bytes;
        return true;
      },
      release: () => {
        this.#bytes -= held;
        held = 0;
      },
    };
  }
}

export interface Hold {
  /** False when there is no room for so many more bytes. */
  take(bytes: number): boolean;
  release(): void;
}

interface RawInput {
  params: unknown;
  query: unknown;
  body: unknown;
}

/**
 * Reads a request as its operation describes it. Errors: `malformed-request`, `too-large`, `unsupported-media-type`,
 * `unavailable` when other requests hold all the memory that bodies may take.
 */
export async function readInput(
  c: Context,
  operation: Operation,
  { limits, hold }: { limits: Limits; hold: Hold },
): Promise<RawInput> {
  return {
    params: operation.params === undefined ? undefined : check(operation.params, plain(c.req.param(), "path"), "path"),
    query: readQuery(c, operation),
    body: await readBody(c, operation, { limits, hold }),
  };
}

/** A misspelt filter that is passed over would answer with everything, as if it had been asked for. */
function readQuery(c: Context, { query }: Operation): unknown {
  const given = plain(queryOf(c), "query");
  const [first] = Object.keys(given);
  if (query !== undefined) return check(strictly(query), given, "query");
  if (first === undefined) return undefined;
  throw malformed(`query: unknown key ${quote(first)}; this operation takes no query`);
}

const strictSchemas = new WeakMap<z.ZodObject, z.ZodObject>();

function strictly(schema: z.ZodObject): z.ZodObject {
  const strict = strictSchemas.get(schema) ?? schema.strict();
  strictSchemas.set(schema, strict);
  return strict;
}

/** No name holds U+0000, and the database takes no text that does. */
function plain(values: Record<string, string>, place: "path" | "query"): Record<string, string> {
  const key = Object.keys(values).find((name) => name.includes("\0") || values[name]?.includes("\0"));
  if (key !== undefined) throw malformed(`${place}: /${key.replaceAll("\0", "")}: holds the character U+0000`);
  return values;
}

function queryOf(c: Context): Record<string, string> {
  const entries = [...new URL(c.req.url).searchParams];
  const twice = entries.find(([key], index) => entries.findIndex(([other]) => other === key) !== index);
  if (twice !== undefined) throw malformed(`The query names "${twice[0]}" twice; name it once.`);
  return Object.fromEntries(entries);
}

async function readBody(
  c: Context,
  operation: Operation,
  { limits, hold }: { limits: Limits; hold: Hold },
): Promise<unknown> {
  if (operation.body === undefined) return undefined;
  if (operation.body === "bytes") return readBytes(c, { bytesMax: limits.rawBytesMax, hold });
  const bytes = await readBytes(c, { bytesMax: limits.jsonBytesMax, hold });
  // A body whose members are all optional may be left out.
  if (bytes.length === 0) return check(operation.body, {}, "body");
  const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (type !== "application/json") {
    throw problem("unsupported-media-type", "The body must be JSON: send content-type application/json.");
  }
  const parsed = parseJsonStrict(decode(bytes), { bytesMax: limits.jsonBytesMax });
  if (!parsed.ok) throw malformed(parsed.problem.message, parsed.problem.path);
  return check(operation.body, parsed.value, "body");
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Refusal("malformed-request", "The body is not valid UTF-8.", { cause });
  }
}

async function readBytes(c: Context, { bytesMax, hold }: { bytesMax: number; hold: Hold }): Promise<Uint8Array> {
  const tooLarge = () => problem("too-large", `The body is larger than the limit of ${bytesMax} bytes.`);
  if (Number(c.req.header("content-length") ?? 0) > bytesMax) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of c.req.raw.body ?? []) {
      size += chunk.length;
      if (size > bytesMax) throw tooLarge();
      if (!hold.take(chunk.length))
        throw problem("unavailable", "The server reads as many large bodies as it can now.");
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    // Whoever went away hears nothing of this; that it was the caller's doing is for the log and the figures.
    throw new Refusal("malformed-request", "The body ended before it was whole.", { cause });
  }
  return Buffer.concat(chunks, size);
}

function check(schema: z.ZodType, value: unknown, place: "path" | "query" | "body"): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = shapeProblem(result.error, schema, value);
  throw place === "body" ? malformed(message, path) : malformed(`${place}: ${message}`);
}

function malformed(message: string, pointer?: string): Refusal {
  return problem("malformed-request", message, pointer === undefined ? {} : { pointer });
}

function problem(code: ProblemCode, message: string, details: Record<string, unknown> = {}): Refusal {
  return new Refusal(code, message, { details });
}
