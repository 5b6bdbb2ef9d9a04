import { type ChildProcess, fork } from "node:child_process";

/** What both ends of a measurement's processes say to each other: calls by name, with plain data. */
type Call = { id: number; method: string; argument: unknown };
type Answer = { id: number; value?: unknown; error?: string };

export interface Child {
  pid: number;
  /** Errors: what the method threw there; the end of the process. */
  call<T>(method: string, argument?: unknown): Promise<T>;
  signal(signal: NodeJS.Signals): void;
  /** Asks it to end and waits; by force after a while. */
  end(): Promise<void>;
}

/** Starts a file of this folder as a process of its own. Resolves when it serves calls. */
export function startChild(file: string, args: readonly string[] = []): Promise<Child> {
  const process = fork(new URL(file, import.meta.url), args, {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    // The peer's warnings about the driver it uses are not ours to mend.
    execArgv: ["--no-deprecation"],
  });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let calls = 0;
  const ended = new Promise<void>((resolve) => process.once("exit", () => resolve()));
  return new Promise((resolve, reject) => {
    process.once("error", reject);
    process.once("exit", (code, signal) => {
      const error = new Error(`${file} ended with ${signal ?? code}`);
      reject(error);
      for (const one of waiting.values()) one.reject(error);
    });
    process.on("message", (message: Answer | "serving") => {
      if (message === "serving") return resolve(child);
      const asked = waiting.get(message.id);
      waiting.delete(message.id);
      if (message.error === undefined) asked?.resolve(message.value);
      else asked?.reject(new Error(`${file}: ${message.error}`));
    });
    const child: Child = {
      pid: process.pid ?? 0,
      call: <T>(method: string, argument: unknown = null) =>
        new Promise<T>((answered, failed) => {
          calls += 1;
          waiting.set(calls, { resolve: (value) => answered(value as T), reject: failed });
          process.send({ id: calls, method, argument } satisfies Call);
        }),
      signal: (signal) => void process.kill(signal),
      end: () => end(process, ended),
    };
  });
}

async function end(process: ChildProcess, ended: Promise<void>): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const force = setTimeout(() => process.kill("SIGKILL"), 5000);
  process.kill("SIGTERM");
  await ended;
  clearTimeout(force);
}

/** The other end: serves the methods until it is asked to end, or whoever started it is gone. */
export function serveCalls(
  methods: Record<string, (argument: never) => Promise<unknown>>,
  stop: () => Promise<void>,
): void {
  process.on("message", async ({ id, method, argument }: Call) => {
    const answer: Answer = { id };
    try {
      const known = methods[method];
      if (known === undefined) throw new Error(`there is no method ${method}`);
      answer.value = await known(argument as never);
    } catch (error) {
      answer.error = error instanceof Error ? error.message : String(error);
    }
    process.send?.(answer);
  });
  const leave = () => void stop().finally(() => process.exit(0));
  process.once("SIGTERM", leave);
  process.once("disconnect", leave);
  process.send?.("serving");
}
