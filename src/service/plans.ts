import type { OperationOutput } from "../contract/operations.ts";
import { planDigest } from "../core/plan/canonical.ts";
import { withDefaults } from "../core/plan/defaults.ts";
import { diffPlans } from "../core/plan/diff.ts";
import { validatePlanInput } from "../core/plan/parse.ts";
import type { Plan, PlanInput } from "../core/plan/schema.ts";
import { decideNow } from "../engine/admission.ts";
import { endpointKey } from "../engine/facts.ts";
import { planOfBytes } from "../engine/gate.ts";
import { type Proposed, propose } from "../engine/proposal.ts";
import { readEndpoint } from "../store/queries/endpoints.ts";
import { readRollout } from "../store/queries/rollouts.ts";
import { BaselineAdvice } from "./baseline-advice.ts";
import type { Handlers, ServiceParts } from "./handler.ts";
import { permissionsOf } from "./principal.ts";
import { refuse } from "./refusal.ts";
import { decisionView, type RolloutDetailView, rolloutDetailView } from "./rollout-view.ts";

export function planHandlers(parts: ServiceParts): Handlers<"plans.check" | "plans.submit" | "plans.diff"> {
  const advice = new BaselineAdvice(parts.artifacts);
  return {
    "plans.check": async ({ principal, input }) => {
      const plan = planOf(input.body, "");
      const { tenant, kind } = principal;
      // As for a live rollout, whatever the plan says of a dry run.
      const digest = planDigest(plan);
      const question = { tenant, plan, planDigest: digest, gate: "propose" as const, principal: { kind } };
      return decisionView(await advice.on(tenant, plan, await decideNow(parts.database, parts, question)));
    },

    "plans.submit": async ({ principal, actor, input }) => {
      const plan = planOf(input.body.plan, "/plan");
      const supersede = input.body.supersede ?? false;
      // To replace a rollout is to abort it: who may not do the one may not do the other.
      if (supersede && !permissionsOf(principal.roles).has("operate")) {
        refuse("forbidden", "To replace what is under way needs the permission operate, as aborting it does.");
      }
      const proposed = await propose(parts, { tenant: principal.tenant, actor, plan, supersede });
      const decision = await advice.on(principal.tenant, plan, proposed.decision);
      return proposedView(parts, { ...proposed, decision });
    },

    "plans.diff": async ({ principal, input }) => {
      const plan = planOf(input.body, "");
      const at = endpointKey(principal.tenant, plan);
      const endpoint = `${at.environment}/${at.target}/${at.name}`;
      const live = await readEndpoint(parts.database, at);
      const before = live?.planBytes == null ? undefined : planOfBytes(live.planBytes, plan.spec.dryRun);
      const changes = before === undefined ? everything(plan) : diffPlans(before, plan);
      const simulation = at.target === "simulated";
      return { endpoint, simulation, liveRollout: live?.liveRollout ?? null, changes };
    },
  };
}

/** The answer to a proposal, whichever operation made it. */
export async function proposedView(parts: ServiceParts, { rollout, decision }: Proposed): Promise<RolloutDetailView> {
  const row = await readRollout(parts.database, rollout.tenant, rollout.id);
  return rolloutDetailView(row?.state ?? rollout, decision, row?.endedAt?.getTime() ?? null);
}

/** A `file:` is a file of whoever wrote the plan, and means nothing here: clients import it first. */
function planOf(body: unknown, pointer: string): Plan {
  const parsed = validatePlanInput(body);
  if (!parsed.ok) refuse("malformed-request", parsed.problem.message, { pointer: pointer + parsed.problem.path });
  const input: PlanInput = parsed.value;
  const files = [
    { path: "/spec/model/artifact", reference: input.spec.model.artifact },
    { path: "/spec/monitor/baseline", reference: input.spec.monitor?.baseline },
  ];
  const file = files.find(({ reference }) => reference?.startsWith("file:"));
  if (file !== undefined) {
    const right = "import the file with PUT /v1/artifacts/{digest} and write store:sha256:...";
    refuse("malformed-request", `${file.path}: the server reads no file: reference; ${right}`, {
      pointer: pointer + file.path,
    });
  }
  return withDefaults(input);
}

/** Against an endpoint that serves nothing, every part of the plan is new. */
function everything(plan: Plan): OperationOutput<"plans.diff">["changes"] {
  return diffPlans({} as Plan, plan);
}
