import { connect, type Socket } from "node:net";
import { FrameReader, FrameWriter, metaOutput, metaStatus, OP, requestMeta } from "../replica/frames.ts";
import { type Hello, helloSchema } from "../replica/start-order.ts";
import { servingError } from "../serving-error.ts";

/** Takes the answer to one request. Exactly one of the two is called, once. */
export interface ReplyHandler {
  onReply(status: number, output: number, body: Buffer): void;
  /** The replica died before it answered. */
  onLost(): void;
}

const FORGOTTEN: ReplyHandler = { onReply: () => undefined, onLost: () => undefined };
const HELLO_MS_MAX = 5000;
const READ_BYTES = 64 * 1024;
const NO_BODY = new Uint8Array(0);

/** One connection to one replica, with any number of requests in flight on it. */
export class ReplicaLink {
  readonly #socket: Socket;
  readonly #writer: FrameWriter;
  readonly #pending = new Map<number, ReplyHandler>();
  #nextId = 1;
  #closed = false;
  onClose: (() => void) | null = null;

  private constructor(socketPath: string) {
    const reader = new FrameReader((id, meta, body) => this.#take(id, meta, body));
    // One buffer for all that is ever read here: a new one of this size for each answer is most of a read's cost.
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    const callback = (bytes: number) => {
      try {
        reader.push(buffer.subarray(0, bytes), { reused: true });
      } catch {
        // Out of step with the replica: nothing that follows can be trusted.
        socket.destroy();
      }
      return true;
    };
    const socket = connect({ path: socketPath, onread: { buffer, callback } });
    this.#socket = socket;
    this.#writer = new FrameWriter(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#lose());
  }

  /** Connects and proves the token. Throws when nobody listens, or somebody else does. */
  static async open(options: { socketPath: string; token: string }): Promise<{ link: ReplicaLink; hello: Hello }> {
    const link = new ReplicaLink(options.socketPath);
    await link.#connected();
    const reply = await link.ask(OP.hello, Buffer.from(options.token), HELLO_MS_MAX);
    if (reply === null) {
      link.close();
      throw servingError("not-available", "the replica's socket did not answer as the replica that was started");
    }
    return { link, hello: helloSchema.parse(JSON.parse(reply.toString("utf8"))) };
  }

  /** Requests that were sent and not answered yet, the forgotten ones included: they still keep the replica busy. */
  get inFlight(): number {
    return this.#pending.size;
  }

  get closed(): boolean {
    return this.#closed;
  }

  send(meta: number, body: Uint8Array, handler: ReplyHandler): number {
    const id = this.#takeId();
    this.#pending.set(id, handler);
    this.#writer.write(id, meta, body);
    return id;
  }

  /** The answer is no longer wanted. */
  forget(id: number): void {
    if (this.#pending.has(id)) this.#pending.set(id, FORGOTTEN);
  }

  /** A question of the supervisor's own; null when the replica died or did not answer in time. */
  ask(op: number, body: Uint8Array = NO_BODY, millisecondsMax: number): Promise<Buffer | null> {
    return new Promise((resolve) => {
      if (this.#closed) return resolve(null);
      const timer = setTimeout(() => {
        this.forget(id);
        resolve(null);
      }, millisecondsMax);
      const settle = (answer: Buffer | null) => {
        clearTimeout(timer);
        resolve(answer);
      };
      const id = this.send(requestMeta(op), body, {
        onReply: (_status, _output, answer) => settle(answer),
        onLost: () => settle(null),
      });
    });
  }

  /** Tells the replica to end at once. */
  stop(): void {
    if (!this.#closed) this.#writer.write(0, requestMeta(OP.stop), NO_BODY);
  }

  /** Lets go of the replica without ending it. */
  close(): void {
    this.#socket.destroy();
  }

  #connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once("error", reject);
      this.#socket.once("connect", () => {
        this.#socket.off("error", reject);
        resolve();
      });
    });
  }

  #takeId(): number {
    let id = this.#nextId;
    while (this.#pending.has(id)) id = id >= 0xffff_fffe ? 1 : id + 1;
    this.#nextId = id >= 0xffff_fffe ? 1 : id + 1;
    return id;
  }

  #take(id: number, meta: number, body: Buffer): void {
    const handler = this.#pending.get(id);
    if (handler === undefined) return;
    this.#pending.delete(id);
    handler.onReply(metaStatus(meta), metaOutput(meta), body);
  }

  #lose(): void {
    if (this.#closed) return;
    this.#closed = true;
    const lost = [...this.#pending.values()];
    this.#pending.clear();
    // First the pool must know, so that a retry does not pick this replica again.
    this.onClose?.();
    for (const handler of lost) handler.onLost();
  }
}
