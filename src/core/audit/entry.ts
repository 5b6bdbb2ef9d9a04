import canonicalize from "canonicalize";
import { z } from "zod";
import { ContinuumError, type Parsed } from "../error.ts";

/**
 * One entry of a tenant's audit log: who did what to what, when, and how it ended. What is hashed and stored is the
 * RFC 8785 canonical JSON in UTF-8; it says nothing of its position, which the tree gives it, and nothing of the entry
 * before it, which the tree holds.
 *
 * Details are an allow-list of names with a shape each, so that neither payloads nor free text nor secrets find their
 * way into a log that can never be corrected. What does not fit is kept elsewhere and named by its digest.
 */

const text = (pattern: RegExp, what: string) => z.string().max(256).regex(pattern, what);
const id = text(
  /^[A-Za-z0-9][A-Za-z0-9._:@/+-]*$/,
  "must be an id: letters, digits and ._:@/+-, at most 256 characters",
);
const code = text(
  /^[A-Za-z0-9][A-Za-z0-9._:/-]*$/,
  "must be a code: letters, digits and ._:/-, at most 256 characters",
);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "must be sha256: and 64 hexadecimal digits in lower case");
const time = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/, "must be a UTC time such as 2026-11-23T07:00:00.000Z")
  .refine((value) => isRealTime(value), "must be a time that exists");
const count = z.number().int().min(-Number.MAX_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER);
const codes = z.array(code).max(64);

/** The names that details may carry. A new one is a line here and a reader's line in the documentation. */
const DETAILS = {
  planDigest: digest,
  policyDigest: digest,
  fromPolicyDigest: digest,
  artifactDigest: digest,
  subjectDigest: digest,
  snapshotDigest: digest,
  bundleDigest: digest,
  /** Of an event of a rollout, see event-record.ts. */
  eventDigest: digest,
  /** Of the decision over a plan, in its RFC 8785 form. */
  decisionDigest: digest,
  /** Of whatever has no place here: a comment, a body, a diff. */
  detailsDigest: digest,
  keyId: id,
  rollout: id,
  endpoint: id,
  model: id,
  modelVersion: id,
  instanceType: id,
  principal: id,
  principalKind: code,
  owner: id,
  worker: id,
  host: id,
  environment: code,
  target: code,
  runtime: code,
  strategy: code,
  phase: code,
  fromPhase: code,
  signal: code,
  command: code,
  decision: code,
  verdict: code,
  reason: code,
  cause: code,
  gate: code,
  purpose: code,
  role: code,
  alarm: code,
  kind: code,
  predicateType: id,
  result: code,
  breaker: code,
  operation: code,
  // `ROLE@ENVIRONMENT` where a role holds in one environment alone.
  roles: z.array(id).max(64),
  clauses: codes,
  missing: codes,
  sequence: count,
  generation: count,
  percent: count,
  instanceCount: count,
  fromInstanceCount: count,
  microUsdPerHour: count,
  sizeBytes: count,
  count,
  durationMs: count,
  deadlineSeconds: count,
  requests: count,
  errors: count,
  dryRun: z.boolean(),
  simulation: z.boolean(),
  mfa: z.boolean(),
  signed: z.boolean(),
  encrypted: z.boolean(),
  empty: z.boolean(),
  expiresAt: time,
  before: time,
};

const detailsSchema = z.strictObject(DETAILS).partial();

export const auditEntrySchema = z.strictObject({
  version: z.literal(1),
  tenant: id,
  at: time,
  actor: z.strictObject({
    id,
    kind: z.enum(["human", "agent", "service", "system"]),
    /** The person who answers for an agent. */
    owner: id.optional(),
  }),
  action: text(/^[a-z0-9]+([.:-][a-z0-9]+)*$/, "must be an action such as rollout.submit"),
  subject: z.strictObject({ type: code, id }),
  /** `refused`: not permitted or not accepted. `denied`: the policy said no. `failed`: it was tried and broke. */
  outcome: z.enum(["accepted", "denied", "refused", "failed"]),
  details: detailsSchema,
});

export type AuditEntry = z.infer<typeof auditEntrySchema>;
export type AuditDetails = AuditEntry["details"];
export type AuditErrorCode = "bad-audit-entry";

/** The bytes that are hashed and stored. Throws `bad-audit-entry` when a field is not of its shape. */
export function encodeEntry(entry: AuditEntry): Buffer {
  const parsed = parseEntry(entry);
  if (!parsed.ok) {
    throw new ContinuumError<AuditErrorCode>("bad-audit-entry", `${parsed.problem.path}: ${parsed.problem.message}`);
  }
  return Buffer.from(canonicalText(parsed.value), "utf8");
}

/** Reads stored bytes back; anything but the canonical form of a well-shaped entry is a problem. */
export function decodeEntry(bytes: Uint8Array): Parsed<AuditEntry> {
  let value: unknown;
  try {
    value = JSON.parse(strictUtf8.decode(bytes));
  } catch {
    return problem("", "must be JSON in UTF-8");
  }
  const parsed = parseEntry(value);
  if (!parsed.ok) return parsed;
  const canonical = Buffer.from(canonicalText(parsed.value), "utf8");
  return Buffer.compare(canonical, bytes) === 0 ? parsed : problem("", "must be RFC 8785 canonical JSON");
}

/** Whether a value that was read from JSON is an entry. */
export function parseEntry(value: unknown): Parsed<AuditEntry> {
  const result = auditEntrySchema.safeParse(value);
  if (result.success) return { ok: true, value: result.data };
  const [issue] = result.error.issues;
  return problem(`/${(issue?.path ?? []).map(String).join("/")}`, issue?.message ?? "is not an audit entry");
}

/** The time of an entry, from milliseconds since the epoch. */
export function entryTime(atMs: number): string {
  return new Date(atMs).toISOString();
}

/** RFC 8785 canonical JSON of a value that is known to be plain JSON. */
export function canonicalText(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new ContinuumError<AuditErrorCode>("bad-audit-entry", "the value has no JSON form");
  return text;
}

// A byte order mark is kept, so that it counts as a change instead of vanishing.
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function problem(path: string, message: string): Parsed<never> {
  return { ok: false, problem: { path, message } };
}

function isRealTime(value: string): boolean {
  const atMs = Date.parse(value);
  return Number.isFinite(atMs) && new Date(atMs).toISOString() === value;
}
