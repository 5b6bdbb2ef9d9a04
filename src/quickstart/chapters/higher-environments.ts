import type { OperationOutput } from "../../contract/operations.ts";
import type { PlanInput } from "../../core/plan/schema.ts";
import { followRollout } from "../../surfaces/cli/follow-rollout.ts";
import { productionPlan, stagingPlan } from "../plans.ts";
import { expectThat, type Stage } from "../stage.ts";
import { money } from "./deciding.ts";

type Obligation = OperationOutput<"rollouts.get">["decision"]["obligations"][number];

/** What staging and production would still need, as the server finds it; nothing changes there. */
export async function showHigherEnvironments(stage: Stage, plan: PlanInput): Promise<void> {
  const { narrator } = stage;
  narrator.chapter("What staging and production would still need");
  const before = await endpointNames(stage);

  const staging = await stage.agent.call("plans.submit", {
    body: { plan: { ...stagingPlan(plan), spec: { ...stagingPlan(plan).spec, dryRun: true } } },
  });
  await showDryRun(stage, "staging", staging.id);
  const production = await stage.agent.call("plans.submit", { body: { plan: productionPlan(plan) } });
  expectThat(production.dryRun, "expected production to be a dry run by default");
  await showDryRun(stage, "production (a dry run, because nothing else was asked for)", production.id);

  const after = await endpointNames(stage);
  expectThat(
    before.join() === after.join(),
    `expected no endpoint to change, had ${before.join()}, have ${after.join()}`,
  );
  narrator.say(`nothing was changed: the endpoints are still ${after.join(", ")}`);
}

async function showDryRun(stage: Stage, title: string, id: string): Promise<void> {
  const { narrator, api } = stage;
  const rollout = await followRollout({ client: api, id, onEvent: () => {} });
  const { decision } = rollout;
  expectThat(rollout.phase === "DryRunCompleted", `expected DryRunCompleted, got ${rollout.phase}`);
  narrator.say(
    `${title}: ${rollout.phase}; decision ${decision.decision}, risk ${decision.risk}, verification ${decision.verification}, ${money(decision.cost.usdPerHour)}`,
  );
  for (const obligation of decision.obligations) {
    if (obligation.kind === "approval") narrator.say(`  needs ${approvalLine(obligation)}`);
    if (obligation.kind === "snapshot")
      narrator.say(`  takes a snapshot by itself, before the first effect  ${by(obligation)}`);
  }
  for (const { clause, message } of rollout.refusals) narrator.say(`  lacks ${clause.padEnd(6)} ${message}`);
}

function approvalLine(obligation: Obligation): string {
  const extras = [obligation.mfa === true ? "with MFA" : "", obligation.signed === true ? "signed" : ""].filter(
    Boolean,
  );
  const how = [obligation.role ?? "", ...extras].join(", ");
  return `${obligation.count ?? 1} approval by a person (${how})  ${by(obligation)}`;
}

function by({ clauses }: Obligation): string {
  return `[${clauses.join(", ")}]`;
}

async function endpointNames(stage: Stage): Promise<string[]> {
  const { items } = await stage.api.call("endpoints.list", { query: {} });
  return items
    .filter((item) => item.planDigest !== null)
    .map(({ endpoint, model }) => `${endpoint.environment}-${endpoint.name} ${model?.version ?? ""}`);
}
