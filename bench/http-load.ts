import { connect, type Socket } from "node:net";
import { serveCalls } from "./child.ts";

/**
 * A load generator in a process of its own, where no other is installed: so many keep-alive connections, each with one
 * request at a time. Reads just enough of an answer to know its status, its length and which version gave it.
 */
export interface LoadOrder {
  port: number;
  path: string;
  headers: Record<string, string>;
  body: string;
  /** Where requests differ: sent in turn in the place of `body`. */
  bodies?: readonly string[];
  connections: number;
  milliseconds: number;
  /** The header that names the version. */
  variantHeader?: string;
}

export interface LoadResult {
  answers: number;
  failures: number;
  tookMs: number;
  p50Ms: number;
  p99Ms: number;
  /** Answers and the wall-clock time of the last one, by version. */
  variants: Record<string, { answers: number; lastAtMs: number }>;
}

interface Gathered {
  latencies: number[];
  failures: number;
  variants: LoadResult["variants"];
}

class Connection {
  readonly #order: LoadOrder;
  readonly #requests: readonly Buffer[];
  #sent: number;
  readonly #socket: Socket;
  readonly #result: Gathered;
  #startedMs = 0;
  #received = "";
  #finish: () => void = () => undefined;
  #endsMs: number;

  constructor(order: LoadOrder, requests: readonly Buffer[], result: Gathered, endsMs: number) {
    this.#order = order;
    this.#requests = requests;
    // Not all connections with the same at the same time.
    this.#sent = Math.floor(Math.random() * requests.length);
    this.#result = result;
    this.#endsMs = endsMs;
    this.#socket = connect({ port: order.port, host: "127.0.0.1", noDelay: true });
    this.#socket.setEncoding("latin1");
    this.#socket.on("data", (chunk: string) => this.#take(chunk));
    this.#socket.on("error", () => this.#lost());
    this.#socket.on("close", () => this.#lost());
  }

  run(): Promise<void> {
    return new Promise((resolve) => {
      this.#finish = resolve;
      this.#socket.once("connect", () => this.#ask());
    });
  }

  #ask(): void {
    this.#startedMs = performance.now();
    this.#socket.write(this.#requests[this.#sent % this.#requests.length] ?? "");
    this.#sent += 1;
  }

  #take(chunk: string): void {
    this.#received += chunk;
    const headEnd = this.#received.indexOf("\r\n\r\n");
    if (headEnd < 0) return;
    const head = this.#received.slice(0, headEnd);
    const bodyLength = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    const chunked = bodyLength === undefined;
    const complete = chunked
      ? this.#received.endsWith("\r\n0\r\n\r\n")
      : this.#received.length >= headEnd + 4 + Number(bodyLength);
    if (!complete) return;
    this.#received = "";
    const now = performance.now();
    this.#result.latencies.push(now - this.#startedMs);
    if (!head.startsWith("HTTP/1.1 200")) this.#result.failures += 1;
    this.#count(head);
    if (now >= this.#endsMs) this.#end();
    else this.#ask();
  }

  #count(head: string): void {
    const { variantHeader } = this.#order;
    if (variantHeader === undefined) return;
    const variant = new RegExp(`\\r\\n${variantHeader}: *(\\S+)`, "i").exec(head)?.[1] ?? "none";
    const seen = this.#result.variants[variant] ?? { answers: 0, lastAtMs: 0 };
    this.#result.variants[variant] = { answers: seen.answers + 1, lastAtMs: Date.now() };
  }

  #end(): void {
    this.#socket.removeAllListeners("close");
    this.#socket.destroy();
    this.#finish();
  }

  #lost(): void {
    this.#result.failures += 1;
    this.#end();
  }
}

function requestOf({ path, headers: own }: LoadOrder, body: string): Buffer {
  const headers = { host: "127.0.0.1", ...own, "content-length": String(Buffer.byteLength(body)) };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n${body}`);
}

async function load(order: LoadOrder): Promise<LoadResult> {
  const requests = (order.bodies ?? [order.body]).map((body) => requestOf(order, body));
  const result: Gathered = { latencies: [], failures: 0, variants: {} };
  const startMs = performance.now();
  const endsMs = startMs + order.milliseconds;
  const connections = Array.from({ length: order.connections }, () => new Connection(order, requests, result, endsMs));
  await Promise.all(connections.map((connection) => connection.run()));
  const sorted = result.latencies.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  const { failures, variants } = result;
  return {
    ...{ answers: sorted.length, failures, variants, tookMs: performance.now() - startMs },
    ...{ p50Ms: at(0.5), p99Ms: at(0.99) },
  };
}

serveCalls({ load }, async () => undefined);
