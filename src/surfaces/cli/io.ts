import type { Environment } from "../../config/environment.ts";

/** What a command reads and writes; tests give their own. */
export interface Io {
  /** Resolves when the reader has taken it, so that a long stream never piles up in memory. */
  out(text: string | Uint8Array): Promise<void>;
  err(text: string): void;
  stdin: NodeJS.ReadStream | AsyncIterable<Uint8Array>;
  stdoutIsTerminal: boolean;
  stderrIsTerminal: boolean;
  stdinIsTerminal: boolean;
  environment: Environment;
}

/** The process's own streams. A reader that goes away (`| head`) ends the program in silence, as is the custom. */
export function processIo(environment: Environment): Io {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  return {
    out: (text) =>
      new Promise((resolve) => {
        if (process.stdout.write(text)) resolve();
        else process.stdout.once("drain", resolve);
      }),
    err: (text) => void process.stderr.write(text),
    stdin: process.stdin,
    stdoutIsTerminal: process.stdout.isTTY === true,
    stderrIsTerminal: process.stderr.isTTY === true,
    stdinIsTerminal: process.stdin.isTTY === true,
    environment,
  };
}

/** Everything on standard input, up to a limit. */
export async function readAll(
  input: AsyncIterable<Uint8Array | string>,
  bytesMax: number,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of input) {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    size += bytes.length;
    if (size > bytesMax) return undefined;
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
