import type { SignatureAlgorithm } from "./public-key.ts";
import { type Refusal, refusal } from "./trust.ts";
import { type Authentic, type TrustRequirement, verifyTrusted } from "./verify-trusted.ts";

export interface BothRequirement extends TrustRequirement {
  /**
   * Every one of these must have signed. The verifier decides it; nothing that was signed can make it less.
   */
  algorithms: readonly SignatureAlgorithm[];
}

export interface Both extends Authentic {
  /** Which key signed with what. */
  keyIds: Partial<Record<SignatureAlgorithm, string>>;
}

/**
 * Whether the same statement is signed with each of the algorithms, each by a key that is trusted for the purpose.
 * Signatures of a quantum-safe and a classical key stand in sibling bundles over one payload, because a bundle holds one
 * signature: breaking one of the schemes is not enough. More bundles than needed do no harm.
 * Errors: `bad-trusted-key` when the list of trusted keys itself is broken.
 */
export function verifyBoth(
  bundles: readonly (string | Uint8Array)[],
  required: BothRequirement,
): ({ ok: true } & Both) | Refusal {
  if (required.algorithms.length === 0) return refusal("missing-signature", "no signature was asked for");
  if (bundles.length > BUNDLES_MAX) return refusal("malformed-bundle", `there are more than ${BUNDLES_MAX} bundles`);
  const found: Map<string, Good>[] = [];
  for (const algorithm of required.algorithms) {
    const verdicts = bundles.map((bundle) => verifyTrusted(bundle, { ...required, algorithms: [algorithm] }));
    const good = verdicts.filter((verdict) => verdict.ok);
    if (good.length === 0) return missing(algorithm, verdicts);
    found.push(new Map(good.map((verdict) => [verdict.payloadDigest, { ...verdict, algorithm }])));
  }
  const [first, ...others] = found;
  const shared = [...(first ?? [])].find(([digest]) => others.every((one) => one.has(digest)));
  if (shared === undefined)
    return refusal("missing-signature", "the signatures are not over one and the same statement");
  const [digest, { algorithm: _, ...authentic }] = shared;
  const signers = found.flatMap((one) => one.get(digest) ?? []);
  return { ...authentic, keyIds: Object.fromEntries(signers.map(({ algorithm, keyId }) => [algorithm, keyId])) };
}

type Good = { ok: true } & Authentic & { algorithm: SignatureAlgorithm };

const BUNDLES_MAX = 8;

/** What is wrong with the signature that comes nearest: one that no trusted key of the algorithm made says nothing. */
function missing(algorithm: SignatureAlgorithm, verdicts: readonly (Refusal | { ok: true })[]): Refusal {
  const nearest = verdicts.find((verdict) => !verdict.ok && !DISTANT.has(verdict.code));
  return nearest !== undefined && !nearest.ok
    ? nearest
    : refusal("missing-signature", `no trusted key signed the statement with ${algorithm}`);
}

const DISTANT: ReadonlySet<string> = new Set(["untrusted-key", "bad-signature"]);
