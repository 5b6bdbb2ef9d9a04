import { PROBLEMS, type ProblemCode, type ProblemDetails } from "../../contract/problem.ts";
import { ContinuumError } from "../../core/error.ts";
import { scrub } from "../../core/privacy/scrub.ts";
import { Refusal } from "../../service/refusal.ts";

const TYPE_PREFIX = "urn:continuum:problem:";

/** The answer to a request that failed, as RFC 9457 says. */
export function problemResponse(problem: ProblemDetails, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { "content-type": "application/problem+json", ...headers },
  });
}

export function problemDetails(options: {
  code: ProblemCode;
  detail: string;
  requestId: string;
  extensions?: Readonly<Record<string, unknown>>;
}): ProblemDetails {
  const { code, detail, requestId, extensions } = options;
  const { status, title } = PROBLEMS[code];
  // The caller's own input may be quoted in it, and problems end up in the logs of callers and of what lies between.
  const scrubbed = (text: string) => scrub(text, { addresses: "keep" });
  const quoted = Object.entries(extensions ?? {}).map(([name, value]) => [
    name,
    typeof value === "string" ? scrubbed(value) : value,
  ]);
  const own = { type: TYPE_PREFIX + code, title, status, detail: scrubbed(detail), code, requestId };
  return { ...Object.fromEntries(quoted), ...own };
}

/** What a thrown value becomes. An error that nobody foresaw tells the caller nothing but the request's id. */
export function problemOf(error: unknown, requestId: string): ProblemDetails {
  if (error instanceof Refusal) {
    return problemDetails({ code: error.code, detail: error.message, requestId, extensions: error.details });
  }
  if (isFullDisk(error)) {
    const detail = "Nothing was changed; whoever keeps the server has to free space. What serves goes on serving.";
    return problemDetails({ code: "disk-full", detail, requestId });
  }
  if (error instanceof ContinuumError && error.retryable) {
    const detail = "A part that this request needs cannot be reached now; try again.";
    return problemDetails({ code: "unavailable", detail, requestId });
  }
  const detail = `The request failed on the server's side; its log has the cause under ${requestId}.`;
  return problemDetails({ code: "internal", detail, requestId });
}

/** Of the database, or of the artifact store, which tells its disk's code. */
function isFullDisk(error: unknown): boolean {
  if (!(error instanceof ContinuumError)) return false;
  const { code } = error.details;
  return error.code === "database-full" || code === "ENOSPC" || code === "EDQUOT";
}
