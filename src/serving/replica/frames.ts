import type { Socket } from "node:net";
import { assert, ContinuumError } from "../../core/error.ts";

/**
 * What router and replica say to each other over a unix socket: frames of an 8-byte header (payload length and request
 * id, both unsigned 32-bit big-endian) and a payload of 4 bytes that say what it is, then the body. Many requests are
 * in flight on one socket, and everything written in one turn of the event loop leaves in one system call.
 */
const HEADER_BYTES = 8;
export const META_BYTES = 4;
/** Above every body the router admits; a longer frame means that the stream is out of step. */
const PAYLOAD_BYTES_MAX = 256 * 1024 * 1024;
/** Bodies larger than this are written as they are instead of copied into the joined buffer. */
const COPY_BYTES_MAX = 64 * 1024;

/** The first payload byte of a request. */
export const OP = { infer: 1, ping: 2, hello: 3, stop: 4 } as const;
/** The second byte of an inference request: how the body is written. */
export const INPUT_FORMAT = { json: 1, csv: 2, openInference: 3 } as const;
/** The third byte of an inference request and of a reply: how the answer is written. */
export const OUTPUT_FORMAT = { json: 1, csv: 2 } as const;

export type InputFormat = (typeof INPUT_FORMAT)[keyof typeof INPUT_FORMAT];
export type OutputFormat = (typeof OUTPUT_FORMAT)[keyof typeof OUTPUT_FORMAT];

export class FrameWriter {
  readonly #socket: Socket;
  #parts: Buffer[] = [];
  #scheduled: NodeJS.Immediate | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** `meta` are the payload's first four bytes as one big-endian number. A text is written as UTF-8. */
  write(id: number, meta: number, body: Uint8Array | string): void {
    const bytes = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
    const copies = bytes <= COPY_BYTES_MAX || typeof body === "string";
    const head = Buffer.allocUnsafe(HEADER_BYTES + META_BYTES + (copies ? bytes : 0));
    head.writeUInt32BE(META_BYTES + bytes, 0);
    head.writeUInt32BE(id, 4);
    head.writeUInt32BE(meta, HEADER_BYTES);
    if (typeof body === "string") head.write(body, HEADER_BYTES + META_BYTES);
    else if (copies) head.set(body, HEADER_BYTES + META_BYTES);
    this.#parts.push(head);
    if (!copies && typeof body !== "string")
      this.#parts.push(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
    this.#scheduled ??= setImmediate(this.#flush);
  }

  /** Writes what waits now: for who knows that nothing will join it in this turn. */
  flush(): void {
    if (this.#scheduled === null) return;
    clearImmediate(this.#scheduled);
    this.#flush();
  }

  readonly #flush = (): void => {
    this.#scheduled = null;
    const parts = this.#parts;
    this.#parts = [];
    if (this.#socket.destroyed) return;
    // One small copy is cheaper than a list of parts for the kernel.
    const only = parts.length === 1 ? parts[0] : joined(parts);
    if (only !== undefined) {
      this.#socket.write(only);
      return;
    }
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part);
    this.#socket.uncork();
  };
}

function joined(parts: Buffer[]): Buffer | undefined {
  const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  return bytes <= COPY_BYTES_MAX ? Buffer.concat(parts, bytes) : undefined;
}

export type OnFrame = (id: number, meta: number, body: Buffer) => void;

/**
 * Cuts a byte stream into frames. A body is a view of the received chunk, so keeping it keeps the whole chunk; of a
 * chunk whose memory its owner uses again, a body is a copy.
 */
export class FrameReader {
  readonly #onFrame: OnFrame;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** How many bytes the first incomplete frame needs in all, as far as known. */
  #neededBytes = HEADER_BYTES;

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer, { reused }: { reused: boolean } = { reused: false }): void {
    let bytes = chunk;
    let copy = reused;
    if (this.#waitingBytes > 0) {
      this.#waiting.push(reused ? Buffer.from(chunk) : chunk);
      this.#waitingBytes += chunk.byteLength;
      if (this.#waitingBytes < this.#neededBytes) return;
      bytes = Buffer.concat(this.#waiting, this.#waitingBytes);
      copy = false;
      this.#waiting = [];
      this.#waitingBytes = 0;
    }
    const used = this.#read(bytes, copy);
    if (used === bytes.byteLength) return;
    const rest = used === 0 ? bytes : bytes.subarray(used);
    this.#waiting.push(copy ? Buffer.from(rest) : rest);
    this.#waitingBytes = rest.byteLength;
  }

  #read(bytes: Buffer, copy: boolean): number {
    let at = 0;
    while (bytes.byteLength - at >= HEADER_BYTES) {
      const payloadBytes = bytes.readUInt32BE(at);
      if (payloadBytes < META_BYTES || payloadBytes > PAYLOAD_BYTES_MAX)
        throw new ContinuumError("bad-frame", `a frame of ${payloadBytes} bytes is outside the protocol`);
      const end = at + HEADER_BYTES + payloadBytes;
      if (end > bytes.byteLength) {
        this.#neededBytes = HEADER_BYTES + payloadBytes;
        return at;
      }
      const view = bytes.subarray(at + HEADER_BYTES + META_BYTES, end);
      const body = copy ? Buffer.from(view) : view;
      this.#onFrame(bytes.readUInt32BE(at + 4), bytes.readUInt32BE(at + HEADER_BYTES), body);
      at = end;
    }
    this.#neededBytes = HEADER_BYTES;
    return at;
  }
}

/** The request's four meta bytes. */
export function requestMeta(op: number, input = 0, output = 0): number {
  return ((op << 24) | (input << 16) | (output << 8)) >>> 0;
}

/** The reply's four meta bytes: the HTTP status and how the body is written. */
export function replyMeta(status: number, output: number): number {
  assert(status >= 100 && status <= 599, `reply status ${status} is an HTTP status`);
  return ((status << 16) | (output << 8)) >>> 0;
}

export function metaOp(meta: number): number {
  return meta >>> 24;
}
export function metaInput(meta: number): number {
  return (meta >>> 16) & 0xff;
}
export function metaOutput(meta: number): number {
  return (meta >>> 8) & 0xff;
}
export function metaStatus(meta: number): number {
  return meta >>> 16;
}
