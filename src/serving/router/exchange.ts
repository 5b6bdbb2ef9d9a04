import type { IncomingMessage, ServerResponse } from "node:http";
import type { Endpoint, Variant } from "../endpoint.ts";
import type { InputFormat, OutputFormat } from "../replica/frames.ts";
import type { ReplicaLink, ReplyHandler } from "../supervisor/replica-link.ts";
import type { LiveWaiter } from "../supervisor/replica-pool.ts";
import type { Load } from "./overload.ts";

/** What an exchange needs of the router. */
export interface ExchangeOwner {
  replied(exchange: Exchange, status: number, output: number, body: Buffer): void;
  lost(exchange: Exchange): void;
  live(exchange: Exchange): void;
}

/** One invocation from its admission to its answer. A class with plain fields: thousands a second are made. */
export class Exchange implements ReplyHandler, LiveWaiter {
  readonly owner: ExchangeOwner;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly endpoint: Endpoint;
  readonly share: Load;
  readonly requestId: string;
  readonly input: InputFormat;
  readonly output: OutputFormat;
  body: Buffer = EMPTY;
  /** All parts of a body that came in more than one. */
  parts: Buffer[] | null = null;
  bodyBytes = 0;
  /** The version that was drawn: what happens counts for it, wherever the answer comes from in the end. */
  assigned: Variant | null = null;
  /** The version that is asked. */
  asked: Variant | null = null;
  candidate = false;
  probability = 0;
  /** Whether the judge looks at its latency; set when the version is drawn. */
  latencySampled = false;
  startedMs = 0;
  /** How it ended, as the judge reads it: set once, with the answer. */
  failed = false;
  latencyMs = 0;
  atMs = 0;
  attempts = 0;
  /**
   * The candidate had no replica, so stable answers: a failure of the candidate's, whatever the answer. A second try
   * within a version is none, in both arms alike.
   */
  failedOver = false;
  /** The version has no replica at the moment and is expected to have one again. */
  waitingFor: Variant | null = null;
  link: ReplicaLink | null = null;
  frameId = 0;
  done = false;

  constructor(options: {
    owner: ExchangeOwner;
    request: IncomingMessage;
    response: ServerResponse;
    endpoint: Endpoint;
    share: Load;
    requestId: string;
    input: InputFormat;
    output: OutputFormat;
  }) {
    this.owner = options.owner;
    this.request = options.request;
    this.response = options.response;
    this.endpoint = options.endpoint;
    this.share = options.share;
    this.requestId = options.requestId;
    this.input = options.input;
    this.output = options.output;
  }

  onReply(status: number, output: number, body: Buffer): void {
    this.owner.replied(this, status, output, body);
  }

  onLive(): void {
    this.owner.live(this);
  }

  onLost(): void {
    this.owner.lost(this);
  }

  /** Keeps one more part of the body. */
  take(chunk: Buffer): void {
    if (this.bodyBytes === 0) this.body = chunk;
    else if (this.parts === null) this.parts = [this.body, chunk];
    else this.parts.push(chunk);
    this.bodyBytes += chunk.byteLength;
  }

  joinBody(): void {
    if (this.parts !== null) this.body = Buffer.concat(this.parts, this.bodyBytes);
    this.parts = null;
  }
}

const EMPTY = Buffer.alloc(0);
