/** Answers that go on for a while: server-sent events and NDJSON, both from an async iterable of items. */

const encoder = new TextEncoder();

/**
 * One SSE message per item; a comment every `heartbeatMs` so that proxies and clients see that the line is alive. With
 * each the reader's right is asked for again, and the stream cancelled when it is gone.
 */
export function sseResponse(
  items: AsyncIterable<{ sequence: number; type: string }>,
  options: {
    heartbeatMs: number;
    stillAllowed: () => Promise<boolean>;
    cancel: () => void;
    ended: () => void;
    onError: (error: unknown) => void;
  },
): Response {
  let heartbeat: NodeJS.Timeout | undefined;
  const body = streamOf(items, {
    ...options,
    encode: (item) => `id: ${item.sequence}\nevent: ${item.type}\ndata: ${JSON.stringify(item)}\n\n`,
    started: (write) => {
      write(": open\n\n");
      heartbeat = setInterval(() => {
        write(": alive\n\n");
        void options.stillAllowed().then((allowed) => {
          if (!allowed) options.cancel();
        });
      }, options.heartbeatMs);
    },
    ended: () => {
      clearInterval(heartbeat);
      options.ended();
    },
  });
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
  });
}

/** One line per item. The lines are written as they are given: an export's bytes are what its proof is about. */
export function ndjsonResponse(
  lines: AsyncIterable<string>,
  options: { cancel: () => void; onError: (error: unknown) => void },
): Response {
  const body = streamOf(lines, { ...options, encode: (line) => (line.endsWith("\n") ? line : `${line}\n`) });
  return new Response(body, { headers: { "content-type": "application/x-ndjson", "cache-control": "no-store" } });
}

interface StreamOptions<Item> {
  encode(item: Item): string;
  /** The reader went away. */
  cancel(): void;
  onError(error: unknown): void;
  started?(write: (text: string) => void): void;
  ended?(): void;
}

function streamOf<Item>(items: AsyncIterable<Item>, options: StreamOptions<Item>): ReadableStream<Uint8Array> {
  const iterator = items[Symbol.asyncIterator]();
  let finished = false;
  const finish = () => {
    if (!finished) options.ended?.();
    finished = true;
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      options.started?.((text) => controller.enqueue(encoder.encode(text)));
    },
    async pull(controller) {
      try {
        const next = await iterator.next();
        // A reader that went away meanwhile is no failure, and its stream takes nothing more.
        if (finished) return;
        if (next.done) {
          finish();
          controller.close();
        } else controller.enqueue(encoder.encode(options.encode(next.value)));
      } catch (error) {
        if (finished) return;
        finish();
        options.onError(error);
        // The status has long been sent: a broken connection is the only way left to say that this is not the end.
        // What the adapter says of it (into the stream, and on standard error) is none of the failure's own words.
        controller.error(new Error("the stream was broken off"));
      }
    },
    async cancel() {
      finish();
      options.cancel();
      await iterator.return?.();
    },
  });
}
