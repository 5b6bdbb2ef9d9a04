import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** How bytes are put on a connection, and when it counts as answered. */
export interface Delivery {
  bytes: Uint8Array;
  /** So many pieces, each after a pause of a millisecond. */
  pieces: number;
  /** Close our side after the last byte, as a caller does that goes away or has said all. */
  end: boolean;
}

const ANSWER_MS_MAX = 15_000;
const STREAM_MS_MAX = 300;
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Sends bytes over a connection of their own and answers all that came back before the other side closed it.
 * `silent` when it did not within the time; a stream of events is left as soon as it began.
 */
export async function exchange(
  port: number,
  { bytes, pieces, end }: Delivery,
): Promise<{ answer: string; silent: boolean }> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
  const chunks: Buffer[] = [];
  let size = 0;
  const closed = new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(true), ANSWER_MS_MAX);
    const finish = () => {
      clearTimeout(timer);
      resolve(false);
    };
    socket.on("end", finish).on("close", finish).on("error", finish);
    socket.on("data", (chunk: Buffer) => {
      if (size < ANSWER_BYTES_MAX) chunks.push(chunk);
      if (size === 0 && chunk.includes("text/event-stream")) setTimeout(finish, STREAM_MS_MAX).unref();
      size += chunk.length;
    });
  });
  const length = Math.max(1, Math.ceil(bytes.length / pieces));
  for (let at = 0; at < bytes.length && !socket.destroyed; at += length) {
    if (at > 0) await sleep(1);
    socket.write(bytes.subarray(at, at + length));
  }
  if (end) socket.end();
  const silent = await closed;
  socket.destroy();
  return { answer: Buffer.concat(chunks).toString("latin1"), silent };
}
