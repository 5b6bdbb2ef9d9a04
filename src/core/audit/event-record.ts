import { createHash } from "node:crypto";
import { canonicalText } from "./entry.ts";

/**
 * One event of a rollout as the audit log binds it: the entry of the step carries `eventDigest`, SHA-256 over the
 * RFC 8785 form of this. What a person wrote freely is in it by its digest alone, so that an event can be shown to a
 * third party, and still be checked, without a word of it.
 */
export interface EventRecord {
  rollout: string;
  sequence: number;
  /** RFC 3339 with milliseconds. */
  at: string;
  type: string;
  /** After the event. */
  phase: string;
  /** Of the candidate, as a 32-bit float, which is how it is stored. */
  weightPercent: number;
  actor: string;
  payload: Record<string, unknown>;
}

export function eventRecord(event: EventRecord): EventRecord {
  const { rollout, sequence, at, type, phase, weightPercent, actor, payload } = event;
  const said = withoutComments(payload) as EventRecord["payload"];
  return { rollout, sequence, at, type, phase, weightPercent: Math.fround(weightPercent), actor, payload: said };
}

/** Of a record that `eventRecord` made. */
export function eventDigest(record: EventRecord): string {
  return digestOf(canonicalText(record));
}

export function digestOf(content: string | Uint8Array): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

function withoutComments(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutComments);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) =>
      key === "comment" && typeof part === "string" ? ["commentDigest", digestOf(part)] : [key, withoutComments(part)],
    ),
  );
}
