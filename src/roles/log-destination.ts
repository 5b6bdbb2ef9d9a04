import { writeSync } from "node:fs";

/** A reader that is behind for longer than this many pauses loses lines; the program does not stand still for it. */
const PAUSES_MAX = 100;
const PAUSE_MS = 10;

/**
 * Where log lines go: written at once, so that the last one before a crash is there. A line that the system does not
 * take (a full disk, a reader that is gone) is lost and counted, and the next one that is taken says how many were: a
 * program must not end because its log cannot be written.
 */
export class LogDestination {
  readonly #write: (bytes: Uint8Array) => number;
  #lost = 0;
  #torn = false;

  /** `write` answers how many bytes were taken, as writeSync(2) does. */
  constructor(write: (bytes: Uint8Array) => number = (bytes) => writeSync(2, bytes)) {
    this.#write = write;
  }

  /** One line with its end; never throws. */
  write(line: string): void {
    const head = `${this.#torn ? "\n" : ""}${this.#lost > 0 ? `${lossLine(this.#lost)}\n` : ""}`;
    if (!this.#writeAll(Buffer.from(head + line))) {
      this.#lost += 1;
      return;
    }
    this.#lost = 0;
    this.#torn = false;
  }

  #writeAll(bytes: Uint8Array): boolean {
    let pauses = 0;
    for (let at = 0; at < bytes.byteLength; ) {
      try {
        at += this.#write(bytes.subarray(at));
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        this.#torn ||= at > 0;
        if (code !== "EAGAIN" || pauses === PAUSES_MAX) return false;
        pauses += 1;
        Atomics.wait(SLEEPER, 0, 0, PAUSE_MS);
      }
    }
    return true;
  }
}

const SLEEPER = new Int32Array(new SharedArrayBuffer(4));

function lossLine(count: number): string {
  return JSON.stringify({
    level: 50,
    time: new Date().toISOString(),
    process: process.pid,
    count,
    msg: "log-lines-lost",
  });
}
