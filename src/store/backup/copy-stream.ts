import type pg from "pg";

/** Rows in PostgreSQL's COPY text format: whole lines, so that a piece can be read by itself. */
export interface CopyPiece {
  bytes: Buffer;
  rows: number;
}

/** What the driver's connection has for COPY; its types do not name it. */
interface CopyConnection {
  stream: { pause(): void; resume(): void; writableNeedDrain: boolean; once(event: "drain", handle: () => void): void };
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(reason: string): void;
}

/** One statement that the driver runs in its queue and that reads or writes the connection itself. */
abstract class CopyStatement {
  protected connection: CopyConnection | undefined;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  submit(connection: pg.Connection): void {
    this.connection = connection as unknown as CopyConnection;
    this.connection.query(this.#text);
  }

  abstract handleError(error: Error): void;
  abstract handleReadyForQuery(): void;
  handleCopyInResponse(connection: CopyConnection): void {
    connection.sendCopyFail("nothing is sent by this statement");
  }
  handleCopyData(_message: { chunk: Buffer }): void {}
  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
}

class CopyOut extends CopyStatement {
  readonly #pieceBytes: number;
  readonly #ready: CopyPiece[] = [];
  #lines: Buffer[] = [];
  #size = 0;
  #end: { error?: Error } | undefined;
  #wake: (() => void) | undefined;

  constructor(text: string, pieceBytes: number) {
    super(text);
    this.#pieceBytes = pieceBytes;
  }

  override handleCopyData({ chunk }: { chunk: Buffer }): void {
    // The driver uses its buffer again for what comes next.
    this.#lines.push(Buffer.from(chunk));
    this.#size += chunk.length;
    if (this.#size < this.#pieceBytes) return;
    this.#cut();
    // What the reader has not taken must not pile up here: the server waits as long as we do.
    this.connection?.stream.pause();
  }

  handleError(error: Error): void {
    this.#finish({ error });
  }

  handleReadyForQuery(): void {
    this.#cut();
    this.#finish({});
  }

  async *pieces(): AsyncGenerator<CopyPiece> {
    for (;;) {
      const piece = this.#ready.shift();
      if (piece !== undefined) yield piece;
      else if (this.#end !== undefined) break;
      else {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        this.connection?.stream.resume();
        await promise;
      }
    }
    if (this.#end.error !== undefined) throw this.#end.error;
  }

  #cut(): void {
    if (this.#size === 0) return;
    this.#ready.push({ bytes: Buffer.concat(this.#lines), rows: this.#lines.length });
    this.#lines = [];
    this.#size = 0;
    this.#wake?.();
  }

  #finish(end: { error?: Error }): void {
    this.#end ??= end;
    // The last piece may have paused it: whatever is asked of this connection next would wait for ever.
    this.connection?.stream.resume();
    this.#wake?.();
  }
}

class CopyIn extends CopyStatement {
  readonly #started = Promise.withResolvers<CopyConnection>();
  readonly #ended = Promise.withResolvers<void>();
  #failed = false;

  constructor(text: string) {
    super(text);
    // Whoever waits hears of it; a rejection that comes before anybody waits must not end the process.
    this.#started.promise.catch(() => undefined);
    this.#ended.promise.catch(() => undefined);
  }

  override handleCopyInResponse(connection: CopyConnection): void {
    this.#started.resolve(connection);
  }

  handleError(error: Error): void {
    this.#failed = true;
    this.#started.reject(error);
    this.#ended.reject(error);
  }

  handleReadyForQuery(): void {
    this.#ended.resolve();
  }

  async send(chunks: AsyncIterable<Buffer>): Promise<void> {
    const connection = await this.#started.promise;
    try {
      for await (const chunk of chunks) {
        if (this.#failed) break;
        connection.sendCopyFromChunk(chunk);
        if (!connection.stream.writableNeedDrain) continue;
        const drained = new Promise<void>((resolve) => connection.stream.once("drain", resolve));
        // A connection that breaks never drains; the statement then ends with an error.
        await Promise.race([drained, this.#ended.promise]);
      }
    } catch (error) {
      if (!this.#failed) connection.sendCopyFail("the rows to send cannot be read");
      await this.#ended.promise.catch(() => undefined);
      throw error;
    }
    if (!this.#failed) connection.endCopyFrom();
    await this.#ended.promise;
  }
}

/** Runs a `COPY ... TO STDOUT` and gives its lines in pieces of about `pieceBytes`. The reader must read to the end. */
export function copyOut(client: pg.Client, sql: string, pieceBytes: number): AsyncGenerator<CopyPiece> {
  return client.query(new CopyOut(sql, pieceBytes)).pieces();
}

/** Runs a `COPY ... FROM STDIN` over these lines; waits where the server is slower than the source. */
export function copyIn(client: pg.Client, sql: string, chunks: AsyncIterable<Buffer>): Promise<void> {
  return client.query(new CopyIn(sql)).send(chunks);
}
