import { z } from "zod";
import type { Parsed } from "../error.ts";
import { IN_TOTO_PAYLOAD_TYPE, preAuthEncoding } from "../evidence/dsse.ts";
import { firstProblem } from "../evidence/first-problem.ts";
import { STATEMENT_TYPE } from "../evidence/statement.ts";
import { canonicalJson, sha256Digest } from "../plan/canonical.ts";

/**
 * What a person says when they approve, as the bytes that they sign: an in-toto Statement v1 in RFC 8785 form, with a
 * predicate type for each thing that can be said. A signature over one of them can be taken for no other, for no other
 * tenant, and for no other thing: all of it stands in the statement, and nothing may stand beside it.
 */
export const APPROVAL_TYPE = "urn:continuum:approval:v1";
export const POLICY_APPROVAL_TYPE = "urn:continuum:policy-approval:v1";
export const KEY_ENROLMENT_TYPE = "urn:continuum:key-enrolment:v1";

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "must be sha256: and 64 hexadecimal digits");
const id = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,255}$/, "must be an id");
const time = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/, "must be a UTC time")
  .refine((value) => Number.isFinite(Date.parse(value)), "must be a time that exists");
const nonce = z.string().regex(/^[A-Za-z0-9_-]{43}$/, "must be 32 bytes in base64url");

/** Who says it, when, until when it counts, and what makes it the only one of its kind. */
const common = { tenant: id, approver: id, issuedAt: time, notAfter: time, nonce };

/** One piece of evidence that counted when the approver looked: what kind it is, and the digest of its signed bundle. */
const evidenceItem = z.strictObject({ kind: id, subject: digest, digest });

const rolloutPredicate = z.strictObject({
  ...common,
  rollout: id,
  environment: z.enum(["development", "staging", "production"]),
  /** `{environment}/{target}/{name}`. */
  endpoint: id,
  planDigest: digest,
  policyDigest: digest,
  runtime: z.enum(["gpu", "quantum", "hybrid"]),
  verification: z.enum(["basic", "enhanced", "full"]),
  effect: z.literal("live"),
  role: z.enum(["approver", "budget-owner", "break-glass"]),
  evidence: z.array(evidenceItem).max(64),
  /** Of the list above in its canonical form: one word for all of it. */
  evidenceDigest: digest,
  /** Only where it is over the ten minutes of P6. */
  deadlineSeconds: z.number().int().min(601).max(604_800).optional(),
  breakGlass: z.strictObject({ reason: z.string().min(10).max(1000) }).optional(),
});

const policyPredicate = z.strictObject({
  ...common,
  /** What is in force until then. */
  fromPolicyDigest: digest,
  policyDigest: digest,
  effect: z.literal("activate"),
  role: z.literal("policy-admin"),
});

const keyPredicate = z.strictObject({
  ...common,
  keyId: digest,
  kind: z.enum(["cosign", "webcrypto"]),
  label: z.string().max(64),
  effect: z.literal("enrol"),
});

const subject = z.tuple([z.strictObject({ name: z.string().max(64), digest: z.strictObject({ sha256: z.string() }) })]);
const consentSchema = z.discriminatedUnion("predicateType", [
  z.strictObject({
    _type: z.literal(STATEMENT_TYPE),
    subject,
    predicateType: z.literal(APPROVAL_TYPE),
    predicate: rolloutPredicate,
  }),
  z.strictObject({
    _type: z.literal(STATEMENT_TYPE),
    subject,
    predicateType: z.literal(POLICY_APPROVAL_TYPE),
    predicate: policyPredicate,
  }),
  z.strictObject({
    _type: z.literal(STATEMENT_TYPE),
    subject,
    predicateType: z.literal(KEY_ENROLMENT_TYPE),
    predicate: keyPredicate,
  }),
]);

export type RolloutConsent = z.infer<typeof rolloutPredicate>;
export type PolicyConsent = z.infer<typeof policyPredicate>;
export type KeyConsent = z.infer<typeof keyPredicate>;
export type EvidenceItem = z.infer<typeof evidenceItem>;

/** What is said, by the type that says it. */
export type Consent =
  | { type: typeof APPROVAL_TYPE; says: RolloutConsent }
  | { type: typeof POLICY_APPROVAL_TYPE; says: PolicyConsent }
  | { type: typeof KEY_ENROLMENT_TYPE; says: KeyConsent };

/** The exact bytes to sign. Crashes on what is no consent: those who build one know its shape. */
export function encodeConsent(consent: Consent): Buffer {
  const statement = {
    _type: STATEMENT_TYPE,
    subject: [{ name: subjectOf(consent).name, digest: { sha256: subjectOf(consent).digest.slice("sha256:".length) } }],
    predicateType: consent.type,
    predicate: consent.says,
  };
  return Buffer.from(canonicalJson(consentSchema.parse(statement)), "utf8");
}

/**
 * Reads the bytes of a consent. Only the canonical form of a known statement whose subject is what its predicate names
 * is one: what a person was shown and what counts cannot differ.
 */
export function decodeConsent(bytes: Uint8Array): Parsed<Consent> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return problem("", "must be JSON in UTF-8");
  }
  const parsed = consentSchema.safeParse(value);
  if (!parsed.success) return { ok: false, problem: firstProblem(parsed.error) };
  const consent = { type: parsed.data.predicateType, says: parsed.data.predicate } as Consent;
  const [about] = parsed.data.subject;
  const { digest: named, name } = subjectOf(consent);
  if (`sha256:${about.digest.sha256}` !== named || about.name !== name)
    return problem("/subject/0", "must be what the predicate is about");
  if (consent.type === APPROVAL_TYPE) {
    if (evidenceDigestOf(consent.says.evidence) !== consent.says.evidenceDigest)
      return problem("/predicate/evidenceDigest", "must be that of the evidence");
    if ((consent.says.role === "break-glass") !== (consent.says.breakGlass !== undefined))
      return problem("/predicate/breakGlass", "must be there exactly in the role break-glass");
  }
  if (!Buffer.from(canonicalJson(parsed.data), "utf8").equals(bytes)) return problem("", "must be RFC 8785 canonical");
  return { ok: true, value: consent };
}

/** The digest that a statement of this kind is about, and what the subject is called. */
export function subjectOf(consent: Consent): { name: string; digest: string } {
  if (consent.type === APPROVAL_TYPE) return { name: "plan", digest: consent.says.planDigest };
  if (consent.type === POLICY_APPROVAL_TYPE) return { name: "policy", digest: consent.says.policyDigest };
  return { name: "key", digest: consent.says.keyId };
}

/** One digest for the evidence that counted, in whatever order it was found. */
export function evidenceDigestOf(items: readonly EvidenceItem[]): string {
  return sha256Digest(canonicalJson(sortedEvidence(items)));
}

export function sortedEvidence(items: readonly EvidenceItem[]): EvidenceItem[] {
  const key = ({ kind, subject: about, digest: of }: EvidenceItem) => `${kind} ${about} ${of}`;
  return items.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}

/** SHA-256 of the bytes that are signed (DSSE's pre-authentication encoding): what a passkey's challenge is. */
export function challengeOf(statement: Uint8Array): string {
  return sha256Digest(preAuthEncoding(IN_TOTO_PAYLOAD_TYPE, statement));
}

function problem(path: string, message: string): Parsed<never> {
  return { ok: false, problem: { path, message } };
}
