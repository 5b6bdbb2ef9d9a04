import { parseCheckpointText } from "../../../core/audit/checkpoint.ts";
import {
  type NoteSignature,
  parseSignatureLine,
  parseSignedNote,
  signatureLine,
} from "../../../core/audit/signed-note.ts";
import { isCosignature, isSignedBy, type VerifierKey } from "../../../core/audit/verifier-key.ts";
import { assert, ContinuumError } from "../../../core/error.ts";
import type { Archive, ArchiveErrorCode, CheckpointSubmission } from "../archive.ts";

export interface HttpWitnessOptions {
  /** The submission prefix; `/add-checkpoint` is put behind it. */
  url: string;
  /** The witness's keys; a cosignature by another says nothing. */
  keys: readonly VerifierKey[];
  /** Default 10 s. */
  timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;
const ANSWER_BYTES_MAX = 64 * 1024;
/** The protocol allows no more lines of a proof. */
const PROOF_LINES_MAX = 63;

/**
 * A witness that speaks C2SP's tlog-witness: it is shown a checkpoint with the proof that the log grew out of the last
 * one that it signed, and answers with its cosignature. What it knows of the log counts, not what we believe it knows.
 */
export function httpWitness(options: HttpWitnessOptions): Archive {
  assert(options.keys.some(isCosignature), "a witness is known by its keys");
  return {
    name: "witness",
    keepsAll: false,
    publish: async (submission) => {
      const first = await addCheckpoint(options, submission, submission.lastSize);
      const answer = "knownSize" in first ? await again(options, submission, first.knownSize) : first;
      return { cosignatures: cosignaturesIn(answer.body, submission.note, options.keys) };
    },
    kept: async function* () {
      // A witness tells nobody what it has seen; its cosignatures lie with the checkpoints.
    },
    newest: async () => undefined,
  };
}

type Answer = { body: string } | { knownSize: number };

async function again(options: HttpWitnessOptions, submission: CheckpointSubmission, knownSize: number) {
  // It has signed a longer log than this one: either a newer checkpoint of ours, or one that was taken back.
  if (knownSize > submission.size)
    throw failure(
      "archive-conflict",
      `the witness has seen ${knownSize} entries of this log, which has ${submission.size}`,
    );
  const answer = await addCheckpoint(options, submission, knownSize);
  if ("knownSize" in answer) throw failure("archive-unavailable", "the witness was shown another checkpoint meanwhile");
  return answer;
}

async function addCheckpoint(
  { url, timeoutMs = TIMEOUT_MS }: HttpWitnessOptions,
  { note, prove }: CheckpointSubmission,
  oldSize: number,
): Promise<Answer> {
  const proof = await prove(oldSize);
  assert(proof.length <= PROOF_LINES_MAX, "a proof is no longer than the tree is high");
  const lines = [`old ${oldSize}\n`, ...proof.map((hash) => `${Buffer.from(hash).toString("base64")}\n`), "\n"];
  const request = {
    method: "POST",
    body: Buffer.concat([Buffer.from(lines.join("")), note]),
    headers: { "content-type": "text/plain; charset=utf-8" },
    redirect: "error" as const,
    signal: AbortSignal.timeout(timeoutMs),
  };
  let response: Response;
  let body: string;
  try {
    response = await fetch(`${url.replace(/\/+$/, "")}/add-checkpoint`, request);
    body = await shortText(response);
  } catch (cause) {
    throw failure("archive-unavailable", "the witness cannot be reached", cause);
  }
  if (response.status === 200) return { body };
  if (response.status === 409) {
    const size = /^(0|[1-9]\d{0,15})\n?$/.exec(body)?.[1];
    if (size !== undefined) return { knownSize: Number(size) };
  }
  if (response.status === 422)
    throw failure("archive-conflict", "the witness says that the log did not grow out of what it has seen");
  if (response.status === 403 || response.status === 404)
    throw failure(
      "archive-refused",
      response.status === 404 ? "the witness does not know this log" : "the witness does not know the log's keys",
    );
  throw failure("archive-unavailable", `the witness answered with status ${response.status}`);
}

async function shortText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error("the answer is too long");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** The lines that a known key made over this checkpoint; one at least, for without it nobody witnessed anything. */
function cosignaturesIn(body: string, note: Uint8Array, keys: readonly VerifierKey[]): string[] {
  const signed = parseSignedNote(note);
  const checkpoint = signed.ok ? parseCheckpointText(signed.value.text) : signed;
  assert(signed.ok && checkpoint.ok, "only checkpoints are shown to a witness");
  const { text } = signed.value;
  const lines = body.split("\n").flatMap((line) => {
    const signature = parseSignatureLine(line);
    const key = signature && keyOf(keys, signature);
    if (signature === undefined || key === undefined) return [];
    if (!isSignedBy(key, { text, checkpoint: checkpoint.value, signature }))
      throw failure("archive-refused", "the witness's signature does not verify with the key that is set");
    return [signatureLine(signature).trimEnd()];
  });
  if (lines.length === 0)
    throw failure("archive-refused", "the witness answered with no signature by the key that is set");
  return lines;
}

function keyOf(keys: readonly VerifierKey[], { name, keyId }: NoteSignature): VerifierKey | undefined {
  return keys.find((key) => isCosignature(key) && key.name === name && key.keyId === keyId);
}

function failure(code: ArchiveErrorCode, message: string, cause?: unknown): ContinuumError<ArchiveErrorCode> {
  return new ContinuumError(code, message, { cause, retryable: code === "archive-unavailable" });
}
