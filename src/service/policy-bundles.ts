import { ContinuumError } from "../core/error.ts";
import type { SigningKey } from "../core/evidence/signing-key.ts";
import { type PolicyBundle, policySigningKey, signPolicyBundle } from "../core/policy/policy-bundle.ts";
import { policyVersion, readPolicyInForce } from "../engine/policy-book.ts";
import { readActivePolicy } from "../store/queries/policy-versions.ts";
import type { Handlers, ServiceParts } from "./handler.ts";
import type { PolicyBundleParts } from "./policy-bundle-parts.ts";

const DAY_MS = 86_400_000;

export function policyBundleHandlers(parts: ServiceParts): Handlers<"policy.bundle"> {
  let key: Promise<SigningKey> | undefined;
  const signingKey = () => {
    key ??= readKey(parts.bundles).catch((error: unknown) => {
      key = undefined;
      throw error;
    });
    return key;
  };
  return {
    "policy.bundle": async ({ principal }) => {
      const { tenant } = principal;
      // A tenant that has none yet gets its first one here.
      await readPolicyInForce(parts.database, parts, tenant);
      const active = await readActivePolicy(parts.database, tenant);
      if (active === undefined)
        throw new Error("broken invariant: a tenant that was asked about has a policy in force");
      const { sequence, digest } = active;
      const { files } = await policyVersion(parts.database, parts, { tenant, digest });
      return view({ tenant, sequence, policyDigest: digest, files });
    },
  };

  async function view(of: Omit<PolicyBundle, "issuedAtMs" | "expiresAtMs">) {
    const signer = await signingKey();
    const issuedAtMs = parts.nowMs();
    const expiresAtMs = issuedAtMs + parts.bundles.validDays * DAY_MS;
    const { keyId, spkiPem } = signer.publicKey;
    const { tenant, sequence, policyDigest } = of;
    const told = { tenant, sequence, policyDigest, expiresAt: new Date(expiresAtMs).toISOString() };
    return { ...told, keyId, publicKey: spkiPem, bundle: signPolicyBundle({ ...of, issuedAtMs, expiresAtMs }, signer) };
  }
}

async function readKey(bundles: PolicyBundleParts): Promise<SigningKey> {
  const key = policySigningKey(await bundles.secret());
  if (key !== undefined) return key;
  throw new ContinuumError<"bad-policy-key">(
    "bad-policy-key",
    "the key behind policy.keyReference must be 32 bytes, or 64 hexadecimal digits",
  );
}
