import { randomBytes } from "node:crypto";
import type { z } from "zod";
import type { proofSchema } from "../contract/approval-views.ts";
import type { OperationOutput } from "../contract/operations.ts";
import { type Consent, challengeOf, decodeConsent, encodeConsent } from "../core/approval/statement.ts";
import { nonceOfBundle, type OwnKey, verifyConsent } from "../core/approval/verify-consent.ts";
import { IN_TOTO_PAYLOAD_TYPE } from "../core/evidence/dsse.ts";
import { sha256Digest } from "../core/plan/canonical.ts";
import type { Transaction } from "../store/database.ts";
import {
  consumeStatement,
  countingApproverKeys,
  insertStatement,
  readStatement,
  type StatementKind,
  type StatementRow,
} from "../store/queries/approvals.ts";
import type { ServiceParts } from "./handler.ts";
import type { Principal } from "./principal.ts";
import { refuse } from "./refusal.ts";
import { type BegunStepUp, beginStepUp, digestBytes } from "./step-up.ts";

/**
 * Statements that a person signs: given out with a nonce that is stored, and taken back once. The same for rollouts,
 * policies and the person's own keys; what each says is its maker's.
 */

/** How long a person has to read, sign and hand in. What it then says counts until its own `notAfter`. */
const SUBMIT_MS = 15 * 60_000;

export type PreparedStatement = OperationOutput<"approvals.statement">;
export type GivenProof = z.infer<typeof proofSchema>;

/** What a maker of a statement is told. */
export interface StatementFrame {
  nonce: string;
  issuedAtMs: number;
}

export interface StatementRequest {
  principal: Principal;
  kind: StatementKind;
  /** Which rollout, policy or key. */
  about: string;
  requires: { mfa: boolean; signed: boolean };
  /** The bytes that the subject's digest is of, where they are to be shown. */
  subject?: Uint8Array | undefined;
  /** Of a broken glass. */
  reason?: string | undefined;
  make(frame: StatementFrame): Consent;
}

/** Stores a new statement and answers its exact bytes. */
export async function prepareStatement(
  tx: Transaction,
  parts: Pick<ServiceParts, "nowMs">,
  request: StatementRequest,
): Promise<PreparedStatement> {
  const { principal, kind, about, requires, subject } = request;
  const nonce = randomBytes(32).toString("base64url");
  const issuedAtMs = parts.nowMs();
  const consent = request.make({ nonce, issuedAtMs });
  const statement = encodeConsent(consent);
  const notAfterMs = Date.parse(consent.says.notAfter);
  const submitBeforeMs = Math.min(issuedAtMs + SUBMIT_MS, notAfterMs);
  await insertStatement(tx, {
    ...{ tenant: principal.tenant, nonce, principal: principal.id, kind, about, statement },
    ...{ createdAtMs: issuedAtMs, submitBeforeMs, reason: request.reason },
  });
  return {
    nonce,
    payloadType: IN_TOTO_PAYLOAD_TYPE,
    payload: statement.toString("base64"),
    challenge: challengeOf(statement),
    subject: subject === undefined ? null : Buffer.from(subject).toString("base64"),
    submitBefore: new Date(submitBeforeMs).toISOString(),
    notAfter: consent.says.notAfter,
    requires,
  };
}

/** A statement that came back with all that was due, ready to be used up in a transaction. */
export interface CheckedProof<Said extends Consent = Consent> {
  consent: Said;
  /** Null where none was given. The digest is that of the bundle as it is stored. */
  signature: { keyId: string; bundleDigest: string } | null;
  stepUp: BegunStepUp["kind"] | null;
  /** Uses it up; of two at once, one. Errors: `statement-refused`, `signature-refused`, `step-up-failed`. */
  consume(tx: Transaction): Promise<void>;
}

export interface ProofQuestion<Type extends Consent["type"]> {
  principal: Principal;
  kind: StatementKind;
  about: string;
  type: Type;
  requires: { mfa: boolean; signed: boolean };
  proof: GivenProof;
  /** The keys that may sign; the person's registered ones when left out. */
  keys?: readonly OwnKey[];
}

/**
 * Whether what came back is the statement that this person was given for this, signed and with a second factor as is
 * due. A one-time code is looked at last, because it is used up by it.
 * Errors: `statement-refused`, `signature-required`, `signature-refused`, `step-up-required`, `step-up-failed`.
 */
export async function checkProof<Type extends Consent["type"]>(
  parts: ServiceParts,
  question: ProofQuestion<Type>,
): Promise<CheckedProof<Extract<Consent, { type: Type }>>> {
  const { principal, proof, requires } = question;
  const bundle = proof.bundle === undefined ? null : Buffer.from(JSON.stringify(proof.bundle), "utf8");
  const row = await openStatement(parts, question, bundle);
  const decoded = decodeConsent(row.statement);
  if (!decoded.ok || decoded.value.type !== question.type) return refuse("statement-refused", UNKNOWN);
  if (requires.signed && bundle === null) {
    refuse(
      "signature-required",
      "This needs the signature of a key of your own: `continuum keys enroll` registers one.",
    );
  }
  if (requires.mfa && proof.stepUp === undefined) {
    refuse("step-up-required", "This needs a second factor: a one-time code or a passkey.");
  }
  const { tenant, id } = principal;
  const keysOf = async (db: Transaction | ServiceParts["database"], lock: boolean) =>
    question.keys ?? (await countingApproverKeys(db, { tenant, principal: id, lock }));
  const signed = bundle === null ? null : signatureOf(row, bundle, await keysOf(parts.database, false));
  const challenge = digestBytes(challengeOf(row.statement));
  const { stepUp } = proof;
  const begun = stepUp === undefined ? null : await beginStepUp(parts, principal, { stepUp, challenge });
  return {
    consent: decoded.value as Extract<Consent, { type: Type }>,
    signature: signed === null || bundle === null ? null : { keyId: signed, bundleDigest: sha256Digest(bundle) },
    stepUp: begun?.kind ?? null,
    consume: async (tx) => {
      // Looked at again under a lock: a key that is withdrawn at this moment signs nothing more.
      if (bundle !== null) signatureOf(row, bundle, await keysOf(tx, true));
      await begun?.within(tx);
      const used = { tenant, nonce: row.nonce, principal: id, atMs: parts.nowMs(), bundle, keyId: signed };
      if (!(await consumeStatement(tx, { ...used, stepUp: begun?.kind ?? null }))) refuse("statement-refused", UNKNOWN);
    },
  };
}

/** The same words for one that never was, another's, a used one and an old one: nobody learns of others' by guessing. */
const UNKNOWN =
  "There is no such statement to hand in: it was used, is too old, or was given for something else. Ask anew.";

async function openStatement(
  parts: ServiceParts,
  { principal, kind, about, proof }: ProofQuestion<Consent["type"]>,
  bundle: Uint8Array | null,
): Promise<StatementRow> {
  const inBundle = bundle === null ? undefined : nonceOfBundle(bundle);
  if (bundle !== null && inBundle === undefined) {
    return refuse("signature-refused", "The bundle holds no statement of ours.", { pointer: "/bundle" });
  }
  const nonce = inBundle ?? proof.nonce;
  if (nonce === undefined) return refuse("statement-refused", "Ask for a statement first, and hand it in.");
  if (proof.nonce !== undefined && proof.nonce !== nonce) refuse("statement-refused", UNKNOWN);
  const row = await readStatement(parts.database, principal.tenant, nonce);
  const open = row !== undefined && row.consumedAt === null && row.submitBefore.getTime() > parts.nowMs();
  if (!open || row.principal !== principal.id || row.kind !== kind || row.about !== about) {
    return refuse("statement-refused", UNKNOWN);
  }
  return row;
}

function signatureOf(row: StatementRow, bundle: Uint8Array, keys: readonly OwnKey[]): string {
  const verdict = verifyConsent(bundle, { statement: row.statement, keys });
  return verdict.ok ? verdict.keyId : refuse("signature-refused", `The signature was refused: ${verdict.reason}.`);
}
