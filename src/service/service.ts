import type { OperationInput, OperationName, OperationOutput, Operations } from "../contract/operations.ts";
import type { Principal } from "./principal.ts";
import type { SignIn } from "./sign-in.ts";
import type { WorkloadExchange } from "./workload-identity.ts";

/** The use cases: one answer for each operation of the contract. Surfaces know this and nothing below it. */
export interface Service {
  /** Who holds the token; undefined when it is unknown, malformed, expired or revoked. Errors: `unavailable`. */
  authenticate(token: string): Promise<Principal | undefined>;
  /** Who holds this browser's session; undefined when it is unknown or over, or was not used for too long; with `rests` the look is no use. */
  session(cookie: string, how?: { rests?: boolean }): Promise<Principal | undefined>;
  /** How people come in. */
  readonly signIn: SignIn;
  /** How pipelines come in. */
  readonly workloads: WorkloadExchange;
  /**
   * Refuses a principal that may not perform the operation, so that a surface need not read what it brings. Errors: a
   * `Refusal`, which is audited, with `forbidden` or `humans-only`.
   */
  authorize(name: OperationName, principal: Principal): Promise<void>;
  /**
   * Performs one operation for a principal. Permission and kind are checked here, whatever the surface checked.
   * Errors: `Refusal` with a public problem code; anything else thrown is a failure of ours.
   */
  call<N extends OperationName>(name: N, request: ServiceRequest<N>): Promise<ServiceAnswer<N>>;
  /** Whether the parts that requests need can be reached; `problems` are sentences for an operator. */
  readiness(): Promise<{ ready: boolean; problems: string[] }>;
}

export interface ServiceRequest<N extends OperationName> {
  principal: Principal;
  input: OperationInput<N>;
  requestId: string;
  /** The same key with the same request is performed once and answered alike; POST only. */
  idempotencyKey?: string;
  /** Ends a streamed answer early. */
  signal?: AbortSignal;
}

/** A stream of items where the operation streams, else the one answer. */
export type ServiceAnswer<N extends OperationName> = Operations[N] extends { produces: "sse" | "ndjson" }
  ? AsyncIterable<OperationOutput<N>>
  : OperationOutput<N>;
