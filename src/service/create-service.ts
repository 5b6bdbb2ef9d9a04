import type { Operation } from "../contract/operation.ts";
import { environmentSourceOf } from "../contract/operation-environment.ts";
import { type OperationName, operations } from "../contract/operations.ts";
import type { ProblemCode } from "../contract/problem.ts";
import { ContinuumError } from "../core/error.ts";
import { appendAudit } from "../engine/audit-log.ts";
import { monitorMetrics } from "../engine/monitor/monitor-metrics.ts";
import type { Queryable } from "../store/database.ts";
import { principalByToken } from "../store/queries/principals.ts";
import { rolloutEnvironment } from "../store/queries/rollout-environment.ts";
import { alarmHandlers } from "./alarms.ts";
import { approvalHandlers } from "./approvals.ts";
import { artifactHandlers } from "./artifacts.ts";
import { auditHandlers } from "./audit.ts";
import { authorizeHere, authorizeSomewhere } from "./authorize.ts";
import { breakerHandlers } from "./breakers.ts";
import { endpointHandlers } from "./endpoints.ts";
import { evidenceHandlers } from "./evidence.ts";
import { groundTruthHandlers } from "./ground-truth.ts";
import type { Handler, Handlers, ServiceParts } from "./handler.ts";
import { limitedRolesOf, rolesOf } from "./held-roles.ts";
import { performOnce } from "./idempotency.ts";
import { identityHandlers } from "./identities.ts";
import { keyHandlers } from "./keys.ts";
import { monitorHandlers } from "./monitors.ts";
import { peopleHandlers } from "./people.ts";
import { planHandlers } from "./plans.ts";
import { policyHandlers } from "./policy.ts";
import { actorOf, type Principal } from "./principal.ts";
import { principalHandlers } from "./principals.ts";
import { requireQuota } from "./quotas.ts";
import { Refusal } from "./refusal.ts";
import { rolloutHandlers } from "./rollouts.ts";
import type { Service, ServiceAnswer, ServiceRequest } from "./service.ts";
import { principalOfSession } from "./sessions.ts";
import { createSignIn } from "./sign-in.ts";
import { tokenHash } from "./token.ts";
import { tokenHandlers } from "./tokens.ts";
import { trustHandlers } from "./trust.ts";
import { webhookHandlers } from "./webhooks.ts";
import { workloadHandlers } from "./workload-handlers.ts";
import { createWorkloadExchange } from "./workload-identity.ts";

/** How many tenants' use cases are kept put together; one that asks again later has its own put together anew. */
const TENANTS_KEPT_MAX = 1000;

/** The use cases. Each tenant has them over a database of its own, on which nobody else's rows are there. */
export function createService(parts: ServiceParts): Service {
  const of = tenantServices(parts);
  return {
    authenticate: (token) => authenticate(parts, token),
    session: (cookie, how) => principalOfSession(parts, cookie, how),
    signIn: createSignIn(parts),
    workloads: createWorkloadExchange(parts),
    authorize: (name, principal) =>
      audited(of(principal.tenant).parts, { name, principal }, async () =>
        authorizeSomewhere(operations[name], principal),
      ),
    call: (name, request) => call(of(request.principal.tenant), name, request),
    readiness: () => readiness(parts),
  };
}

interface TenantService {
  parts: ServiceParts;
  handlers: Handlers<OperationName>;
}

function tenantServices(parts: ServiceParts): (tenant: string) => TenantService {
  const kept = new Map<string, TenantService>();
  return (tenant) => {
    const found = kept.get(tenant);
    if (found !== undefined) return found;
    const own = ofTenant(parts, tenant);
    const made = { parts: own, handlers: handlersOf(own) };
    const [oldest] = kept.keys();
    if (kept.size >= TENANTS_KEPT_MAX && oldest !== undefined) kept.delete(oldest);
    kept.set(tenant, made);
    return made;
  };
}

function ofTenant(parts: ServiceParts, tenant: string): ServiceParts {
  const own = { ...parts, database: parts.database.forTenant(tenant) };
  return parts.monitorMetrics === undefined ? own : { ...own, monitorMetrics: monitorMetrics(own) };
}

/** Puts the use cases together. The compiler holds that every operation of the contract has its handler. */
function handlersOf(parts: ServiceParts): Handlers<OperationName> {
  return {
    ...planHandlers(parts),
    ...rolloutHandlers(parts),
    ...approvalHandlers(parts),
    ...endpointHandlers(parts),
    ...groundTruthHandlers(parts),
    ...artifactHandlers(parts),
    ...evidenceHandlers(parts),
    ...keyHandlers(parts),
    ...identityHandlers(parts),
    ...trustHandlers(parts),
    ...tokenHandlers(parts),
    ...principalHandlers(),
    ...auditHandlers(parts),
    ...policyHandlers(parts),
    ...breakerHandlers(parts),
    ...alarmHandlers(parts),
    ...monitorHandlers(parts),
    ...peopleHandlers(parts),
    ...webhookHandlers(parts),
    ...workloadHandlers(parts),
  };
}

async function authenticate(parts: ServiceParts, token: string): Promise<Principal | undefined> {
  const hash = tokenHash(token);
  const row = hash === undefined ? undefined : await principalByToken(parts.database, hash, parts.nowMs());
  if (row === undefined) return undefined;
  const { tenant, id, kind, owner, tokenId, expiresAt } = row;
  const roles = { roles: rolesOf(row.roles), limitedRoles: limitedRolesOf(row.roles) };
  const known = { tenant, id, kind, ...roles, tokenId, expiresAtMs: expiresAt.getTime() };
  return owner === null ? known : { ...known, owner };
}

async function call<N extends OperationName>(
  { parts, handlers }: TenantService,
  name: N,
  request: ServiceRequest<N>,
): Promise<ServiceAnswer<N>> {
  const { input, requestId, idempotencyKey: key } = request;
  return audited(parts, { name, principal: request.principal, input }, async () => {
    const operation: Operation = operations[name];
    const principal = await authorizeHere(parts.database, { operation, input }, request.principal);
    const handler = handlers[name] as unknown as Handler<N>;
    const signal = request.signal === undefined ? {} : { signal: request.signal };
    const perform = () =>
      refusing(async () => {
        await requireQuota(parts, { name, tenant: principal.tenant, input });
        return handler({ principal, actor: actorOf(principal), input, requestId, ...signal });
      });
    return key === undefined ? perform() : performOnce(parts, { principal, operation: name, key, input }, perform);
  });
}

/** A refusal that says something about who tried what stands in the audit log before it is answered. */
async function audited<Answer>(
  parts: ServiceParts,
  request: { name: OperationName; principal: Principal; input?: unknown },
  perform: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await perform();
  } catch (error) {
    if (error instanceof Refusal && AUDITED.has(error.code)) {
      await tell(parts, request, error.code);
    }
    throw error;
  }
}

/** Refusals that say something about who tried what. A typing mistake is none of the log's business. */
const AUDITED: ReadonlySet<ProblemCode> = new Set([
  "forbidden",
  "humans-only",
  "own-plan",
  "step-up-required",
  "step-up-failed",
  "signature-required",
  "signature-refused",
  "statement-refused",
  "digest-mismatch",
  "denied",
  "untrusted-evidence",
]);

function tell(
  parts: ServiceParts,
  { name: operation, principal, input }: { name: OperationName; principal: Principal; input?: unknown },
  reason: ProblemCode,
): Promise<void> {
  const { tenant } = principal;
  return parts.database.transaction(async (tx) => {
    const rollout = await rolloutAsked(tx, { tenant, operation, input });
    await appendAudit(tx, {
      tenant,
      atMs: parts.nowMs(),
      actor: actorOf(principal),
      action: "request.refuse",
      subject: `operation:${operation}`,
      outcome: reason === "denied" ? "denied" : "refused",
      details: { operation, reason, ...(rollout === undefined ? {} : { rollout }) },
    });
  });
}

/** The rollout that a request was about, where there is one of that name: what a stranger makes up is not written down. */
async function rolloutAsked(
  db: Queryable,
  { tenant, operation, input }: { tenant: string; operation: OperationName; input: unknown },
): Promise<string | undefined> {
  const id = (input as { params?: { id?: unknown } } | undefined)?.params?.id;
  if (typeof id !== "string" || environmentSourceOf(operations[operation]) !== "rollout") return undefined;
  return (await rolloutEnvironment(db, tenant, id)) === undefined ? undefined : id;
}

/** What the engine and the targets call things, in the public words. */
const PUBLIC_CODES: Readonly<Record<string, ProblemCode>> = {
  "target-not-available": "target-not-available",
  "not-available": "target-not-available",
  "host-memory": "host-memory",
  capacity: "host-memory",
  "no-such-rollout": "not-found",
  "artifact-not-imported": "not-acceptable-now",
  "audit-broken": "audit-broken",
  "audit-rewritten": "audit-broken",
  "archive-unavailable": "unavailable",
  "checkpoint-not-made": "unavailable",
};

async function refusing<Answer>(perform: () => Promise<Answer>): Promise<Answer> {
  try {
    return await perform();
  } catch (error) {
    const code = error instanceof ContinuumError && !(error instanceof Refusal) ? PUBLIC_CODES[error.code] : undefined;
    if (code === undefined || !(error instanceof ContinuumError)) throw error;
    throw new Refusal(code, error.message, { cause: error });
  }
}

async function readiness(parts: ServiceParts): Promise<{ ready: boolean; problems: string[] }> {
  try {
    await parts.database.query("SELECT 1");
    return { ready: true, problems: [] };
  } catch {
    return { ready: false, problems: ["The database cannot be reached."] };
  }
}
