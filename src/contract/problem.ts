/** Problem codes of the HTTP API (RFC 9457 `code`), each with its status and the CLI's exit code. */
export const PROBLEMS = {
  "malformed-request": { status: 400, exit: 64, title: "The request is malformed" },
  unauthenticated: { status: 401, exit: 77, title: "A valid credential is needed" },
  forbidden: { status: 403, exit: 77, title: "The credential does not permit this" },
  "humans-only": { status: 403, exit: 77, title: "Only a person may do this" },
  "own-plan": { status: 403, exit: 77, title: "Nobody approves their own plan" },
  "step-up-required": { status: 403, exit: 77, title: "A second factor is needed" },
  "step-up-failed": { status: 403, exit: 77, title: "The second factor was refused" },
  "signature-required": { status: 403, exit: 77, title: "The approver's own signature is needed" },
  "signature-refused": { status: 403, exit: 77, title: "The signature was refused" },
  "sign-in-refused": { status: 401, exit: 77, title: "Signing in was refused" },
  "sign-in-unavailable": { status: 409, exit: 1, title: "This server does not take that way of signing in" },
  "not-found": { status: 404, exit: 1, title: "There is no such thing" },
  "not-acceptable-now": { status: 409, exit: 1, title: "The rollout's phase does not allow this" },
  "idempotency-conflict": { status: 409, exit: 64, title: "The idempotency key was used for another request" },
  "digest-mismatch": { status: 409, exit: 1, title: "The digest is not the one that is meant" },
  "statement-refused": { status: 409, exit: 1, title: "The statement cannot be used" },
  "audit-broken": { status: 409, exit: 1, title: "The audit log does not fit what was signed of it" },
  "endpoint-busy": { status: 409, exit: 1, title: "A rollout holds the endpoint" },
  "policy-protected": { status: 422, exit: 2, title: "The policy version changes what nobody may change" },
  denied: { status: 422, exit: 2, title: "The policy denies this" },
  "untrusted-evidence": { status: 422, exit: 2, title: "The evidence was refused" },
  "too-large": { status: 413, exit: 64, title: "The request is too large" },
  "unsupported-media-type": { status: 415, exit: 64, title: "The content type is not supported" },
  "host-memory": { status: 503, exit: 1, title: "The host has not enough memory for this plan" },
  "target-not-available": { status: 422, exit: 2, title: "The plan's target is not available on this server" },
  "exchange-refused": { status: 401, exit: 77, title: "The identity token was not accepted" },
  "quota-exceeded": { status: 429, exit: 1, title: "The tenant has all that it may have of this" },
  "too-many-requests": { status: 429, exit: 1, title: "Too many requests" },
  "disk-full": { status: 507, exit: 1, title: "The server's disk is full" },
  unavailable: { status: 503, exit: 69, title: "A part that is needed cannot be reached" },
  internal: { status: 500, exit: 1, title: "Something failed on our side" },
} as const satisfies Record<string, { status: number; exit: number; title: string }>;

export type ProblemCode = keyof typeof PROBLEMS;

/** RFC 9457 problem details, with a stable `code` and the request's id. */
export interface ProblemDetails {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ProblemCode;
  requestId: string;
  /** JSON pointer into the request, where one place is to blame. */
  pointer?: string;
  [extension: string]: unknown;
}
