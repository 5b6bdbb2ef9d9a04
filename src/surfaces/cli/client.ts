import { randomUUID } from "node:crypto";
import type { z } from "zod";
import type { Operation } from "../../contract/operation.ts";
import {
  type OperationInput,
  type OperationName,
  type OperationOutput,
  operations,
} from "../../contract/operations.ts";
import { PROBLEMS, type ProblemDetails } from "../../contract/problem.ts";
import { CliError, failed, malformed, timedOut, unreachable } from "./cli-error.ts";
import { eventStreamParser } from "./event-stream.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";

type StreamName = "rollouts.events" | "audit.export";
type JsonName = Exclude<OperationName, StreamName>;
export type RolloutEventView = OperationOutput<"rollouts.events">;

/** Only the parts that the operation has; a file's bytes may come as a Blob, so that they are read as they are sent. */
export type CallInput<N extends OperationName> = {
  [Key in keyof OperationInput<N> as OperationInput<N>[Key] extends undefined
    ? never
    : Key]: OperationInput<N>[Key] extends Uint8Array
    ? Uint8Array | Blob
    : Key extends "query"
      ? Partial<OperationInput<N>[Key]>
      : OperationInput<N>[Key];
};

/** A typed client of the API, made from the list of operations. Throws `CliError` only. */
export interface ApiClient {
  readonly url: string;
  readonly token: string | undefined;
  call<N extends JsonName>(name: N, input: CallInput<N>): Promise<OperationOutput<N>>;
  /** The events after `after`, until the stream ends; the caller asks again with the last sequence it saw. */
  events(id: string, options: { after: number }): AsyncIterable<RolloutEventView>;
  exportAudit(): AsyncIterable<Uint8Array>;
}

export interface ApiClientOptions {
  url: string;
  token?: string;
  /** For the first POST; a command that makes several adds a number to it. */
  idempotencyKey?: string;
  /** On the clock of `performance.now()`; after it every call ends with exit code 5. */
  deadlineMs?: number;
  /** How long one request may take when there is no deadline. */
  requestMsMax?: number;
}

const REQUEST_MS_MAX = 60_000;
/** An upload of the largest artifact over a slow line. */
const UPLOAD_MS_MAX = 3_600_000;
const RETRY_DELAYS_MS = [200, 800];

export function createApiClient(options: ApiClientOptions): ApiClient {
  const nextKey = idempotencyKeys(options.idempotencyKey);
  return {
    url: options.url,
    token: options.token,
    async call(name, input) {
      const operation: Operation = operations[name];
      const request = requestOf(operation, input as RequestInput, nextKey);
      const response = await sendWithRetries(options, request);
      const body = response.status === 204 ? null : await jsonOf(response);
      return checkedOutput(name, operation.output, body) as OperationOutput<typeof name>;
    },
    async *events(id, { after }) {
      const operation: Operation = operations["rollouts.events"];
      const request = requestOf(operation, { params: { id }, query: { after } }, nextKey);
      request.headers["accept"] = "text/event-stream";
      if (after > 0) request.headers["last-event-id"] = String(after);
      const response = await send(options, { ...request, streams: true });
      yield* eventsOf(response, operation.output as (typeof operations)["rollouts.events"]["output"]);
    },
    async *exportAudit() {
      const request = requestOf(operations["audit.export"], {}, nextKey);
      request.headers["accept"] = "application/x-ndjson";
      const response = await send(options, { ...request, streams: true });
      yield* chunksOf(response);
    },
  };
}

/** The same command with the same key repeats the same requests, in the same order. */
function idempotencyKeys(given: string | undefined): () => string {
  let count = 0;
  return () => {
    count += 1;
    if (given === undefined) return randomUUID();
    return count === 1 ? given : `${given}.${count}`;
  };
}

interface RequestInput {
  params?: Record<string, unknown> | undefined;
  query?: Record<string, unknown> | undefined;
  body?: unknown;
}

interface ApiRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: NonNullable<RequestInit["body"]>;
  /** A stream has no time limit of its own. */
  streams?: boolean;
  msMax?: number;
}

function requestOf(operation: Operation, input: RequestInput, nextKey: () => string): ApiRequest {
  check(operation.params, input.params, "the arguments");
  check(operation.query, input.query, "the options");
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(input.params?.[name] ?? "")),
  );
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(input.query ?? {}))
    if (value !== undefined) query.set(name, String(value));
  const request: ApiRequest = {
    method: operation.method,
    path: query.size === 0 ? path : `${path}?${query}`,
    headers: { accept: "application/json" },
  };
  if (operation.method === "POST") request.headers["idempotency-key"] = nextKey();
  if (operation.body === "bytes") {
    request.headers["content-type"] = "application/octet-stream";
    request.body = input.body as Blob | Uint8Array<ArrayBuffer>;
    request.msMax = UPLOAD_MS_MAX;
  } else if (operation.body !== undefined) {
    check(operation.body, input.body, "the request");
    request.headers["content-type"] = "application/json";
    request.body = JSON.stringify(input.body);
  }
  return request;
}

/** The server checks everything again; here a mistake is told without a journey. */
function check(schema: z.ZodType | undefined, value: unknown, what: string): void {
  const result = schema?.safeParse(value ?? {});
  const issue = result?.success === false ? result.error.issues[0] : undefined;
  if (issue !== undefined) throw malformed(`bad ${issue.path.join(".") || what}`, what, issue.message);
}

async function sendWithRetries(options: ApiClientOptions, request: ApiRequest): Promise<Response> {
  for (const delayMs of RETRY_DELAYS_MS) {
    try {
      return await send(options, request);
    } catch (error) {
      if (!isWorthRepeating(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
  return send(options, request);
}

/** Every request here may be repeated: GET, PUT and DELETE by nature, POST by its idempotency key. */
function isWorthRepeating(error: unknown): boolean {
  return error instanceof CliError && error.code === "unreachable" && error.details["broken"] === true;
}

async function send(options: ApiClientOptions, request: ApiRequest): Promise<Response> {
  const { signal, byDeadline } = timeLimit(options, request);
  let response: Response;
  try {
    response = await fetch(`${options.url}${request.path}`, {
      method: request.method,
      headers:
        options.token === undefined
          ? request.headers
          : { ...request.headers, authorization: `Bearer ${options.token}` },
      redirect: "error", // a credential never follows a redirect to another place
      ...(request.body === undefined ? {} : { body: request.body }),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    throw networkError(error, { url: options.url, byDeadline });
  }
  if (!response.ok) throw await problemOf(response, options.url);
  return response;
}

function timeLimit(
  options: ApiClientOptions,
  request: ApiRequest,
): { signal: AbortSignal | undefined; byDeadline: boolean } {
  const ownMs = request.streams ? Number.POSITIVE_INFINITY : (request.msMax ?? options.requestMsMax ?? REQUEST_MS_MAX);
  const leftMs = options.deadlineMs === undefined ? Number.POSITIVE_INFINITY : options.deadlineMs - performance.now();
  if (leftMs <= 0) throw timedOut("timed out: the time that --timeout gives is over");
  const limitMs = Math.min(ownMs, leftMs);
  if (limitMs === Number.POSITIVE_INFINITY) return { signal: undefined, byDeadline: false };
  return { signal: AbortSignal.timeout(Math.ceil(limitMs)), byDeadline: leftMs <= ownMs };
}

function networkError(error: unknown, where: { url: string; byDeadline: boolean }): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof DOMException && error.name === "TimeoutError")
    return where.byDeadline
      ? timedOut("timed out: the time that --timeout gives is over")
      : unreachable(`no answer from ${where.url} in time, is it overloaded?`);
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  const code = cause?.code ?? cause?.message ?? "network error";
  const isRefused = code === "ECONNREFUSED" || code === "ENOTFOUND";
  const hint = isRefused ? "start it with `continuum start`, or name another with --url" : "is it a Continuum server?";
  return new CliError("unreachable", `cannot reach ${where.url} (${code}), ${hint}`, {
    exitCode: EXIT.unreachable,
    cause: error,
    details: { broken: !isRefused },
  });
}

async function problemOf(response: Response, url: string): Promise<CliError> {
  const text = await response.text().catch(() => "");
  const problem = parsedProblem(text);
  if (problem === undefined) {
    const message = `${url} answered ${response.status} and no problem of ours, is it a Continuum server?`;
    return response.status >= 500 ? unreachable(message) : failed(message);
  }
  const known = Object.hasOwn(PROBLEMS, problem.code) ? PROBLEMS[problem.code] : undefined;
  const where = problem.pointer ? `, at ${problem.pointer}` : "";
  return new CliError(
    "refused",
    `${problem.detail || problem.title}${where} (${problem.code}, request ${problem.requestId})`,
    {
      exitCode: (known?.exit ?? EXIT.failed) as ExitCode,
      details: { problem: problem.code, status: response.status },
    },
  );
}

function parsedProblem(text: string): ProblemDetails | undefined {
  try {
    const value = JSON.parse(text) as Partial<ProblemDetails> | null;
    const isProblem =
      typeof value?.code === "string" && typeof value.title === "string" && typeof value.requestId === "string";
    return isProblem ? { ...(value as ProblemDetails), detail: String(value.detail ?? "") } : undefined;
  } catch {
    return undefined;
  }
}

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    if (error instanceof SyntaxError)
      throw failed(`the server's answer is no JSON, from ${new URL(response.url).host}, is it a Continuum server?`);
    throw networkError(error, { url: new URL(response.url).origin, byDeadline: false });
  }
}

/** The answer as it came, once its shape is seen to be the promised one: newer servers may add fields. */
function checkedOutput(name: string, schema: z.ZodType, body: unknown): unknown {
  const result = schema.safeParse(body);
  if (result.success) return body;
  const issue = result.error.issues[0];
  throw failed(
    `the server's answer to ${name} has another shape at /${issue?.path.join("/") ?? ""}, are the versions of client and server alike?`,
  );
}

async function* chunksOf(response: Response): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response.body ?? []) yield chunk;
  } catch (error) {
    throw networkError(error, { url: new URL(response.url).origin, byDeadline: true });
  }
}

async function* eventsOf(
  response: Response,
  schema: (typeof operations)["rollouts.events"]["output"],
): AsyncGenerator<RolloutEventView> {
  const decoder = new TextDecoder();
  const parse = eventStreamParser();
  for await (const chunk of chunksOf(response)) {
    for (const event of parse(decoder.decode(chunk, { stream: true }))) {
      yield checkedOutput("rollouts.events", schema, jsonText(event.data)) as RolloutEventView;
    }
  }
}

function jsonText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
