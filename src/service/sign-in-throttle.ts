import { createHash } from "node:crypto";
import { isIPv6 } from "node:net";
import type { Database } from "../store/database.ts";
import { blockedUntil, countFailure, forgetFailures } from "../store/queries/people.ts";
import { refuse } from "./refusal.ts";

/** Whoever was quiet for this long starts anew. */
const FORGOTTEN_MS = 3600 * 1000;

/**
 * How failures slow further attempts down: the first ones are free, then each doubles the wait. An account's wait stays
 * short, because whoever knows its passkey's name could keep its owner out; an address's may become long.
 */
const LIMITS = {
  address: { freeFailures: 10, blockSecondsMax: 900 },
  account: { freeFailures: 5, blockSecondsMax: 60 },
} as const;

export interface Throttled {
  kind: keyof typeof LIMITS;
  /** An address, or `tenant/principal`. */
  value: string;
}

interface ThrottleParts {
  database: Database;
  nowMs(): number;
}

/** Errors: `too-many-requests`, with the seconds to wait in `retryAfterSeconds`. */
export async function requireNotBlocked(parts: ThrottleParts, who: readonly Throttled[]): Promise<void> {
  const nowMs = parts.nowMs();
  const until = await blockedUntil(parts.database, who.map(hashOf), nowMs);
  if (until === undefined) return;
  const retryAfterSeconds = Math.max(1, Math.ceil((until.getTime() - nowMs) / 1000));
  refuse("too-many-requests", `Signing in failed too often: wait ${retryAfterSeconds} s and try again.`, {
    retryAfterSeconds,
  });
}

export async function countFailures(parts: ThrottleParts, who: readonly Throttled[]): Promise<void> {
  const nowMs = parts.nowMs();
  for (const one of who) {
    const forgottenBeforeMs = nowMs - FORGOTTEN_MS;
    await countFailure(parts.database, { keyHash: hashOf(one), nowMs, forgottenBeforeMs, ...LIMITS[one.kind] });
  }
}

/** After a good sign-in the account's failures are forgotten; the address's are not: it may hold one good account. */
export function forgetAccount(parts: ThrottleParts, value: string): Promise<void> {
  return forgetFailures(parts.database, hashOf({ kind: "account", value }));
}

function hashOf({ kind, value }: Throttled): Buffer {
  const text = kind === "address" ? networkOf(value) : value;
  return createHash("sha256").update(`${kind}:${text}`, "utf8").digest();
}

/** Of IPv6 the first 64 bits: a single host has all the rest to choose from. */
export function networkOf(address: string): string {
  if (!isIPv6(address) || address.includes(".")) return address;
  const [head = "", tail] = address.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  const groups = [...before, ...Array<string>(Math.max(0, zeros)).fill("0"), ...after];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
