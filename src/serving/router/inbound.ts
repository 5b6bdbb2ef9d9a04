import { IncomingMessage } from "node:http";

/** Takes a request's body as it comes in. */
export interface BodySink {
  onChunk(chunk: Buffer): void;
  onComplete(): void;
  /** The caller went away before the body was complete. */
  onAborted(): void;
}

/**
 * A request that hands its body to one sink in the same turn in which it was read. The stream that Node would make of
 * it has a buffer, listeners and several ticks for each request, which is more work than the parsing; what the router
 * admits at a time is bounded by the router itself. Node's own parser and its checks are all in front of this.
 */
export class Inbound extends IncomingMessage {
  /** Null for whoever does not want the body: it is read and dropped, so that the connection can be used again. */
  sink: BodySink | null = null;

  /** Called by Node's HTTP server with each part of the body, and with null at its end. */
  override push(chunk: Buffer | null): boolean {
    if (chunk === null) this.sink?.onComplete();
    else this.sink?.onChunk(chunk);
    return true;
  }

  override destroy(error?: Error): this {
    if (!this.complete) this.sink?.onAborted();
    return super.destroy(error);
  }

  /** Node's HTTP server reads off what nobody read; here nothing is ever left. */
  _dump(): void {
    this.sink = null;
  }
}

// Asked by Node's HTTP server before it lets go of a request: nothing of a complete one waits to be read.
Object.defineProperty(Inbound.prototype, "readableEnded", {
  get(this: Inbound): boolean {
    return this.complete;
  },
});
