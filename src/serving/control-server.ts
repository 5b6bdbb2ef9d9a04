import { chmod, mkdir, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import type { z } from "zod";
import { ContinuumError } from "../core/error.ts";
import type { Log } from "./log.ts";
import { CONTROL_REQUESTS, type ControlAnswer, type ControlFailure, type ControlOperation } from "./protocol.ts";
import { servingError } from "./serving-error.ts";

/** What each operation does; its request was checked against its schema. */
export type ControlHandlers = {
  [O in ControlOperation]: (
    request: z.output<(typeof CONTROL_REQUESTS)[O]>,
  ) => Promise<ControlAnswer<O>> | ControlAnswer<O>;
};

const BODY_BYTES_MAX = 16 * 1024 * 1024;

/** Serves the control API on a unix socket that only this user may open. */
export async function listenForControl(options: {
  socketPath: string;
  handlers: ControlHandlers;
  log: Log;
}): Promise<{ close(): Promise<void> }> {
  const { socketPath, log } = options;
  if (Buffer.byteLength(socketPath) > 100)
    throw servingError("bad-request", `the control socket's path is longer than 100 bytes: ${socketPath}`);
  await mkdir(dirname(socketPath), { recursive: true, mode: 0o700 });
  await refuseWhenServed(socketPath);
  await rm(socketPath, { force: true });
  const server = createServer((request, response) => void answer(request, response, options));
  // Between listen and chmod the socket must not be open to others.
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(socketPath, resolve);
    });
  } finally {
    process.umask(before);
  }
  server.on("error", (error) => log.warn({ reason: error.message }, "a control connection could not be accepted"));
  await chmod(socketPath, 0o600);
  return { close: () => closeServer(server) };
}

/** A socket that a killed process left behind may be replaced; one that answers belongs to somebody. */
export async function refuseWhenServed(socketPath: string): Promise<void> {
  const alive = await new Promise<boolean>((resolve) => {
    const socket = connect(socketPath, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
  if (alive) throw servingError("not-available", `another serving process answers on ${socketPath}`);
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { handlers, log }: { handlers: ControlHandlers; log: Log },
): Promise<void> {
  const operation = Object.keys(CONTROL_REQUESTS).find((name) => request.url === `/${name}`);
  try {
    if (request.method !== "POST" || operation === undefined || !isOperation(operation))
      throw servingError("bad-request", "there is no such operation");
    send(response, 200, await dispatch(handlers, operation, await readBody(request)));
  } catch (error) {
    const failure = failureOf(error);
    log.warn({ operation, code: failure.code, reason: failure.message }, "a control request failed");
    send(response, failure.code === "internal" ? 500 : 409, failure);
  }
}

function isOperation(name: string): name is ControlOperation {
  return Object.hasOwn(CONTROL_REQUESTS, name);
}

async function dispatch<O extends ControlOperation>(
  handlers: ControlHandlers,
  operation: O,
  body: unknown,
): Promise<unknown> {
  const parsed = CONTROL_REQUESTS[operation].safeParse(body);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw servingError("bad-request", `${operation}: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "malformed"}`);
  }
  const handler: (request: never) => unknown = handlers[operation];
  // The schema that was just applied is the handler's own: both are looked up by the same key.
  return await handler(parsed.data as never);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.byteLength;
    if (bytes > BODY_BYTES_MAX) throw servingError("bad-request", "the request is too large");
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw servingError("bad-request", "the request is not JSON");
  }
}

function failureOf(error: unknown): ControlFailure {
  if (error instanceof ContinuumError)
    return { code: error.code, message: error.message, retryable: error.retryable, details: { ...error.details } };
  const message = error instanceof Error ? error.message : String(error);
  return { code: "internal", message, retryable: true, details: {} };
}

function send(response: ServerResponse, status: number, value: unknown): void {
  if (response.destroyed) return;
  const body = JSON.stringify(value);
  response
    .writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
    .end(body);
}
