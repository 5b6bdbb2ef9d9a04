import type { OperationName } from "../contract/operations.ts";
import { countHeld } from "../store/queries/quotas.ts";
import type { ServiceParts } from "./handler.ts";
import { refuse } from "./refusal.ts";
import { type Quotas, TENANCY } from "./tenancy.ts";

/** When it makes sense to ask again for what frees itself. */
const ROLLOUTS_RETRY_SECONDS = 30;

interface Asked {
  name: OperationName;
  tenant: string;
  input: { body?: unknown };
}

/**
 * Refuses what would take a tenant beyond its share. It is counted before the request and not under a lock, so requests
 * at the same moment may go beyond by as many as they are: a quota keeps one tenant from taking what is everybody's, and
 * is no account. Errors: `quota-exceeded`.
 */
export async function requireQuota(parts: ServiceParts, asked: Asked): Promise<void> {
  const { quotas } = parts.tenancy ?? TENANCY;
  const { tenant } = asked;
  switch (asked.name) {
    case "plans.submit":
      return requireCount(parts, { tenant, what: "openRollouts", most: quotas.openRolloutsMax });
    case "tokens.create":
      return requireCount(parts, { tenant, what: "tokens", most: quotas.tokensMax });
    case "webhooks.create":
      return requireCount(parts, { tenant, what: "webhooks", most: quotas.webhooksMax });
    case "artifacts.put":
      return requireBytes(parts, { tenant, body: asked.input.body, quotas });
    default:
      return;
  }
}

const WORDS = { openRollouts: "rollouts that have not ended", tokens: "tokens", webhooks: "webhooks" } as const;

async function requireCount(
  parts: ServiceParts,
  { tenant, what, most }: { tenant: string; what: keyof typeof WORDS; most: number },
): Promise<void> {
  if (most === 0) return;
  const held = await countHeld(parts.database, what, { tenant, most, nowMs: parts.nowMs() });
  if (held < most) return;
  const wait = what === "openRollouts" ? { retryAfterSeconds: ROLLOUTS_RETRY_SECONDS } : {};
  refuse("quota-exceeded", `The tenant has ${most} ${WORDS[what]}, which is all it may have.`, {
    quota: most,
    ...wait,
  });
}

async function requireBytes(
  parts: ServiceParts,
  { tenant, body, quotas }: { tenant: string; body: unknown; quotas: Quotas },
): Promise<void> {
  const most = quotas.artifactBytesMax;
  if (most === 0 || !(body instanceof Uint8Array)) return;
  const held = (await parts.artifacts.list(tenant)).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (held + body.byteLength <= most) return;
  const message = `The tenant's artifacts have ${held} bytes of the ${most} that they may have; this one has ${body.byteLength}.`;
  refuse("quota-exceeded", message, { quota: most });
}
