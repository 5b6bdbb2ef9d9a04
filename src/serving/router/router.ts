import type { SendHandle } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { JudgeAlarm } from "../../core/monitor/judge/canary-judge.ts";
import type { Endpoint, EndpointTable, Variant } from "../endpoint.ts";
import type { InvokeCredential } from "../protocol.ts";
import { OP, OUTPUT_FORMAT, requestMeta } from "../replica/frames.ts";
import type { Capture } from "./capture.ts";
import { capturedExchange, inferenceIdProblem } from "./capture-exchange.ts";
import { type CredentialTable, mayInvoke } from "./credential-table.ts";
import { Exchange, type ExchangeOwner } from "./exchange.ts";
import { inboundServer, KEEP_ALIVE_SECONDS } from "./inbound-server.ts";
import { sendModel, sendServer } from "./model-page.ts";
import { overload, TenantLoads } from "./overload.ts";
import { INVOKE_PROBLEMS, type InvokeProblem, problemBody, readFailure, sendProblem } from "./problem.ts";
import type { RouterLimits } from "./router-limits.ts";
import { inputFormat, matchRoute, outputFormat, type Route } from "./routes.ts";
import { type Answer, sendAnswer } from "./send-answer.ts";
import { sendJson } from "./send-json.ts";

export interface RouterOptions {
  host: string;
  port: number;
  endpoints: EndpointTable;
  credentials: CredentialTable;
  capture: Capture;
  limits: RouterLimits;
  /** Uniform in [0, 1), independent from call to call. */
  draw: () => number;
  /** Called by the request that raised the judge's alarm. */
  onAlarm: (endpoint: Endpoint, alarm: JudgeAlarm) => void;
  /** The page for who holds this credential; null for who showed none. */
  metrics: (reader: InvokeCredential | null) => Promise<{ contentType: string; text: string }>;
  ready: () => { ready: boolean; detail: string };
  /** Of the program, as the Open Inference Protocol tells it to clients. */
  programVersion: string;
}

const SWEEP_MS = 20;
/** The first attempt and one more: a request that kills replicas must not go round and kill them all. */
const ATTEMPTS_MAX = 2;
const RETRY_AFTER = { "retry-after": "1" };

/** Receives invocations, draws the version, hands them to a replica and judges what comes back. */
export class Router implements ExchangeOwner {
  readonly #options: RouterOptions;
  readonly #server: Server;
  readonly #bootPrefix = randomBytes(6).toString("hex");
  /** In the order of their start, so that the oldest are looked at first. */
  readonly #asked = new Set<Exchange>();
  /** Runs only while somebody is asked: at rest nothing wakes this process. */
  #sweep: NodeJS.Timeout | null = null;
  #requests = 0;
  #heldBytes = 0;
  readonly #loads = new TenantLoads();
  inFlight = 0;
  /** Answers that no version was asked for, by problem code. */
  readonly refusals = new Map<InvokeProblem, number>();

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#server = inboundServer((request, response) => this.#handle(request, response));
    this.#server.maxConnections = options.limits.connectionsMax;
  }

  async listen(inherited?: SendHandle): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      if (inherited === undefined) this.#server.listen(this.#options.port, this.#options.host, resolve);
      else this.#server.listen(inherited, resolve);
    });
    // A connection that could not be accepted (no file descriptor is left) is its caller's loss and nobody else's.
    this.#server.on("error", () => undefined);
    const address: AddressInfo | string | null = this.#server.address();
    const port = typeof address === "object" && address !== null ? address.port : this.#options.port;
    const host = this.#options.host.includes(":") ? `[${this.#options.host}]` : this.#options.host;
    return `http://${host}:${port}`;
  }

  /** The bare socket: a server that is handed over whole would be answered in two processes. */
  get listener(): SendHandle {
    return Reflect.get(this.#server, "_handle") ?? undefined;
  }

  /** Takes no new connection, lets what is in flight be answered, then closes. */
  async close(drainMsMax: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const until = Date.now() + drainMsMax;
    while (this.inFlight > 0 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
    this.#stopSweep();
    this.#server.closeAllConnections();
    await closed;
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    this.#requests += 1;
    const requestId = `${this.#bootPrefix}-${this.#requests.toString(36)}`;
    const route = matchRoute(request.method ?? "", request.url ?? "");
    if (route.kind === "invoke") this.#invoke(request, response, route, requestId);
    else this.#answerOther(request, response, route, requestId);
  }

  #answerOther(request: IncomingMessage, response: ServerResponse, route: Route, requestId: string): void {
    request.resume();
    switch (route.kind) {
      case "live":
        sendJson(response, 200, { live: true });
        return;
      case "ready": {
        const state = this.#options.ready();
        sendJson(response, state.ready ? 200 : 503, state);
        return;
      }
      case "server":
        sendServer(response, this.#options.programVersion);
        return;
      case "metrics":
        this.#sendMetrics(request, response, requestId);
        return;
      case "model":
      case "model-ready": {
        const endpoint = this.#authorised(request, response, route.name, requestId);
        if (endpoint !== null) sendModel(response, { endpoint, readyOnly: route.kind === "model-ready", requestId });
        return;
      }
      case "wrong-method":
        this.#refuse(response, "method-not-allowed", `use ${route.allow}`, requestId, { allow: route.allow });
        return;
      default:
        this.#refuse(response, "not-found", "there is nothing at this address", requestId);
        return;
    }
  }

  #sendMetrics(request: IncomingMessage, response: ServerResponse, requestId: string): void {
    const anonymous = request.headers.authorization === undefined;
    const reader = anonymous ? null : this.#authenticated(request, response, requestId);
    if (reader === null && !anonymous) return;
    this.#options.metrics(reader).then(
      ({ contentType, text }) => response.writeHead(200, { "content-type": contentType }).end(text),
      () => sendProblem(response, { code: "unavailable", detail: "metrics could not be collected", requestId }),
    );
  }

  /** Whose valid token the request shows; null when none, and then the caller was told so. */
  #authenticated(request: IncomingMessage, response: ServerResponse, requestId: string): InvokeCredential | null {
    const credential = this.#options.credentials.find(request.headers.authorization, Date.now());
    if (credential !== undefined) return credential;
    this.#refuse(
      response,
      "unauthenticated",
      "send a valid token that may invoke, as Authorization: Bearer",
      requestId,
      {
        "www-authenticate": 'Bearer realm="continuum"',
      },
    );
    return null;
  }

  /** The endpoint, when the token may invoke it. To anybody else it is as if it did not exist. */
  #authorised(request: IncomingMessage, response: ServerResponse, name: string, requestId: string): Endpoint | null {
    const credential = this.#authenticated(request, response, requestId);
    if (credential === null) return null;
    const endpoint = this.#options.endpoints.get(credential.tenant, name);
    const serves = endpoint !== undefined && (endpoint.routes.stable ?? endpoint.routes.candidate) !== null;
    if (serves && mayInvoke(credential, endpoint)) return endpoint;
    this.#refuse(response, "not-found", "there is no such endpoint", requestId);
    return null;
  }

  #invoke(
    request: IncomingMessage,
    response: ServerResponse,
    route: Extract<Route, { kind: "invoke" }>,
    requestId: string,
  ): void {
    const endpoint = this.#authorised(request, response, route.name, requestId);
    if (endpoint === null) return;
    const input = inputFormat(route.protocol, request.headers);
    if (typeof input === "string") {
      this.#refuse(response, "unsupported-media-type", input, requestId);
      return;
    }
    const badId = inferenceIdProblem(request.headers);
    if (badId !== null) {
      this.#refuse(response, "malformed-request", badId, requestId);
      return;
    }
    const { limits } = this.#options;
    if (Number(request.headers["content-length"] ?? 0) > limits.bodyBytesMax) {
      this.#tooLarge(response, requestId);
      return;
    }
    const share = this.#loads.of(endpoint.at.tenant);
    const host = { inFlight: this.inFlight, heldBytes: this.#heldBytes };
    const full = overload(limits, { host, tenant: share, endpointInFlight: endpoint.inFlight });
    if (full !== null) {
      this.#refuse(response, full.code, full.detail, requestId, RETRY_AFTER);
      return;
    }
    const output = outputFormat(route.protocol, input, request.headers.accept);
    this.inFlight += 1;
    endpoint.inFlight += 1;
    share.inFlight += 1;
    const exchange = new Exchange({ owner: this, request, response, endpoint, share, requestId, input, output });
    request.on("data", (chunk: Buffer) => this.#received(exchange, chunk));
    request.on("end", () => this.#complete(exchange));
    // A caller that goes away before its body is complete was never asked for; afterwards the answer still counts.
    response.on("close", () => {
      if (exchange.assigned === null && !exchange.done) this.#finish(exchange);
    });
  }

  #received(exchange: Exchange, chunk: Buffer): void {
    if (exchange.done) return;
    exchange.take(chunk);
    this.#heldBytes += chunk.byteLength;
    exchange.share.heldBytes += chunk.byteLength;
    if (exchange.bodyBytes <= this.#options.limits.bodyBytesMax) return;
    this.#finish(exchange);
    this.#tooLarge(exchange.response, exchange.requestId);
  }

  #complete(exchange: Exchange): void {
    if (exchange.done) return;
    exchange.joinBody();
    this.#dispatch(exchange);
  }

  #dispatch(exchange: Exchange): void {
    const { routes } = exchange.endpoint;
    const { stable, candidate, judge } = routes;
    const waiting = stable !== null && candidate !== null && !candidate.pool.wasHealthy;
    const probability = waiting ? 0 : routes.probability;
    exchange.candidate = probability > 0 && (probability >= 1 || this.#options.draw() < probability);
    exchange.probability = probability;
    exchange.assigned = exchange.candidate ? candidate : stable;
    exchange.startedMs = performance.now();
    exchange.latencySampled = judge?.drawn(exchange) ?? exchange.endpoint.watch?.sample(exchange.startedMs) ?? false;
    if (exchange.assigned === null) {
      this.#finish(exchange);
      const detail = "the endpoint does not serve yet";
      this.#refuse(exchange.response, "unavailable", detail, exchange.requestId, RETRY_AFTER);
      return;
    }
    this.#asked.add(exchange);
    this.#sweep ??= setInterval(() => this.#expire(), SWEEP_MS).unref();
    this.#ask(exchange, exchange.assigned);
  }

  /** Sends to the version's least busy replica; to stable when the candidate has none, or the version retired. */
  #ask(exchange: Exchange, variant: Variant): void {
    const link = variant.pool.pick();
    if (link !== null) {
      exchange.asked = variant;
      exchange.link = link;
      exchange.attempts += 1;
      exchange.frameId = link.send(requestMeta(OP.infer, exchange.input, exchange.output), exchange.body, exchange);
      return;
    }
    const stable = exchange.endpoint.routes.stable;
    if ((exchange.candidate || variant.pool.stopped) && stable !== null && variant !== stable) {
      exchange.failedOver = exchange.candidate;
      this.#ask(exchange, stable);
      return;
    }
    exchange.waitingFor = variant;
    // A replica is back within a fraction of a second, so a caller would rather wait than be sent away.
    if (!variant.pool.wait(exchange)) this.#fail(exchange, "unavailable", "no replica is healthy");
  }

  live(exchange: Exchange): void {
    const variant = exchange.waitingFor;
    exchange.waitingFor = null;
    if (variant !== null && !exchange.done) this.#ask(exchange, variant);
  }

  lost(exchange: Exchange): void {
    if (exchange.done) return;
    if (exchange.attempts >= ATTEMPTS_MAX || exchange.asked === null) {
      this.#fail(exchange, "replica-lost", "two replicas died with this request");
      return;
    }
    this.#ask(exchange, exchange.asked);
  }

  replied(exchange: Exchange, status: number, output: number, body: Buffer): void {
    if (exchange.done) return;
    if (status === 200) {
      const contentType = output === OUTPUT_FORMAT.csv ? "text/csv; charset=utf-8" : "application/json";
      this.#answer(exchange, { status, contentType, body });
      return;
    }
    const reason = readFailure(body);
    const code = status < 500 ? "bad-input" : "model-error";
    this.#fail(exchange, code, reason);
  }

  #stopSweep(): void {
    if (this.#sweep !== null) clearInterval(this.#sweep);
    this.#sweep = null;
  }

  #expire(): void {
    if (this.#asked.size === 0) this.#stopSweep();
    const before = performance.now() - this.#options.limits.deadlineMs;
    for (const exchange of this.#asked) {
      if (exchange.startedMs > before) return;
      if (exchange.waitingFor !== null) {
        exchange.waitingFor.pool.stopWaiting(exchange);
        this.#fail(exchange, "unavailable", "no replica was healthy in time");
        continue;
      }
      exchange.link?.forget(exchange.frameId);
      this.#fail(exchange, "timed-out", `no answer within ${this.#options.limits.deadlineMs} ms`);
    }
  }

  #fail(exchange: Exchange, code: InvokeProblem, detail: string): void {
    const body = Buffer.from(problemBody({ code, detail, requestId: exchange.requestId }));
    this.#answer(exchange, { status: INVOKE_PROBLEMS[code].status, contentType: "application/problem+json", body });
  }

  /** The one place where an exchange with a version ends. */
  #answer(exchange: Exchange, answer: Answer): void {
    const { response, assigned, requestId } = exchange;
    const from = exchange.asked ?? assigned;
    const latencyMs = performance.now() - exchange.startedMs;
    if (!response.destroyed && from !== null)
      sendAnswer(response, answer, {
        versionLines: from.headerLines,
        requestId,
        keepAliveSeconds: KEEP_ALIVE_SECONDS,
      });
    if (assigned !== null) this.#judge(exchange, { assigned, answer, latencyMs });
    this.#asked.delete(exchange);
    this.#finish(exchange);
  }

  #judge(exchange: Exchange, outcome: { assigned: Variant; answer: Answer; latencyMs: number }): void {
    const { assigned, answer, latencyMs } = outcome;
    const { endpoint } = exchange;
    const atMs = Date.now();
    (exchange.asked ?? assigned).meter(answer.status, latencyMs);
    // The caller's own fault says nothing about a version; a failover counts for the one that was drawn.
    const callersFault = answer.status >= 400 && answer.status < 500;
    const { judge, stable } = endpoint.routes;
    if (callersFault && !exchange.failedOver) judge?.leftOut(exchange);
    else {
      exchange.failed = answer.status >= 500 || exchange.failedOver;
      exchange.latencyMs = latencyMs;
      exchange.atMs = atMs;
      assigned.measure(exchange.failed, latencyMs);
      if (assigned === stable) endpoint.watch?.record(exchange);
      const alarm = judge?.record(exchange);
      if (alarm) this.#options.onAlarm(endpoint, alarm);
    }
    this.#options.capture.record(capturedExchange(exchange, { assigned, answer, latencyMs, atMs }));
  }

  #finish(exchange: Exchange): void {
    if (exchange.done) return;
    exchange.done = true;
    this.inFlight -= 1;
    exchange.endpoint.inFlight -= 1;
    this.#heldBytes -= exchange.bodyBytes;
    exchange.share.inFlight -= 1;
    exchange.share.heldBytes -= exchange.bodyBytes;
  }

  #tooLarge(response: ServerResponse, requestId: string): void {
    const detail = `the body may have ${this.#options.limits.bodyBytesMax} bytes`;
    // What follows of the body is not wanted, so the connection ends with this answer.
    this.#refuse(response, "too-large", detail, requestId, { connection: "close" });
  }

  #refuse(
    response: ServerResponse,
    code: InvokeProblem,
    detail: string,
    requestId: string,
    headers?: Record<string, string>,
  ): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
    sendProblem(response, { code, detail, requestId, ...(headers === undefined ? {} : { headers }) });
  }
}
