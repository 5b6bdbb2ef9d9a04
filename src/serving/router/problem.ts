import type { OutgoingHttpHeaders, ServerResponse } from "node:http";

/** What can be wrong with an invocation; each has one status. Sent as RFC 9457 problem details with this `code`. */
export const INVOKE_PROBLEMS = {
  "malformed-request": { status: 400, title: "The request is malformed" },
  "bad-input": { status: 400, title: "The body is no input of this model" },
  unauthenticated: { status: 401, title: "A valid credential is needed" },
  "not-found": { status: 404, title: "There is no such thing" },
  "method-not-allowed": { status: 405, title: "The method is not supported here" },
  "too-large": { status: 413, title: "The request is too large" },
  "unsupported-media-type": { status: 415, title: "The content type is not supported" },
  "too-many-requests": { status: 429, title: "Too many requests" },
  "model-error": { status: 500, title: "The model failed" },
  "replica-lost": { status: 502, title: "The replica died before it answered" },
  unavailable: { status: 503, title: "Not able to answer now" },
  "timed-out": { status: 504, title: "The model did not answer in time" },
} as const satisfies Record<string, { status: number; title: string }>;

export type InvokeProblem = keyof typeof INVOKE_PROBLEMS;

export interface ProblemAnswer {
  code: InvokeProblem;
  detail: string;
  requestId: string;
  headers?: OutgoingHttpHeaders;
}

export function sendProblem(response: ServerResponse, problem: ProblemAnswer): void {
  if (response.headersSent || response.destroyed) return;
  const { status } = INVOKE_PROBLEMS[problem.code];
  const body = problemBody(problem);
  response.writeHead(status, {
    ...problem.headers,
    "content-type": "application/problem+json",
    "content-length": Buffer.byteLength(body),
    "x-request-id": problem.requestId,
  });
  response.end(body);
}

export function problemBody({ code, detail, requestId }: ProblemAnswer): string {
  const { status, title } = INVOKE_PROBLEMS[code];
  return JSON.stringify({ type: "about:blank", title, status, detail, code, requestId });
}

/** What a replica says went wrong. */
export function readFailure(body: Buffer): string {
  const failure: unknown = JSON.parse(body.toString("utf8"));
  const known = typeof failure === "object" && failure !== null && "message" in failure;
  return known ? String(failure.message) : "the model failed";
}
