import type { ProblemCode } from "../contract/problem.ts";
import { ContinuumError } from "../core/error.ts";

/**
 * What ends a request without its answer. The code is the public one, so that every surface says the same thing;
 * `details` become members of the problem document and hold facts only: no secret and no payload.
 */
export class Refusal extends ContinuumError<ProblemCode> {}

export function refuse(code: ProblemCode, message: string, details: Record<string, unknown> = {}): never {
  throw new Refusal(code, message, { details });
}

/** The same sentence for what is absent and for what belongs to another tenant. */
export function notFound(what: string): never {
  return refuse("not-found", `There is no such ${what}.`);
}
