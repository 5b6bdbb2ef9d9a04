import { z } from "zod";
import { ContinuumError } from "../core/error.ts";
import { type Purpose, SIGNING_PURPOSES, type Signer } from "../core/evidence/signer.ts";
import { SIGNED_KINDS, type SignedKind, type Trust } from "../drivers/signatures/signatures.ts";
import type { Queryable } from "../store/database.ts";
import { readTrust, type TrustRow } from "../store/queries/trust.ts";

/** What is stored of a tenant's trust is not of its shape: nothing is judged with it. */
export type TrustStoreErrorCode = "bad-trust-settings";

const DAY_SECONDS = 86_400;

/**
 * How old evidence may be where a tenant set nothing else. Tests and a plan's signature are made for a deployment;
 * where a build came from, and who signed an image, stays true for as long as the thing is used.
 */
const DEFAULT_MAX_AGE_SECONDS: Readonly<Record<SignedKind, number>> = {
  tests: 30 * DAY_SECONDS,
  "manifest-signature": 30 * DAY_SECONDS,
  "image-signature": 365 * DAY_SECONDS,
  provenance: 365 * DAY_SECONDS,
};

const maxAgeSecondsSchema = z.strictObject(
  Object.fromEntries(
    SIGNED_KINDS.map((kind) => [
      kind,
      z
        .number()
        .int()
        .min(60)
        .max(3650 * DAY_SECONDS)
        .optional(),
    ]),
  ) as {
    [Kind in SignedKind]: z.ZodOptional<z.ZodNumber>;
  },
);

/** Whom and what a tenant trusts at this moment. Errors: `bad-trust-settings`. */
export async function loadTrust(db: Queryable, tenant: string): Promise<Trust> {
  return trustOf(await readTrust(db, tenant));
}

function trustOf(row: TrustRow): Trust {
  return {
    signers: [
      ...row.keys.map(({ keyId, spkiPem, purpose, notAfterMs }): Signer => {
        return { kind: "key", purpose: purposeOf(purpose), keyId, spkiPem, ...ending(notAfterMs) };
      }),
      ...row.identities.map(({ issuer, subject, purpose, notAfterMs }): Signer => {
        return { kind: "identity", purpose: purposeOf(purpose), issuer, subject, ...ending(notAfterMs) };
      }),
    ],
    builders: row.builders,
    trustedRoot: row.trustedRoot,
    maxAgeMs: maxAgesOf(row.maxAgeSeconds),
  };
}

/** The limits of a tenant over the defaults, in seconds. */
export function maxAgeSecondsOf(stored: Record<string, unknown>): Record<SignedKind, number> {
  const own = maxAgeSecondsSchema.safeParse(stored);
  if (!own.success) throw broken("limits of age");
  return {
    tests: own.data.tests ?? DEFAULT_MAX_AGE_SECONDS.tests,
    "manifest-signature": own.data["manifest-signature"] ?? DEFAULT_MAX_AGE_SECONDS["manifest-signature"],
    "image-signature": own.data["image-signature"] ?? DEFAULT_MAX_AGE_SECONDS["image-signature"],
    provenance: own.data.provenance ?? DEFAULT_MAX_AGE_SECONDS.provenance,
  };
}

function maxAgesOf(stored: Record<string, unknown>): Trust["maxAgeMs"] {
  const seconds = maxAgeSecondsOf(stored);
  return {
    tests: seconds.tests * 1000,
    "manifest-signature": seconds["manifest-signature"] * 1000,
    "image-signature": seconds["image-signature"] * 1000,
    provenance: seconds.provenance * 1000,
  };
}

function ending(notAfterMs: number | null): { notAfterMs?: number } {
  return notAfterMs === null ? {} : { notAfterMs };
}

function purposeOf(stored: string): Purpose {
  const purpose = SIGNING_PURPOSES.find((one) => one === stored);
  if (purpose === undefined) throw broken("purpose of a signer");
  return purpose;
}

function broken(what: string): ContinuumError<TrustStoreErrorCode> {
  return new ContinuumError("bad-trust-settings", `The stored ${what} cannot be read, so nothing is judged with it.`);
}
