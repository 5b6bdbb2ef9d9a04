import { createHash } from "node:crypto";
import { BUNDLE_BYTES_MAX, readBundle } from "./bundle.ts";
import { IN_TOTO_PAYLOAD_TYPE, preAuthEncoding } from "./dsse.ts";
import { findSigner } from "./find-signer.ts";
import { firstProblem } from "./first-problem.ts";
import {
  isAbout,
  type Statement,
  statementSchema,
  subjectDigestsOf,
  TEST_RESULT_TYPE,
  type TestResult,
  testResultSchema,
} from "./statement.ts";
import { type Proof, type Refusal, refusal, type TrustInput } from "./trust.ts";
import { parseUtf8Json } from "./utf8-json.ts";

export type { Refusal, TrustedKey, TrustInput } from "./trust.ts";

export interface TrustRequirement extends TrustInput {
  purpose: string;
  predicateType: string;
  /** `sha256:...` of what the statement must be about; without it the caller compares `subjectDigests` itself. */
  subjectDigest?: string;
}

/** A statement that was signed by someone trusted. */
export interface Authentic extends Proof {
  statement: Statement;
  /** `sha256:...` of exactly the bytes that were signed. */
  payloadDigest: string;
  /** `sha256:...` of every subject. */
  subjectDigests: string[];
}

/**
 * Whether a statement comes from someone trusted for the purpose, is of the type that is required and about the
 * subject. The signature is verified over the bytes as they came; only then are they parsed. Nothing that the bundle
 * says of its signer counts, and all comparisons are exact.
 * Errors: `bad-trusted-key` when the list of trusted keys itself is broken.
 */
export function verifyTrusted(
  bundleJson: string | Uint8Array,
  required: TrustRequirement,
): ({ ok: true } & Authentic) | Refusal {
  const bundle = readBundle(bundleJson);
  if (!bundle.ok)
    return refusal("malformed-bundle", `the bundle cannot be read: ${bundle.problem.path} ${bundle.problem.message}`);
  if (bundle.value.kind !== "dsse") return refusal("malformed-bundle", "the bundle signs a file, not a statement");
  const dsse = bundle.value;
  if (dsse.payloadType !== IN_TOTO_PAYLOAD_TYPE) {
    return refusal("malformed-bundle", `the payload's type must be ${IN_TOTO_PAYLOAD_TYPE}`);
  }
  const { signature, hint, certified } = dsse;
  const bytes = preAuthEncoding(dsse.payloadType, dsse.payload);
  const found = findSigner({ bytes, signature, hint, certified }, required);
  return found.ok ? readSigned(dsse.payload, found, required) : found;
}

/** What a test statement from a trusted key says. */
export interface TestEvidence extends Authentic {
  kind: "tests";
  predicateType: typeof TEST_RESULT_TYPE;
  predicate: TestResult;
}

/**
 * What a test statement says, once a key trusted for `tests` is shown to have made it; also when the tests failed.
 * For storing: whether it lets anything pass is `verifyTestEvidence`'s to say.
 */
export function authenticateTestEvidence(
  bundleJson: string | Uint8Array,
  trust: TrustInput,
): { ok: true; evidence: TestEvidence } | Refusal {
  const trusted = verifyTrusted(bundleJson, { ...trust, purpose: "tests", predicateType: TEST_RESULT_TYPE });
  if (!trusted.ok) return trusted;
  const predicate = testResultSchema.safeParse(trusted.statement.predicate);
  if (!predicate.success) {
    const { path, message } = firstProblem(predicate.error);
    return refusal("malformed-statement", `the test result cannot be read: /predicate${path} ${message}`);
  }
  const { ok: _, ...authentic } = trusted;
  return {
    ok: true,
    evidence: { kind: "tests", predicateType: TEST_RESULT_TYPE, predicate: predicate.data, ...authentic },
  };
}

/** CP-5: whether a trusted key says that the tests of exactly these bytes passed. */
export function verifyTestEvidence(
  bundleJson: string | Uint8Array,
  required: TrustInput & { subjectDigest: string },
): { ok: true; evidence: TestEvidence } | Refusal {
  const authentic = authenticateTestEvidence(bundleJson, required);
  if (!authentic.ok) return authentic;
  const { statement, predicate } = authentic.evidence;
  if (!isAbout(statement, required.subjectDigest)) {
    return refusal("wrong-subject", `the statement is not about ${required.subjectDigest}`);
  }
  if (predicate.result !== "PASSED")
    return refusal("not-passed", `the tests' result is ${predicate.result}, not PASSED`);
  return authentic;
}

/** Whether a message bundle is a trusted key's signature of exactly these bytes. */
export function verifyMessage(
  bundleJson: string | Uint8Array,
  required: TrustInput & { purpose: string; message: Uint8Array },
): ({ ok: true } & Proof) | Refusal {
  const bundle = readBundle(bundleJson);
  if (!bundle.ok)
    return refusal("malformed-bundle", `the bundle cannot be read: ${bundle.problem.path} ${bundle.problem.message}`);
  if (bundle.value.kind !== "message") return refusal("malformed-bundle", "the bundle signs a statement, not a file");
  const { messageDigest, hash, signature, hint, certified } = bundle.value;
  const { message } = required;
  if (!createHash(hash).update(message).digest().equals(messageDigest)) {
    return refusal("wrong-subject", "the bundle is about other bytes: the digest differs");
  }
  return findSigner({ bytes: message, message, signature, hint, certified }, required);
}

function readSigned(
  payload: Buffer,
  proof: Proof,
  { predicateType, subjectDigest }: TrustRequirement,
): ({ ok: true } & Authentic) | Refusal {
  const value = parseUtf8Json(payload, BUNDLE_BYTES_MAX);
  if (value === undefined)
    return refusal("malformed-statement", "the signed payload is not JSON in UTF-8 with each key once");
  const parsed = statementSchema.safeParse(value);
  if (!parsed.success) {
    const { path, message } = firstProblem(parsed.error);
    return refusal("malformed-statement", `the signed payload is no in-toto statement: ${path} ${message}`);
  }
  if (parsed.data.predicateType !== predicateType) {
    return refusal("wrong-predicate-type", `the statement's predicateType must be ${predicateType}`);
  }
  if (subjectDigest !== undefined && !isAbout(parsed.data, subjectDigest))
    return refusal("wrong-subject", `the statement is not about ${subjectDigest}`);
  const payloadDigest = `sha256:${createHash("sha256").update(payload).digest("hex")}`;
  const { signer, keyId, provenAtMs } = proof;
  const subjectDigests = subjectDigestsOf(parsed.data);
  return { ok: true, signer, keyId, provenAtMs, statement: parsed.data, payloadDigest, subjectDigests };
}
