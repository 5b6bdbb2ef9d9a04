import type { JWTPayload, JWTVerifyGetKey } from "jose";
import type { z } from "zod";
import { type exchangeOperation, WORKLOAD_ROLES, workloadClaimsSchema } from "../contract/workload-operations.ts";
import { appendAudit } from "../engine/audit-log.ts";
import { SYSTEM } from "../engine/engine.ts";
import type { Database } from "../store/database.ts";
import { insertToken, readPrincipal } from "../store/queries/principals.ts";
import { type WorkloadRow, workloadsWithin } from "../store/queries/workloads.ts";
import { Refusal, refuse } from "./refusal.ts";
import { countFailures, requireNotBlocked } from "./sign-in-throttle.ts";
import { newToken } from "./token.ts";
import type { WorkloadIssuer } from "./workload-parts.ts";

export interface ExchangeParts {
  database: Database;
  workloadIssuer?: WorkloadIssuer;
  nowMs(): number;
}

export type Exchanged = z.infer<(typeof exchangeOperation)["output"]>;

export interface WorkloadExchange {
  /**
   * Gives a job a short token for its identity token. Errors: `exchange-refused`, the same for everything that is wrong
   * with the token or that nobody trusts it; `too-many-requests`; `unavailable` while the issuer's keys cannot be read.
   */
  exchange(from: { address: string }, brought: { token: string; tenant?: string | undefined }): Promise<Exchanged>;
}

/** Fixed here and never taken from the token: what its header says is the attacker's. */
const ALGORITHMS = ["RS256", "ES256"];
const CLOCK_TOLERANCE_SECONDS = 30;
/** A job asks for its token when it needs it; an old one was kept by somebody. */
const AGE_SECONDS_MAX = 900;
const TENANT = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;

export function createWorkloadExchange(parts: ExchangeParts): WorkloadExchange {
  const keys = new IssuerKeys();
  return {
    exchange: async ({ address }, brought) => {
      const { workloadIssuer: issuer } = parts;
      const who = [{ kind: "address" as const, value: address }];
      await requireNotBlocked(parts, who);
      const tenant = brought.tenant ?? issuer?.tenant ?? "";
      const claims =
        issuer === undefined || !TENANT.test(tenant)
          ? undefined
          : await verifiedClaims(brought.token, { issuer, key: await keys.of(issuer), nowMs: parts.nowMs() });
      const given =
        claims === undefined || issuer === undefined ? undefined : await give(parts, { tenant, issuer, claims });
      if (given !== undefined) return given;
      await countFailures(parts, who);
      return refuse(
        "exchange-refused",
        "The identity token was not accepted, or no workload of the tenant is trusted by it.",
      );
    },
  };
}

/** The issuer's keys, fetched when first needed, kept for a while, and fetched again for a key that is new. */
class IssuerKeys {
  #known: { url: string; key: JWTVerifyGetKey } | undefined;

  async of({ jwksUrl }: WorkloadIssuer): Promise<JWTVerifyGetKey> {
    if (this.#known?.url === jwksUrl) return this.#known.key;
    const { createRemoteJWKSet } = await import("jose");
    const how = { timeoutDuration: 5000, cooldownDuration: 30_000, cacheMaxAge: 600_000 };
    this.#known = { url: jwksUrl, key: createRemoteJWKSet(new URL(jwksUrl), how) };
    return this.#known.key;
  }
}

async function verifiedClaims(
  token: string,
  { issuer, key, nowMs }: { issuer: WorkloadIssuer; key: JWTVerifyGetKey; nowMs: number },
): Promise<JWTPayload | undefined> {
  const { errors, jwtVerify } = await import("jose");
  try {
    const { payload } = await jwtVerify(token, key, {
      ...{ issuer: issuer.issuer, audience: issuer.audience, algorithms: ALGORITHMS },
      ...{ clockTolerance: CLOCK_TOLERANCE_SECONDS, maxTokenAge: AGE_SECONDS_MAX, currentDate: new Date(nowMs) },
      requiredClaims: ["exp", "iat", "sub", "repository", "job_workflow_ref"],
    });
    // A list of audiences that holds ours was made for others as well, who could bring it here.
    return payload.aud === issuer.audience ? payload : undefined;
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) return undefined;
    const unreadable = error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid;
    const ofToken = error instanceof errors.JOSEError && !unreadable && error.code !== "ERR_JOSE_GENERIC";
    if (ofToken) return undefined;
    throw new Refusal("unavailable", "The keys of the identity tokens' issuer cannot be read.", {
      cause: error,
      retryable: true,
    });
  }
}

async function give(
  parts: ExchangeParts,
  { tenant, issuer, claims }: { tenant: string; issuer: WorkloadIssuer; claims: JWTPayload },
): Promise<Exchanged | undefined> {
  const database = parts.database.forTenant(tenant);
  const asked = { tenant, issuer: issuer.issuer, claims: textClaims(claims) };
  const [workload] = await workloadsWithin(database, asked);
  if (workload === undefined) return undefined;
  const atMs = parts.nowMs();
  const expiresAtMs = atMs + workload.tokenSeconds * 1000;
  const token = newToken();
  return database.transaction(async (tx) => {
    const holder = await readPrincipal(tx, tenant, workload.principal);
    if (holder?.kind !== "service") return undefined;
    const roles = rolesOf(workload, holder.roles);
    if (roles.length === 0) return undefined;
    const { id, hash: secretHash } = token;
    await insertToken(tx, { tenant, id, principal: holder.id, secretHash, roles, createdAtMs: atMs, expiresAtMs });
    const expiresAt = new Date(expiresAtMs).toISOString();
    const details = { principal: holder.id, principalKind: "service", roles, expiresAt, reason: workload.id };
    const fact = { tenant, atMs, actor: SYSTEM, subject: `token:${id}`, outcome: "accepted" } as const;
    await appendAudit(tx, { ...fact, action: "token.exchange", details });
    return { secret: token.text, id, tenant, principal: holder.id, roles, expiresAt };
  });
}

/** Only what can be compared at all; an admin's mapping names some of them and each must be the same. */
function textClaims(claims: JWTPayload): Record<string, string> {
  const named = Object.keys(workloadClaimsSchema.shape);
  return Object.fromEntries(
    named.flatMap((name) => (typeof claims[name] === "string" ? [[name, claims[name]] as const] : [])),
  );
}

function rolesOf(workload: WorkloadRow, held: readonly string[]): Exchanged["roles"] {
  return WORKLOAD_ROLES.filter((role) => workload.roles.includes(role) && held.includes(role));
}
