import { createHash, verify } from "node:crypto";
import { z } from "zod";
import { APPROVAL_TYPE } from "../approval/statement.ts";
import { BUNDLE_BYTES_MAX, type Bundle, readBundle } from "../evidence/bundle.ts";
import { verifyEnvelope } from "../evidence/dsse.ts";
import { type PublicKey, parseVerificationKey } from "../evidence/public-key.ts";
import { statementSchema } from "../evidence/statement.ts";
import { parseUtf8Json } from "../evidence/utf8-json.ts";
import { type OpenedCheckpoint, openCheckpoint, tenantOfOrigin } from "./checkpoint.ts";
import { type AuditEntry, canonicalText, decodeEntry } from "./entry.ts";
import { digestOf, type EventRecord, eventDigest, eventRecord } from "./event-record.ts";
import { verifyEntryProof } from "./proof.ts";
import { decodeRolloutProof, type RolloutProof, type SignedPart, sealOf } from "./rollout-proof.ts";
import type { VerifierKey } from "./verifier-key.ts";

export interface RolloutStory {
  tenant: string;
  rollout: string;
  /** Nothing of it was real: its plan named the simulated target. */
  simulation: boolean;
  checkpoint: { origin: string; size: number; rootHash: string };
  signedBy: OpenedCheckpoint["signedBy"];
  witnessedBy: OpenedCheckpoint["witnessedBy"];
  /** Each step of the rollout as the log tells it. */
  steps: { position: number; at: string; actor: string; action: string; phase: string; outcome: string }[];
  /** What holds, one sentence each. */
  proved: string[];
  /** What this file says nothing of, one sentence each. */
  notProved: string[];
}

export type RolloutProofVerdict =
  | { ok: true; story: RolloutStory }
  /** `at` is a JSON pointer into the file. */
  | { ok: false; at: string; reason: string };

/**
 * Checks the file from its checkpoint on, by the log's keys and those of witnesses from wherever the reader trusts; the
 * first thing that does not hold ends it. Never throws.
 */
export function verifyRolloutProof(bytes: Uint8Array, keys: readonly VerifierKey[]): RolloutProofVerdict {
  const decoded = decodeRolloutProof(bytes);
  if (!decoded.ok) return { ok: false, at: decoded.problem.path, reason: decoded.problem.message };
  try {
    return { ok: true, story: judge(decoded.value, keys) };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, at: error.at, reason: error.message };
    throw error;
  }
}

class Refused extends Error {
  readonly at: string;

  constructor(at: string, reason: string) {
    super(reason);
    this.at = at;
  }
}

function require(holds: boolean, at: string, reason: string): asserts holds {
  if (!holds) throw new Refused(at, reason);
}

interface Step {
  position: number;
  entry: AuditEntry;
  sequence: number;
}

function judge(proof: RolloutProof, keys: readonly VerifierKey[]): RolloutStory {
  const opened = openCheckpoint(Buffer.from(proof.checkpoint, "utf8"), keys);
  if (!opened.ok) throw new Refused("/checkpoint", `the checkpoint ${opened.problem.message}`);
  const { checkpoint, signedBy, witnessedBy } = opened.value;
  require(tenantOfOrigin(checkpoint.origin) === proof.tenant, "/tenant", "the checkpoint is of another tenant's log");
  const entries = judgeEntries(proof, checkpoint);
  const steps = stepsOf(proof, entries);
  const said = { proved: [] as string[], notProved: [] as string[] };
  said.proved.push(`${entries.length} entries stand in the log of ${checkpoint.size} that was signed`);
  judgeCourse(proof, steps, said);
  judgePlan(proof, steps, said);
  judgeDecision(proof, steps, said);
  judgePolicies(proof, steps, said);
  judgeEvidence(proof, entries, said);
  judgeApprovals(proof, said);
  const simulation = isSimulated(proof.plan);
  if (simulation)
    said.notProved.push("anything of a real deployment: this was a simulation, with mocks for models, CI and people");
  require(sealOf(proof) === proof.seal, "/seal", "the seal does not fit: something was changed that proves nothing");
  if (witnessedBy.length === 0)
    said.notProved.push("that a witness saw the log: no key of one was given, or none signed");
  return {
    ...{ tenant: proof.tenant, rollout: proof.rollout, simulation, checkpoint, signedBy, witnessedBy, ...said },
    steps: steps.map(({ position, entry }) => ({
      ...{ position, at: entry.at, actor: `${entry.actor.id} (${entry.actor.kind})`, action: entry.action },
      ...{ phase: entry.details.phase ?? "", outcome: entry.outcome },
    })),
  };
}

interface Placed {
  position: number;
  entry: AuditEntry;
}

function judgeEntries(proof: RolloutProof, head: { size: number; rootHash: string }): Placed[] {
  let last = -1;
  return proof.entries.map((proved, at) => {
    const where = `/entries/${at}`;
    const verdict = verifyEntryProof(proved, head);
    if (!verdict.ok) throw new Refused(where, verdict.reason);
    const entry = decodeEntry(Buffer.from(proved.entry, "utf8"));
    require(entry.ok && entry.value.tenant === proof.tenant, where, "the entry is another tenant's");
    require(proved.position > last, where, "the entries are not in the order of the log");
    last = proved.position;
    return { position: proved.position, entry: entry.value };
  });
}

function stepsOf(proof: RolloutProof, entries: readonly Placed[]): Step[] {
  const steps = entries.flatMap(({ position, entry }) => {
    const { sequence } = entry.details;
    const isStep = entry.action.startsWith("rollout.") && entry.subject.type === "rollout";
    return isStep && entry.subject.id === proof.rollout && sequence !== undefined
      ? [{ position, entry, sequence }]
      : [];
  });
  require(steps.length > 0, "/entries", `no entry tells of rollout ${proof.rollout}`);
  for (const [at, { sequence }] of steps.entries())
    require(sequence === at + 1, "/entries", `step ${at + 1} of the rollout is missing`);
  return steps;
}

interface Said {
  proved: string[];
  notProved: string[];
}

/** What was done, as events that the steps are the entries of. */
function judgeCourse(proof: RolloutProof, steps: readonly Step[], { proved, notProved }: Said): void {
  const { phase } = steps.at(-1)?.entry.details ?? {};
  proved.push(`the rollout took ${steps.length} steps without a gap and stood in ${phase} after the last of them`);
  if (proof.events.length === 0) {
    notProved.push("what each step was in detail: the events are not in the file");
    return;
  }
  require(proof.events.length === steps.length, "/events", "not every step has its event");
  for (const [at, event] of proof.events.entries()) {
    const step = steps[at];
    const isItsEvent = step !== undefined && step.entry.details.eventDigest === digestOfEvent(event);
    require(isItsEvent &&
      event.rollout === proof.rollout, `/events/${at}`, "the event is not the one that the log tells of");
  }
  proved.push("each event is the one that its entry was made of");
}

function digestOfEvent(event: EventRecord): string {
  // What the one form would change was not made by it.
  const record = eventRecord(event);
  return canonicalText(record) === canonicalText(event) ? eventDigest(record) : "";
}

function judgePlan(proof: RolloutProof, steps: readonly Step[], { proved }: Said): void {
  const digest = digestOf(proof.plan);
  const other = steps.find(({ entry }) => entry.details.planDigest !== digest);
  require(other === undefined, "/plan", "the plan is not the one that the log tells of");
  proved.push(`the plan ${digest} is what was proposed, decided and run in every step`);
}

/** The plan's bytes are those of its digest by now. */
function isSimulated(plan: string): boolean {
  const parsed = targetSchema.safeParse(parseUtf8Json(Buffer.from(plan, "utf8"), BUNDLE_BYTES_MAX));
  return parsed.success && parsed.data.spec.target === "simulated";
}

const targetSchema = z.object({ spec: z.object({ target: z.string() }) });

function judgeDecision(proof: RolloutProof, [first]: readonly Step[], { proved, notProved }: Said): void {
  if (proof.decision === null) {
    notProved.push("the decision in detail: it is not in the file");
    return;
  }
  const isBound = first?.entry.details.decisionDigest === digestOf(canonicalText(proof.decision));
  require(isBound, "/decision", "the decision is not the one that the log tells of");
  proved.push(`the decision, ${first?.entry.details.decision ?? "which it was"}, is the one that was taken`);
}

function judgePolicies(proof: RolloutProof, steps: readonly Step[], { proved, notProved }: Said): void {
  const wanted = new Set(steps.map(({ entry }) => entry.details.policyDigest));
  for (const [at, text] of proof.policies.entries()) {
    const digest = digestOf(text);
    require(wanted.delete(digest), `/policies/${at}`, "the policy is not one that decided over the rollout");
    proved.push(`the text of the policy ${digest} is what decided`);
  }
  for (const digest of wanted) notProved.push(`the text of the policy ${digest}: it is not in the file`);
}

function judgeEvidence(proof: RolloutProof, entries: readonly Placed[], { proved, notProved }: Said): void {
  for (const [at, part] of proof.evidence.entries()) {
    const where = `/evidence/${at}`;
    const digest = digestOf(part.bundle);
    const taken = entries.find(({ entry }) => entry.action === "evidence.add" && entry.details.bundleDigest === digest);
    require(taken !== undefined, where, "no entry of the log tells that this was taken in");
    const { kind, subjectDigest, result, keyId } = taken.entry.details;
    const what = `evidence ${kind ?? ""} about ${subjectDigest}: ${result ?? "taken in"}`;
    const { signer, unknown } = judgeSignature(part, { where, keyId, plan: proof.plan });
    if (signer === null) notProved.push(`who signed ${what}: ${unknown}`);
    else proved.push(`${what}, signed by ${signer}, taken in at ${taken.entry.at}`);
  }
  if (proof.evidence.length === 0) notProved.push("any evidence: there is none in the file");
}

function judgeApprovals(proof: RolloutProof, { proved, notProved }: Said): void {
  const given = proof.events.flatMap(({ type, payload }) => {
    const approval = payload["approval"];
    return type === "approved" && typeof approval === "object" && approval !== null ? [{ ...approval } as Given] : [];
  });
  const shown = new Set<string>();
  for (const [at, part] of proof.approvals.entries()) {
    const where = `/approvals/${at}`;
    const digest = digestOf(part.bundle);
    const approval = given.find(({ bundleDigest }) => bundleDigest === digest);
    require(approval !== undefined, where, "no event of the rollout tells of this approval");
    const { signer } = judgeSignature(part, { where, keyId: approval.keyId, plan: proof.plan });
    require(signer !== null, where, "the key that signed the approval is not in the file");
    require(approvesThis(part, proof), where, "the signed approval is about another rollout or plan");
    shown.add(digest);
    proved.push(`${approval.approver} approved exactly this plan as ${approval.role}, signed by ${signer}`);
  }
  for (const { approver, role, bundleDigest } of given)
    if (bundleDigest === undefined || !shown.has(bundleDigest))
      notProved.push(`the signature of ${approver}'s approval as ${role}: it was not signed, or is not in the file`);
}

interface Given {
  approver?: string;
  role?: string;
  keyId?: string;
  bundleDigest?: string;
}

interface SignedAt {
  where: string;
  keyId: string | undefined;
  /** What a signature that holds no bytes of its own may be of: `sign --type plan` makes such ones. */
  plan: string;
}

/** The key's id once it is known to have signed the bundle; null with the reason where the file cannot show it. */
function judgeSignature(
  part: SignedPart,
  { where, keyId, plan }: SignedAt,
): { signer: string; unknown: null } | { signer: null; unknown: string } {
  const bundle = readBundle(part.bundle);
  require(bundle.ok, where, "the bundle cannot be read");
  if (part.publicKey === null) return { signer: null, unknown: "a certificate says so, which the trusted root judges" };
  const key = parseVerificationKey(part.publicKey);
  require(key.ok, `${where}/publicKey`, "the public key cannot be read");
  require(key.value.keyId === keyId, `${where}/publicKey`, "the public key is not the one that the log names");
  if (bundle.value.kind === "message" && !isDigestOf(plan, bundle.value))
    return { signer: null, unknown: "the bytes that were signed are not in the file" };
  const holds =
    bundle.value.kind === "dsse"
      ? verifyEnvelope(key.value, bundle.value)
      : verifyMessageSignature(key.value, { message: Buffer.from(plan, "utf8"), signature: bundle.value.signature });
  require(holds, where, "the signature does not verify");
  return { signer: key.value.keyId, unknown: null };
}

function isDigestOf(text: string, { hash, messageDigest }: Extract<Bundle, { kind: "message" }>): boolean {
  return createHash(hash).update(text, "utf8").digest().equals(messageDigest);
}

function verifyMessageSignature(key: PublicKey, signed: { message: Uint8Array; signature: Uint8Array }): boolean {
  return verify(key.hash, signed.message, { key: key.key, dsaEncoding: "der" }, signed.signature);
}

/** Whether the signed statement is an approval of this rollout and about these bytes of its plan. */
function approvesThis(part: SignedPart, proof: RolloutProof): boolean {
  const bundle = readBundle(part.bundle);
  if (!bundle.ok || bundle.value.kind !== "dsse") return false;
  const statement = statementSchema.safeParse(parseUtf8Json(bundle.value.payload, BUNDLE_BYTES_MAX));
  if (!statement.success || statement.data.predicateType !== APPROVAL_TYPE) return false;
  const { subject, predicate } = statement.data;
  const { rollout, tenant } = predicate as { rollout?: unknown; tenant?: unknown };
  const plan = digestOf(proof.plan).slice("sha256:".length);
  return (
    rollout === proof.rollout && tenant === proof.tenant && subject.some(({ digest }) => digest["sha256"] === plan)
  );
}
