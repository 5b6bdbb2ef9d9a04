import { createHash } from "node:crypto";
import type { PlanInput } from "../../core/plan/schema.ts";
import { CliError } from "../../surfaces/cli/cli-error.ts";
import type { ApiClient } from "../../surfaces/cli/client.ts";
import { ended, follow, type Rollout } from "../follow.ts";
import { dearPlan, productionPlan, SIZE_GROUP } from "../plans.ts";
import { expectThat, type Models, type Stage } from "../stage.ts";
import { type ThrowawayApprover, throwawayApprover } from "../throwaway-person.ts";
import { giveManifestSignature, giveProvenance, type ThrowawaySigners } from "../throwaway-signers.ts";
import type { Dataset } from "../training/dataset.ts";
import { money, short } from "./deciding.ts";
import { approvalLine, submit, submitDry } from "./proposing.ts";
import { csvRows, invokeUrl, showPredictions } from "./rollouts.ts";
import { Gates, sayVerified, whatIsMissing } from "./staging.ts";

/** Production: a dry run first, evidence of all kinds, and a person's signature. Answers the rollout. */
export async function deployToProduction(stage: Stage, models: Models, signers: ThrowawaySigners): Promise<Rollout> {
  const { narrator } = stage;
  narrator.chapter(`Version ${models.v5.version} goes to production: a dry run first, then a person signs`);
  const plan = productionPlan(models.v5.plan, await importBaseline(stage, models.trained.split.train));
  await dryRunFirst(stage, plan);
  await giveManifestSignature(stage, signers, plan);
  await giveProvenance(stage, signers, models.v5);
  narrator.say("the release signs this plan too, and where the model was built");

  const waiting = await submit(stage, { ...plan, spec: { ...plan.spec, dryRun: false } });
  expectThat(waiting.phase === "AwaitingApproval", `expected AwaitingApproval, got ${ended(waiting)}`);
  narrator.say(`the agent proposes it live: ${waiting.phase}, and nothing happens until a person signs`);
  await refusedToApprove(stage, waiting);
  await approve(stage, waiting);

  const gates = new Gates();
  const rollout = await follow(stage, waiting, { onEvent: gates.see });
  expectThat(rollout.phase === "Succeeded", `expected Succeeded, got ${ended(rollout)}`);
  sayVerified(stage, rollout, gates);
  const url = await invokeUrl(stage, "production");
  narrator.say(`production serves at ${url}`);
  await showPredictions(stage, url, { sample: models.trained.split.holdout, version: models.v5.version });
  return rollout;
}

/** The rows that the model was trained on, their label, and the groups that bias is looked for in. */
async function importBaseline(stage: Stage, train: Dataset): Promise<string> {
  const size = train.featureNames.indexOf("mean_radius");
  const sizes = train.rows.map((row) => row[size] ?? 0).sort((a, b) => a - b);
  const median = sizes[Math.floor(sizes.length / 2)] ?? 0;
  const groups = train.rows.map((row) => ((row[size] ?? 0) > median ? "large" : "small"));
  const header = [...train.featureNames, train.labelName, SIZE_GROUP].join(",");
  const lines = csvRows(train).map((row, at) => `${row},${train.labels[at]},${groups[at]}`);
  const bytes = Buffer.from(`${[header, ...lines].join("\n")}\n`, "utf8");
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  await stage.api.call("artifacts.put", { params: { digest }, body: bytes });
  stage.narrator.say(
    `the monitor's baseline: ${train.rows.length} rows of the training data, ${short(digest)}, encrypted`,
  );
  return `store:${digest}`;
}

/** Nobody asked for a dry run: in production it is what an activation is unless it says otherwise. */
async function dryRunFirst(stage: Stage, plan: PlanInput): Promise<void> {
  const { narrator } = stage;
  const { spec, ...rest } = plan;
  const { dryRun: _unsaid, ...unsaid } = spec;
  const asked = await stage.agent.call("plans.check", { body: { ...rest, spec: unsaid } });
  const dry = await submitDry(stage, { ...rest, spec: unsaid });
  const { decision } = dry;
  narrator.say(
    `a dry run, because the plan says nothing else: ${dry.phase}; risk ${decision.risk}, verification ${decision.verification}, ${money(decision.cost.usdPerHour)}`,
  );
  for (const obligation of asked.obligations)
    if (obligation.kind === "approval") narrator.say(`  needs ${approvalLine(obligation)}`);
  for (const { clause, message } of dry.refusals) narrator.say(`  lacks ${clause.padEnd(6)} ${whatIsMissing(message)}`);
  const dear = await stage.agent.call("plans.check", { body: dearPlan({ ...rest, spec: unsaid }) });
  const people = dear.obligations
    .flatMap(({ kind, role }) => (kind === "approval" && role !== undefined ? [role] : []))
    .sort();
  expectThat(people.length === 2, `expected two people to be needed above $30.00 an hour, got ${people.join()}`);
  narrator.say(`  (at ${money(dear.cost.usdPerHour)} it would need two different people: ${people.join(" and ")})`);
  const { items } = await stage.api.call("endpoints.list", { query: {} });
  const touched = items.some(
    ({ endpoint, planDigest }) => endpoint.environment === "production" && planDigest !== null,
  );
  expectThat(!touched, "expected the dry run to change nothing");
}

/** The agent, and the person who answers for it: neither approves, whatever roles they have. */
async function refusedToApprove(stage: Stage, waiting: Rollout): Promise<void> {
  const { narrator, agent, owner } = stage;
  const byAgent = await refusal(agent, waiting);
  expectThat(byAgent.code === "humans-only" || byAgent.code === "forbidden", `the agent was told ${byAgent.code}`);
  narrator.say(`release-agent tries to approve its own plan: REFUSED (${byAgent.code})`);
  const byOwner = await refusal(owner.api, waiting);
  expectThat(byOwner.code === "own-plan", `the agent's owner was told ${byOwner.code}`);
  narrator.say(`${owner.id}, an approver who answers for the agent, tries: REFUSED (${byOwner.code})`);
}

async function refusal(client: ApiClient, { id }: Rollout): Promise<{ code: string }> {
  try {
    await client.call("approvals.statement", { params: { id }, body: {} });
  } catch (error) {
    if (error instanceof CliError && error.code === "refused") return { code: String(error.details["problem"]) };
    throw error;
  }
  return { code: "nothing: it was allowed" };
}

async function approve(stage: Stage, waiting: Rollout): Promise<void> {
  const { narrator } = stage;
  const ann = await throwawayApprover(stage, "throwaway-ann", ["approver"]);
  narrator.say(`${ann.id}, another person, registers a throwaway key ${short(ann.keyId)} and a throwaway secret`);
  narrator.say("  for one-time codes; both lie in this process's memory alone, and the server never signs for anybody");
  const consent = await ann.approve(waiting);
  narrator.say(`she signs what the statement says, with a one-time code: ${consent.effect}, ${consent.endpoint},`);
  narrator.say(
    `  plan ${short(consent.planDigest)}, policy ${short(consent.policyDigest)}, ${consent.evidence.length} pieces of evidence, until ${consent.notAfter}`,
  );
  await expectSigned(stage, waiting, ann);
}

async function expectSigned(stage: Stage, { id }: Rollout, { id: approver }: ThrowawayApprover): Promise<void> {
  const { approvals } = await stage.api.call("rollouts.get", { params: { id } });
  const [given] = approvals;
  expectThat(
    approvals.length === 1 && given?.approver === approver && given.mfa && given.signed,
    "expected one approval, with MFA and signed",
  );
}
