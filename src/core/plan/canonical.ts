import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import { assert } from "../error.ts";
import type { Plan } from "./schema.ts";

/**
 * JSON in the one form of RFC 8785 (JCS): keys in UTF-16 order, numbers as ECMAScript writes them, no white space.
 * Throws on what has no such form (a number that is not finite, half a surrogate pair): parsing refuses these first.
 */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  assert(text !== undefined, "only a JSON value has a canonical form");
  return text;
}

/** `sha256:` and the hex digest of the bytes, or of the UTF-8 bytes of the text. */
export function sha256Digest(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/**
 * The bytes of a plan that are digested, stored and run. `spec.dryRun` is left out, so that a dry run and the live
 * submission after it speak of the same plan. Source: the public contract, "Plan".
 */
export function canonicalPlan(plan: Plan): Uint8Array {
  const { dryRun: _dryRun, ...spec } = plan.spec;
  return new TextEncoder().encode(canonicalJson({ ...plan, spec }));
}

/** The plan digest: `sha256:` over `canonicalPlan`. */
export function planDigest(plan: Plan): string {
  return sha256Digest(canonicalPlan(plan));
}
