import { failed } from "./cli-error.ts";
import type { Io } from "./io.ts";

const BACKSPACES = ["\u007f", "\b"];
const END_OF_INPUT = "\u0004";
const INTERRUPT = "\u0003";

/** Asks on the terminal without showing what is typed; undefined when there is no terminal to ask on. */
export async function promptHidden(io: Io, question: string): Promise<string | undefined> {
  const input = io.stdin;
  if (!io.stdinIsTerminal || !("setRawMode" in input)) return undefined;
  io.err(question);
  input.setRawMode(true);
  input.setEncoding("utf8");
  try {
    return await typedLine(input);
  } finally {
    input.setRawMode(false);
    input.pause();
    io.err("\n");
  }
}

function typedLine(input: NodeJS.ReadStream): Promise<string> {
  let line = "";
  return new Promise((resolve, reject) => {
    const stop = () => input.off("data", take).off("end", end);
    const end = () => {
      stop();
      resolve(line);
    };
    const take = (chunk: string | Buffer) => {
      for (const character of String(chunk)) {
        if (character === INTERRUPT) {
          stop();
          reject(failed("interrupted"));
          return;
        }
        if (character === "\r" || character === "\n" || character === END_OF_INPUT) return end();
        line = BACKSPACES.includes(character) ? line.slice(0, -1) : line + character;
      }
    };
    input.on("data", take).on("end", end).resume();
  });
}

/** A yes or no on the terminal; false when there is no terminal to ask on. */
export async function confirm(io: Io, question: string): Promise<boolean> {
  if (!io.stdinIsTerminal) return false;
  const { createInterface } = await import("node:readline/promises");
  const lines = createInterface({ input: io.stdin as NodeJS.ReadableStream, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}
