import type { OperationName } from "../contract/operations.ts";
import { PROBLEMS, type ProblemCode } from "../contract/problem.ts";
import { canonicalJson, sha256Digest } from "../core/plan/canonical.ts";
import type { Database } from "../store/database.ts";
import { type KeyedRequest, releaseKey, storeAnswer, takeKey } from "../store/queries/idempotency.ts";
import type { Principal } from "./principal.ts";
import { Refusal, refuse } from "./refusal.ts";

/** How long an answer can be asked for again; the daily removal (engine/retention.ts) leaves those that are younger. */
const KEPT_MS = 24 * 3600 * 1000;
/** A request that has not ended by then died with its process; the key may be taken again for the same request. */
const ABANDONED_MS = 60_000;

/** Operations whose answer holds a secret: it is shown once, and a copy of it is never stored. */
const ANSWERS_ONCE: ReadonlySet<OperationName> = new Set([
  "tokens.create",
  "people.invite",
  "me.enroll",
  "me.totp.enroll",
  "webhooks.create",
  "webhooks.rotate",
]);

export interface IdempotentRequest {
  principal: Principal;
  operation: OperationName;
  key: string;
  input: unknown;
}

type Stored = { output: unknown } | { refusal: { code: string; message: string; details: Record<string, unknown> } };

/**
 * Performs a request once per key and principal. The same request again gets the stored answer, refusals included;
 * another request under the same key, and the same one while the first is under way, are refused. A failure on our
 * side is not an answer: the key is free again. Errors: `idempotency-conflict`, and those of `perform`.
 */
export async function performOnce<Output>(
  parts: { database: Database; nowMs(): number },
  request: IdempotentRequest,
  perform: () => Promise<Output>,
): Promise<Output> {
  const { database } = parts;
  const keyed: KeyedRequest = { tenant: request.principal.tenant, principal: request.principal.id, key: request.key };
  const requestDigest = sha256Digest(canonicalJson({ operation: request.operation, input: request.input }));
  const nowMs = parts.nowMs();
  const times = { nowMs, abandonedBeforeMs: nowMs - ABANDONED_MS, expiredBeforeMs: nowMs - KEPT_MS };
  const found = await takeKey(database, { ...keyed, requestDigest, ...times });
  if (found !== "taken") {
    if (found.requestDigest !== requestDigest) refuse("idempotency-conflict", "The key was used for another request.");
    if (found.status === null) refuse("idempotency-conflict", "The first request with this key is still under way.");
    return replay(found.response as Stored, request.operation) as Output;
  }
  try {
    const output = await perform();
    const kept: Stored = { output: ANSWERS_ONCE.has(request.operation) ? null : output };
    await storeAnswer(database, keyed, { status: 200, response: kept });
    return output;
  } catch (error) {
    if (!(error instanceof Refusal) || PROBLEMS[error.code].status >= 500) await releaseKey(database, keyed);
    else {
      const { code, message, details } = error;
      await storeAnswer(database, keyed, {
        status: PROBLEMS[code].status,
        response: { refusal: { code, message, details } },
      });
    }
    throw error;
  }
}

function replay(stored: Stored, operation: OperationName): unknown {
  if ("refusal" in stored) {
    const { code, message, details } = stored.refusal;
    throw new Refusal(code as ProblemCode, message, { details });
  }
  if (stored.output !== null) return stored.output;
  return refuse(
    "idempotency-conflict",
    `${operation} was performed with this key; its answer held a secret and is shown once.`,
  );
}
