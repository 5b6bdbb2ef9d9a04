import { createHash, verify } from "node:crypto";
import { ContinuumError } from "../error.ts";
import { type DsseBundle, readBundle } from "./bundle.ts";
import { IN_TOTO_PAYLOAD_TYPE, verifyEnvelope } from "./dsse.ts";
import { firstProblem } from "./first-problem.ts";
import { type PublicKey, parsePublicKey } from "./public-key.ts";
import {
  isAbout,
  type Statement,
  statementSchema,
  subjectDigestsOf,
  TEST_RESULT_TYPE,
  type TestResult,
  testResultSchema,
} from "./statement.ts";

/** A public key that a person with the right to do so trusts for one purpose, and for no other. */
export interface TrustedKey {
  /** `sha256:...` of the key's SPKI in DER; it must be the key's own. */
  keyId: string;
  spkiPem: string;
  /** Compared as it is: a key for `tests` signs nothing else. */
  purpose: string;
  /** From then on nothing is accepted from the key; needs `nowMs`. */
  notAfterMs?: number;
}

export interface TrustInput {
  trustedKeys: readonly TrustedKey[];
  nowMs?: number;
}

export interface TrustRequirement extends TrustInput {
  purpose: string;
  predicateType: string;
}

export type RefusalCode =
  | "malformed-bundle"
  | "malformed-statement"
  | "untrusted-key"
  | "bad-signature"
  | "wrong-purpose"
  | "expired-key"
  | "wrong-predicate-type"
  | "wrong-subject"
  | "not-passed"
  | "not-available";

/** A refusal is an answer, not an error. `reason` is one sentence for a person and holds nothing of the payload's names. */
export interface Refusal {
  ok: false;
  code: RefusalCode;
  reason: string;
}

export interface Authentic {
  keyId: string;
  statement: Statement;
  /** `sha256:...` of exactly the bytes that were signed. */
  payloadDigest: string;
  /** `sha256:...` of every subject. */
  subjectDigests: string[];
}

export type TrustErrorCode = "bad-trusted-key";

/**
 * Whether a statement comes from a key trusted for the purpose, and is of the type that is required. The signature is
 * verified over the bytes as they came; only then are they parsed. Nothing that the bundle says of its signer counts.
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
  const signer = findSigner(required, dsse.hint, (key) => verifyEnvelope(key, dsse));
  if (!signer.ok) return signer;
  return readSigned(dsse, { keyId: signer.keyId, predicateType: required.predicateType });
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
): { ok: true; keyId: string } | Refusal {
  const bundle = readBundle(bundleJson);
  if (!bundle.ok)
    return refusal("malformed-bundle", `the bundle cannot be read: ${bundle.problem.path} ${bundle.problem.message}`);
  if (bundle.value.kind !== "message") return refusal("malformed-bundle", "the bundle signs a statement, not a file");
  const { messageDigest, signature, hint } = bundle.value;
  if (!createHash("sha256").update(required.message).digest().equals(messageDigest)) {
    return refusal("wrong-subject", "the bundle is about other bytes: the digest differs");
  }
  return findSigner(required, hint, ({ key }) =>
    verify("sha256", required.message, { key, dsaEncoding: "der" }, signature),
  );
}

function readSigned(
  dsse: DsseBundle,
  from: { keyId: string; predicateType: string },
): ({ ok: true } & Authentic) | Refusal {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(dsse.payload));
  } catch {
    return refusal("malformed-statement", "the signed payload is not JSON in UTF-8");
  }
  const parsed = statementSchema.safeParse(value);
  if (!parsed.success) {
    const { path, message } = firstProblem(parsed.error);
    return refusal("malformed-statement", `the signed payload is no in-toto statement: ${path} ${message}`);
  }
  if (parsed.data.predicateType !== from.predicateType) {
    return refusal("wrong-predicate-type", `the statement's predicateType must be ${from.predicateType}`);
  }
  const payloadDigest = `sha256:${createHash("sha256").update(dsse.payload).digest("hex")}`;
  const subjectDigests = subjectDigestsOf(parsed.data);
  return { ok: true, keyId: from.keyId, statement: parsed.data, payloadDigest, subjectDigests };
}

function findSigner(
  { trustedKeys, nowMs, purpose }: TrustInput & { purpose: string },
  hint: string,
  made: (key: PublicKey) => boolean,
): { ok: true; keyId: string } | Refusal {
  const keys = trustedKeys.map((trusted) => ({ trusted, key: readTrustedKey(trusted) }));
  const signers = keys.filter(({ key }) => made(key)).map(({ trusted }) => trusted);
  if (signers.length === 0) {
    const isKnown = keys.some(({ key }) => key.hint === hint);
    return isKnown
      ? refusal(
          "bad-signature",
          "the signature does not fit: what was signed was changed, or the key named did not sign it",
        )
      : refusal("untrusted-key", "no trusted key made this signature");
  }
  const fitting = signers.filter((trusted) => trusted.purpose === purpose);
  if (fitting.length === 0) return refusal("wrong-purpose", `the key that signed this is not trusted for ${purpose}`);
  const valid = fitting.find((trusted) => !isExpired(trusted, nowMs));
  return valid === undefined
    ? refusal("expired-key", "the key that signed this is no longer trusted")
    : { ok: true, keyId: valid.keyId };
}

/** A key with an end is only good for those who know what time it is. */
function isExpired({ notAfterMs }: TrustedKey, nowMs: number | undefined): boolean {
  return notAfterMs !== undefined && (nowMs === undefined || nowMs >= notAfterMs);
}

function readTrustedKey(trusted: TrustedKey): PublicKey {
  const parsed = parsePublicKey(trusted.spkiPem);
  if (parsed.ok && parsed.value.keyId === trusted.keyId) return parsed.value;
  const why = parsed.ok ? "its id is another key's" : parsed.problem.message;
  throw new ContinuumError<TrustErrorCode>(
    "bad-trusted-key",
    `the trusted key ${trusted.keyId} cannot be used: ${why}`,
  );
}

function refusal(code: RefusalCode, reason: string): Refusal {
  return { ok: false, code, reason };
}
