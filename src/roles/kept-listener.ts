import type { ChildProcess, SendHandle } from "node:child_process";

/**
 * The listening socket of a role outlives its process: the supervisor holds it without accepting, so that whoever
 * connects while the role is started again waits in the system's queue instead of being refused. A socket is passed as
 * the bare handle, which Node sends and takes as it is; a whole server would accept connections in the supervisor too.
 */
const VARIABLE = "SUPERVISED_LISTENER";

type Question = { type: "listener-wanted" } | { type: "listener-made" };

/** Tells a role's process that its supervisor keeps its socket. */
export const KEPT_LISTENER_ENV: Readonly<Record<string, string>> = { [VARIABLE]: "kept" };

/** The supervisor's side, for one role over all its processes. */
export class KeptListener {
  #handle: SendHandle;

  /** Answers the process when it asks for the socket, and takes the one that it made. */
  serve(child: ChildProcess): void {
    child.on("message", (message: Question, handle: SendHandle) => {
      // A process that fell meanwhile needs no answer.
      if (message?.type === "listener-wanted") child.send({ type: "listener" }, this.#handle, {}, () => undefined);
      if (message?.type === "listener-made") this.#handle = handle;
    });
  }

  /** From now on nobody waits: who connects is refused once the role closes its own. */
  close(): void {
    const handle = this.#handle;
    this.#handle = undefined;
    if (handle !== undefined && "close" in handle) handle.close();
  }
}

/** The role's side: the socket of the process before this one; undefined where there was none, or nobody keeps it. */
export function inheritedListener(): Promise<SendHandle> {
  const { promise, resolve } = Promise.withResolvers<SendHandle>();
  if (process.send === undefined || process.env[VARIABLE] === undefined) return Promise.resolve(undefined);
  const take = (message: { type?: unknown }, handle: SendHandle) => {
    if (message?.type !== "listener") return;
    process.off("message", take);
    resolve(handle);
  };
  process.on("message", take);
  process.send({ type: "listener-wanted" } satisfies Question);
  return promise;
}

/** The role's side: gives the supervisor the socket that this process made. */
export function keepListener(handle: SendHandle): void {
  if (process.send === undefined || process.env[VARIABLE] === undefined) return;
  process.send({ type: "listener-made" } satisfies Question, handle, { keepOpen: true });
}
