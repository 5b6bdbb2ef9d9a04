import { z } from "zod";
import type { Parsed } from "../error.ts";
import { canonicalText } from "./entry.ts";
import { digestOf } from "./event-record.ts";

/**
 * Everything that is known of one deployment in one file, from which anybody can check it who has the log's public keys
 * and nothing else: RFC 8785 canonical JSON and a line feed.
 *
 * Each part is bound to the checkpoint: the entries by their audit paths, the plan, the decision, the events and the
 * policy by digests that entries carry, evidence by the entry that took it in, approvals by the event that they made.
 * `seal` is the SHA-256 of all the rest, so that a byte that was changed by accident shows even where it proves nothing,
 * such as in the signature of a witness who is not known here.
 */
export const ROLLOUT_PROOF_FORMAT = "continuum-rollout-proof/v1";

const text = z.string();
const signed = z.strictObject({
  /** A sigstore bundle, as it is stored. */
  bundle: text,
  /** The SubjectPublicKeyInfo in PEM whose SHA-256 the log names; null where a certificate says who signed. */
  publicKey: text.nullable(),
});

const proofSchema = z.strictObject({
  format: z.literal(ROLLOUT_PROOF_FORMAT),
  tenant: text,
  rollout: text,
  /** The signed note, with what witnesses signed of it. */
  checkpoint: text,
  entries: z.array(z.strictObject({ position: z.number().int().min(0), entry: text, proof: z.array(text).max(64) })),
  /** The bytes that were digested, decided and run. */
  plan: text,
  /** Null where the log does not bind it. */
  decision: z.record(text, z.unknown()).nullable(),
  /** Empty where retention removed them, or the log does not bind them. */
  events: z.array(
    z.strictObject({
      ...{ rollout: text, sequence: z.number().int(), at: text, type: text, phase: text },
      ...{ weightPercent: z.number(), actor: text, payload: z.record(text, z.unknown()) },
    }),
  ),
  /**
   * Of each policy that the rollout was decided with, the bytes that its digest is of: the canonical list of the paths
   * and texts of what decides. One that the server did not have any more is left out.
   */
  policies: z.array(text),
  evidence: z.array(signed),
  approvals: z.array(signed),
  seal: z.string(),
});

export type RolloutProof = z.infer<typeof proofSchema>;
export type SignedPart = RolloutProof["evidence"][number];

/** The file's bytes. */
export function encodeRolloutProof(parts: Omit<RolloutProof, "format" | "seal">): Buffer {
  const rest = { format: ROLLOUT_PROOF_FORMAT, ...parts };
  return Buffer.from(`${canonicalText({ ...rest, seal: digestOf(canonicalText(rest)) })}\n`, "utf8");
}

/** Reads the file's form; nothing in it was checked yet. */
export function decodeRolloutProof(bytes: Uint8Array): Parsed<RolloutProof> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return problem("", "the file is not JSON in UTF-8: it was changed or cut off");
  }
  const parsed = proofSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return problem(`/${(issue?.path ?? []).map(String).join("/")}`, issue?.message ?? "is no part of a proof");
  }
  const canonical = canonicalOf(value);
  return canonical !== null && Buffer.compare(Buffer.from(`${canonical}\n`, "utf8"), bytes) === 0
    ? { ok: true, value: parsed.data }
    : problem("", "the file is not in its one form: it was changed");
}

/** The seal that the parts should have. */
export function sealOf({ seal: _, ...rest }: RolloutProof): string {
  return digestOf(canonicalText(rest));
}

/** Whether a file begins as a proof of a rollout does: its names stand in their one order, and an export begins otherwise. */
export function looksLikeRolloutProof(start: Uint8Array): boolean {
  return Buffer.from(start).toString("latin1").startsWith('{"approvals":');
}

function canonicalOf(value: unknown): string | null {
  try {
    return canonicalText(value);
  } catch {
    return null;
  }
}

function problem(path: string, message: string): Parsed<never> {
  return { ok: false, problem: { path, message } };
}
