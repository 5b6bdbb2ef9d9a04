import { randomUUID } from "node:crypto";
import type { Context } from "hono";
import { Hono } from "hono";
import type { Registry } from "prom-client";
import type { Operation } from "../../contract/operation.ts";
import { type OperationName, operations } from "../../contract/operations.ts";
import type { ProblemDetails } from "../../contract/problem.ts";
import type { Principal } from "../../service/principal.ts";
import { Refusal } from "../../service/refusal.ts";
import type { Service, ServiceRequest } from "../../service/service.ts";
import type { RateLimit } from "../../service/tenancy.ts";
import { ClientAddresses } from "./client-address.ts";
import { exchangeRoute } from "./exchange-route.ts";
import { httpMetrics } from "./http-metrics.ts";
import { openApiDocument } from "./openapi.ts";
import { opsRoutes } from "./ops-server.ts";
import { pageRoutes } from "./page-routes.ts";
import { problemDetails, problemOf, problemResponse } from "./problem.ts";
import { RateLimiter } from "./rate-limit.ts";
import { HeldBytes, type Hold, type Limits, readInput } from "./request.ts";
import { addSecurityHeaders } from "./security-headers.ts";
import { requireOwnPage, sessionOf } from "./session-cookie.ts";
import { signInRoutes } from "./sign-in-routes.ts";
import { ndjsonResponse, sseResponse } from "./stream.ts";
import { StreamSlots } from "./stream-slots.ts";

export interface HttpAppOptions {
  version: string;
  registry: Registry;
  log: HttpLog;
  limits?: Partial<Limits>;
  /** How often each principal may ask; without one as often as it likes. */
  rate?: RateLimit;
  heartbeatMs?: number;
  /** Proxies whose X-Forwarded-For is believed: addresses or networks with commas. */
  trustedProxies?: string;
  /** Whether browsers reach this by TLS: they are told never to come without it. */
  strictTransport?: () => boolean;
  /** Ends every open stream, so that a stop does not wait for its readers. */
  shutdown?: AbortSignal;
}

/** The part of the program's log that the surface writes: an event's name and plain facts. */
export interface HttpLog {
  info(event: string, facts: Record<string, string | number>): void;
  error(event: string, facts: Record<string, string | number>): void;
}

/** Raw bodies are artifacts; the store has its own limit, this one only keeps a request from filling the memory. */
const DEFAULT_LIMITS: Limits = {
  jsonBytesMax: 1024 * 1024,
  rawBytesMax: 512 * 1024 * 1024,
  heldBytesMax: 768 * 1024 * 1024,
};

/** The HTTP surface: one route for each operation of the contract, the ways in, and the page that people use. */
export function createHttpApp(service: Service, options: HttpAppOptions): Hono {
  const app = new Hono();
  const routes = new Routes(service, options);
  app.use(async (c, next) => routes.around(c, next));
  opsRoutes(app, { registry: options.registry, ready: () => service.readiness() });
  const document = JSON.stringify(openApiDocument({ version: options.version }));
  app.get("/v1/openapi.json", () => new Response(document, { headers: { "content-type": "application/json" } }));
  for (const [name, operation] of Object.entries(operations) as [OperationName, Operation][]) {
    const path = operation.path.replaceAll(/\{(\w+)\}/g, ":$1");
    app.on(operation.method, path, (c) => routes.perform(c, name, operation));
  }
  const addresses = new ClientAddresses(options.trustedProxies ?? "");
  signInRoutes(app, { service, addresses });
  exchangeRoute(app, { service, addresses });
  pageRoutes(app);
  app.notFound((c) => routes.unknown(c));
  app.onError((error, c) => routes.failed(c, error));
  return app;
}

class Routes {
  readonly #service: Service;
  readonly #options: HttpAppOptions;
  readonly #limits: Limits;
  readonly #held: HeldBytes;
  readonly #streams = new StreamSlots();
  readonly #rate: RateLimiter | undefined;
  readonly #metrics: ReturnType<typeof httpMetrics>;

  constructor(service: Service, options: HttpAppOptions) {
    this.#service = service;
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#held = new HeldBytes(this.#limits.heldBytesMax);
    this.#metrics = httpMetrics(options.registry);
    this.#rate = options.rate === undefined ? undefined : new RateLimiter(options.rate);
  }

  /** Gives every request its id and every answer its headers, its place in the metrics and its line in the log. */
  async around(c: Context, next: () => Promise<void>): Promise<void> {
    const startedAt = performance.now();
    c.set("requestId", randomUUID());
    c.set("operation", "none");
    await next();
    const status = c.res.status;
    const operation = String(c.get("operation"));
    const requestId = String(c.get("requestId"));
    const durationMs = performance.now() - startedAt;
    addSecurityHeaders(c, { strictTransport: this.#options.strictTransport?.() === true });
    c.header("x-request-id", requestId);
    if (!c.res.headers.has("cache-control")) c.header("cache-control", "no-store");
    this.#metrics.observe({ operation, status, seconds: durationMs / 1000 });
    if (operation !== "none") {
      this.#options.log.info("http-request", { operation, status, requestId, durationMs: Math.round(durationMs) });
    }
  }

  async perform<N extends OperationName>(c: Context, name: N, operation: Operation): Promise<Response> {
    c.set("operation", name);
    const hold = this.#held.hold();
    try {
      return await this.#answer(c, { name, operation, hold });
    } finally {
      hold.release();
    }
  }

  async #answer<N extends OperationName>(
    c: Context,
    { name, operation, hold }: { name: N; operation: Operation; hold: Hold },
  ): Promise<Response> {
    // Who asks, and whether they may, is settled before anything of the request is read.
    const principal = await this.#principal(c);
    this.#rate?.take(principal);
    await this.#service.authorize(name, principal);
    const input = (await readInput(c, operation, { limits: this.#limits, hold })) as ServiceRequest<N>["input"];
    const cancel = new AbortController();
    const signals = [cancel.signal, ...(this.#options.shutdown === undefined ? [] : [this.#options.shutdown])];
    const key = idempotencyKey(c, operation);
    const answer = await this.#service.call(name, {
      principal,
      input: resumed(c, operation, input),
      requestId: String(c.get("requestId")),
      ...(key === undefined ? {} : { idempotencyKey: key }),
      signal: AbortSignal.any(signals),
    });
    const streaming = { cancel: () => cancel.abort(), onError: (error: unknown) => this.#logFailure(c, error) };
    if (operation.produces === "sse") {
      const events = answer as AsyncIterable<{ sequence: number; type: string }>;
      const slot = this.#streams.take(`${principal.tenant}/${principal.id}`);
      const stillAllowed = () => this.#stillAllowed(c, name);
      const heartbeatMs = this.#options.heartbeatMs ?? 15_000;
      return sseResponse(events, { heartbeatMs, stillAllowed, ended: slot.release, ...streaming });
    }
    if (operation.produces === "ndjson") return ndjsonResponse(answer as AsyncIterable<string>, streaming);
    return Response.json(answer, { status: operation.status ?? 200 });
  }

  /** A stream may outlive the token it was opened with, and must not. What cannot be asked now is asked again. */
  async #stillAllowed(c: Context, name: OperationName): Promise<boolean> {
    try {
      await this.#service.authorize(name, await this.#principal(c, { rests: true }));
      return true;
    } catch (error) {
      return !(error instanceof Refusal);
    }
  }

  unknown(c: Context): Response {
    const detail = "No operation answers at this address with this method; /v1/openapi.json lists them all.";
    return problemResponse(problemDetails({ code: "not-found", detail, requestId: String(c.get("requestId")) }));
  }

  failed(c: Context, error: unknown): Response {
    const problem = problemOf(error, String(c.get("requestId")));
    if (problem.status >= 500) this.#logFailure(c, error);
    const headers: Record<string, string> = problem.status === 401 ? { "www-authenticate": "Bearer" } : {};
    if (problem.status === 429 || problem.status === 503) headers["retry-after"] = retryAfter(problem);
    // Bytes of a body that nobody will read would otherwise be taken for the next request.
    if (problem.status === 413 || problem.status === 503) headers["connection"] = "close";
    return problemResponse(problem, headers);
  }

  async #principal(c: Context, how: { rests?: boolean } = {}): Promise<Principal> {
    const header = c.req.header("authorization");
    const cookie = header === undefined ? sessionOf(c) : undefined;
    if (cookie !== undefined) return this.#person(c, cookie, how);
    const token = /^bearer +(\S+)$/i.exec(header ?? "")?.[1];
    const principal = token === undefined ? undefined : await this.#service.authenticate(token);
    if (principal !== undefined) return principal;
    const message =
      token === undefined
        ? "Send a token as `authorization: Bearer ctm_...`."
        : "The token is unknown, has expired or was revoked.";
    throw new Refusal("unauthenticated", message);
  }

  /** Of a browser, whose cookie comes along whoever made it ask. */
  async #person(c: Context, cookie: string, how: { rests?: boolean }): Promise<Principal> {
    requireOwnPage(c, this.#service.signIn.ways().origin);
    const person = await this.#service.session(cookie, how);
    if (person !== undefined) return person;
    throw new Refusal("unauthenticated", "The session is over: sign in again.");
  }

  /** The message stays out: it may hold what was asked. Its code and the place that threw it do not. */
  #logFailure(c: Context, error: unknown): void {
    const facts = { operation: String(c.get("operation")), requestId: String(c.get("requestId")) };
    this.#options.log.error("http-request-failed", { ...facts, code: codeOf(error), reason: placeOf(error) });
  }
}

/** Seconds, as the refusal says, or a short while. */
function retryAfter({ retryAfterSeconds }: ProblemDetails): string {
  return typeof retryAfterSeconds === "number" ? String(retryAfterSeconds) : "1";
}

/** Of our own errors the code, of PostgreSQL's the SQLSTATE, of Node's the errno's name. */
function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return typeof error;
  if ("code" in error && typeof error.code === "string") return error.code;
  return error instanceof Error ? error.name : "unknown";
}

/** The innermost files and lines of ours that it went through, without the folders above the program. */
function placeOf(error: unknown): string {
  const frames = error instanceof Error ? (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line)) : [];
  const own = frames.filter((line) => !line.includes("node_modules") && !line.includes("node:"));
  const places = own.flatMap((line) => /([^/\\()]+\/[^/\\()]+:\d+):\d+\)?$/.exec(line)?.[1] ?? []);
  return places.slice(0, 6).join(" < ") || "unknown";
}

function idempotencyKey(c: Context, operation: Operation): string | undefined {
  const key = c.req.header("idempotency-key");
  if (key === undefined || operation.method !== "POST") return undefined;
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new Refusal("malformed-request", "Idempotency-Key must be 1 to 255 visible ASCII characters.");
}

/** A reader that comes back says where it stopped in a header that browsers set by themselves. */
function resumed<Input extends { query: unknown }>(c: Context, operation: Operation, input: Input): Input {
  const last = c.req.header("last-event-id");
  if (operation.produces !== "sse" || last === undefined) return input;
  if (!/^[0-9]{1,15}$/.test(last)) throw new Refusal("malformed-request", "Last-Event-ID must be a whole number.");
  return { ...input, query: { ...(input.query as object), after: Number(last) } };
}
