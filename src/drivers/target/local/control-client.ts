import { Agent, request as httpRequest } from "node:http";
import { ContinuumError } from "../../../core/error.ts";
import {
  CONTROL_ANSWERS,
  type ControlAnswer,
  type ControlOperation,
  type ControlRequest,
  controlFailureSchema,
} from "../../../serving/protocol.ts";
import type { TargetErrorCode } from "../target.ts";

const TARGET_CODES: readonly string[] = [
  "stale-generation",
  "no-such-endpoint",
  "bad-model",
  "host-memory",
  "tripped",
  "superseded",
  "unreachable",
  "not-available",
] satisfies TargetErrorCode[];

/** Loading a large model takes its time; everything else is done in memory. */
const PROVISIONING_MS_MAX = 180_000;
const OTHERS_MS_MAX = 30_000;
const PROVISIONING: readonly ControlOperation[] = ["provision", "rollback", "scale"];

/** Speaks the control API of one serving process over its unix socket. */
export class ControlClient {
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: false });

  constructor(options: { controlSocket: string }) {
    this.#socketPath = options.controlSocket;
  }

  /** Throws `ContinuumError` with a `TargetErrorCode`; `unreachable` is retryable: nobody listens, or no answer came. */
  async call<O extends ControlOperation>(operation: O, body: ControlRequest<O>): Promise<ControlAnswer<O>> {
    const { status, text } = await this.#post(operation, JSON.stringify(body));
    const value: unknown = parse(text);
    if (status !== 200) throw failure(value);
    const parsed = CONTROL_ANSWERS[operation].safeParse(value);
    if (!parsed.success) throw targetError("not-available", "the serving process answered in another version's words");
    // The schema was looked up by the operation, which is what the answer's type is looked up by.
    return parsed.data as ControlAnswer<O>;
  }

  #post(operation: ControlOperation, body: string): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const unreachable = (cause: unknown) =>
        reject(targetError("unreachable", "the serving process does not answer on its control socket", cause));
      const request = httpRequest(
        {
          socketPath: this.#socketPath,
          agent: this.#agent,
          method: "POST",
          path: `/${operation}`,
          headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
          timeout: PROVISIONING.includes(operation) ? PROVISIONING_MS_MAX : OTHERS_MS_MAX,
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", unreachable);
          response.on("end", () =>
            resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }),
          );
        },
      );
      request.on("timeout", () => request.destroy(new Error("no answer in time")));
      request.on("error", unreachable);
      request.end(body);
    });
  }
}

export function targetError(code: TargetErrorCode, message: string, cause?: unknown): ContinuumError<TargetErrorCode> {
  return new ContinuumError(code, message, { cause, retryable: code === "unreachable" });
}

function failure(value: unknown): ContinuumError {
  const parsed = controlFailureSchema.safeParse(value);
  if (!parsed.success) return targetError("not-available", "the serving process failed without saying how");
  const { code, message, retryable, details } = parsed.data;
  return new ContinuumError(TARGET_CODES.includes(code) ? code : "not-available", message, { retryable, details });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
