import { ContinuumError } from "../core/error.ts";
import { planDigest } from "../core/plan/canonical.ts";
import type { Environment, Plan, TargetName } from "../core/plan/schema.ts";
import type { Decision } from "../core/policy/decision.ts";
import type { Effect } from "../drivers/target/target.ts";
import { decideNow, microUsd } from "../engine/admission.ts";
import { appendAudit } from "../engine/audit-log.ts";
import type { Actor } from "../engine/engine.ts";
import { planOfBytes } from "../engine/gate.ts";
import { checkCapacity } from "../engine/proposal.ts";
import type { Queryable, Transaction } from "../store/database.ts";
import { activeRollout, type EndpointKey, lockEnvironment } from "../store/queries/admission.ts";
import {
  type EndpointRow,
  lockEndpoint,
  nextGeneration,
  readEndpoint,
  writeScale,
} from "../store/queries/endpoints.ts";
import { lockPolicy } from "../store/queries/policy-versions.ts";
import type { ServiceParts } from "./handler.ts";
import { notFound, refuse } from "./refusal.ts";
import { applyEffect } from "./target-effect.ts";

export interface Scale {
  at: EndpointKey & { environment: Environment; target: TargetName };
  instanceCount: number;
  actor: Actor;
  requestId: string;
}

interface Written {
  before: EndpointRow;
  generation: number;
}

/**
 * Changes the number of instances of the version that serves: decided as if its plan had that number, reserved and
 * audited in the transaction that writes it down, and only then done. Refusals: `not-found`, `endpoint-busy`, `denied`,
 * `host-memory`, `unavailable`.
 */
export async function scaleEndpoint(parts: ServiceParts, scale: Scale): Promise<void> {
  const { at, instanceCount } = scale;
  const target = parts.targets.get(at.target);
  if (target === undefined)
    return refuse("target-not-available", `This server has no driver for the target ${at.target}.`);
  await askForRoom(parts, scale);
  const { before, generation } = await parts.database.transaction((tx) => write(tx, parts, scale));
  const { environment, target: targetName, name } = at;
  const effect: Effect = {
    tenant: at.tenant,
    endpoint: { environment, target: targetName, name },
    generation,
    idempotencyKey: `scale/${scale.requestId}`,
  };
  await applyEffect(async () => {
    try {
      await target.scale(effect, instanceCount);
    } catch (error) {
      // What the target cannot do at all must not be wanted for ever.
      const hopeless = error instanceof ContinuumError && !error.retryable && error.code !== "unreachable";
      if (hopeless && error.code !== "stale-generation") await takeBack(parts, { scale, before, generation });
      throw error;
    }
  });
}

/** Only the instances that come on top need room; and what is denied gets its denial, whatever the host has. */
async function askForRoom(parts: ServiceParts, scale: Scale): Promise<void> {
  const { plan, row } = await livePlan(parts, scale.at);
  const more = scale.instanceCount - (row.instanceCount ?? 0);
  if (more <= 0) return;
  refuseUnlessAllowed(await decideScale(parts.database, parts, scale, withCount(plan, scale.instanceCount)));
  await checkCapacity(parts, withCount(plan, more));
}

function decideScale(db: Queryable, parts: ServiceParts, { at, actor }: Scale, plan: Plan): Promise<Decision> {
  const question = { tenant: at.tenant, plan, planDigest: planDigest(plan), gate: "propose" as const };
  return decideNow(db, parts, { ...question, principal: { kind: actor.kind }, scaling: true });
}

async function livePlan(
  parts: ServiceParts,
  at: EndpointKey,
  tx?: Transaction,
): Promise<{ plan: Plan; row: EndpointRow }> {
  const row = await readEndpoint(tx ?? parts.database, at);
  if (row === undefined || row.planBytes === null) return notFound("endpoint that serves");
  return { plan: planOfBytes(row.planBytes, false), row };
}

async function write(tx: Transaction, parts: ServiceParts, scale: Scale): Promise<Written> {
  const { at, instanceCount, actor } = scale;
  await lockPolicy(tx, at.tenant, "shared");
  await lockEndpoint(tx, at);
  await lockEnvironment(tx, at.tenant, at.environment);
  const holder = await activeRollout(tx, at);
  if (holder !== undefined)
    refuse("endpoint-busy", `The rollout ${holder} holds the endpoint; wait for it or abort it.`);
  const { plan: live, row: before } = await livePlan(parts, at, tx);
  const decision = await decideScale(tx, parts, scale, withCount(live, instanceCount));
  refuseUnlessAllowed(decision);
  const generation = await nextGeneration(tx);
  const atMs = parts.nowMs();
  const microUsdPerHour = decision.simulation ? 0 : microUsd(decision);
  await writeScale(tx, at, {
    instanceCount,
    microUsdPerHour,
    generation,
    desired: desiredOf(before, instanceCount),
    atMs,
  });
  const endpoint = `${at.environment}/${at.target}/${at.name}`;
  const fromInstanceCount = before.instanceCount ?? 0;
  const { policyDigest } = decision;
  const details = { endpoint, fromInstanceCount, instanceCount, microUsdPerHour, generation, policyDigest };
  const subject = `endpoint:${endpoint}`;
  await appendAudit(tx, {
    tenant: at.tenant,
    atMs,
    actor,
    action: "endpoint.scale",
    subject,
    outcome: "accepted",
    details,
  });
  return { before, generation };
}

function refuseUnlessAllowed({ decision, findings, obligations }: Decision): void {
  if (decision === "allow") return;
  if (decision === "deny") {
    const denials = findings.filter(({ level }) => level === "deny");
    refuse("denied", denials.map(({ clause, message }) => `${clause}: ${message}`).join(" "), {
      findings: denials,
    });
  }
  const clauses = obligations.filter(({ kind }) => kind === "approval").flatMap((one) => one.clauses);
  refuse("denied", `That many instances need an approval (${clauses.join(", ")}); propose a plan that asks for them.`, {
    clauses,
  });
}

/** Undoes what was written, unless something newer has been written since. */
async function takeBack(parts: ServiceParts, { scale, before, generation }: { scale: Scale } & Written): Promise<void> {
  const { at, actor, instanceCount } = scale;
  const atMs = parts.nowMs();
  await parts.database.transaction(async (tx) => {
    await lockEndpoint(tx, at);
    const now = await readEndpoint(tx, at);
    if (now?.generation !== generation) return;
    const { microUsdPerHour, desired } = before;
    const fromInstanceCount = before.instanceCount ?? 0;
    const newer = await nextGeneration(tx);
    await writeScale(tx, at, { instanceCount: fromInstanceCount, microUsdPerHour, generation: newer, desired, atMs });
    const endpoint = `${at.environment}/${at.target}/${at.name}`;
    const details = { endpoint, fromInstanceCount, instanceCount, generation };
    const subject = `endpoint:${endpoint}`;
    await appendAudit(tx, {
      tenant: at.tenant,
      atMs,
      actor,
      action: "endpoint.scale",
      subject,
      outcome: "failed",
      details,
    });
  });
}

function withCount(plan: Plan, instanceCount: number): Plan {
  return { ...plan, spec: { ...plan.spec, compute: { ...plan.spec.compute, instanceCount } } };
}

/** What the reconciler brings the target to: the version that serves, in its new size. */
function desiredOf(before: EndpointRow, instanceCount: number): Record<string, unknown> | null {
  const version = before.desired?.["version"];
  if (typeof version !== "object" || version === null) return before.desired;
  return { ...before.desired, version: { ...version, instanceCount } };
}
