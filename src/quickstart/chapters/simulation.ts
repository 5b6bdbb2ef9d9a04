import type { OperationOutput } from "../../contract/operations.ts";
import { verifyRolloutProof } from "../../core/audit/verify-rollout-proof.ts";
import type { PlanInput } from "../../core/plan/schema.ts";
import type { RolloutEventView } from "../../surfaces/cli/client.ts";
import { ended, follow, type Rollout } from "../follow.ts";
import { simulatedPlan } from "../plans.ts";
import { expectThat, type Stage } from "../stage.ts";
import { logKeys } from "./audit.ts";
import { money, short, shortened, showFindings } from "./deciding.ts";
import { approvalLine, submit } from "./proposing.ts";

type SimulationStage = Pick<Stage, "narrator" | "api" | "agent">;
type Live = NonNullable<OperationOutput<"plans.check">["live"]>;

/** A simulated production deployment from its plan to its end, and what of it a live plan may use: nothing. */
export async function simulateDeployments(stage: SimulationStage): Promise<void> {
  const plan = simulatedPlan();
  await decideBoth(stage, plan);
  const rollout = await deploySimulated(stage, plan);
  await proposeLive(stage, plan, rollout);
}

async function decideBoth({ narrator, agent }: SimulationStage, plan: PlanInput): Promise<void> {
  narrator.chapter("A production plan for the simulated target: what it reports, and what it would be told for real");
  const { metadata, spec } = plan;
  narrator.say(
    `plan: ${metadata.name} to ${spec.environment}, target ${spec.target}, ${spec.compute.instanceCount} x ${spec.compute.instanceType}; no such model exists`,
  );
  const decision = await agent.call("plans.check", { body: plan });
  const { live } = decision;
  expectThat(decision.simulation && decision.report === "COMPLIANT" && live !== undefined, "expected a simulation");
  narrator.say(
    `report: ${decision.report}, simulation: ${decision.simulation}, decision: ${decision.decision}, ${money(decision.cost.usdPerHour)}`,
  );
  narrator.say(`live, by the same code: ${live.decision.toUpperCase()}, ${live.findings.length} findings`);
  showFindings({ narrator }, { findings: live.findings.filter(({ level }) => level === "deny") });
  for (const obligation of live.obligations)
    if (obligation.kind === "approval") narrator.say(`  it would need ${approvalLine(obligation)}`);
  narrator.say(`  and evidence: ${evidenceOf(live).join(", ")}`);
}

async function deploySimulated(stage: SimulationStage, plan: PlanInput): Promise<Rollout> {
  const { narrator } = stage;
  narrator.chapter("The whole life of the deployment, with mocks for CI, signatures and people");
  const events: RolloutEventView[] = [];
  const onEvent = (event: RolloutEventView) => {
    events.push(event);
    sayMocks(stage, event);
  };
  const rollout = await follow(stage, await submit(stage, plan), { onEvent });
  expectThat(rollout.phase === "Succeeded" && rollout.simulation, `expected Succeeded, got ${ended(rollout)}`);
  const compliant = events.filter(({ simulation, report }) => simulation && report === "COMPLIANT");
  expectThat(compliant.length === events.length, "expected every action to report that it is COMPLIANT and simulated");
  narrator.say(`${compliant.length} of ${events.length} actions report COMPLIANT, each with simulation: true`);
  return rollout;
}

interface MockStep {
  role: string;
  step: "requested" | "decided";
  at: string;
  expiresAt?: string;
  by?: string;
  decision?: string;
}

function sayMocks({ narrator }: SimulationStage, { type, details }: RolloutEventView): void {
  if (type !== "verified") return;
  const mocks = (details["mocks"] ?? []) as string[];
  const evidence = mocks.flatMap((mock) => (mock.startsWith("evidence:") ? [mock.slice("evidence:".length)] : []));
  narrator.say(`  mock CI and mock signatures: ${evidence.join(", ")}`);
  for (const { role, step, expiresAt, by, decision } of (details["mockApprovals"] ?? []) as MockStep[]) {
    const what = step === "requested" ? `requested, expires ${expiresAt}` : `${decision} by ${by}`;
    narrator.say(`  mock approval, ${role}: ${what}`);
  }
}

/** The same plan with the one switch changed: it has another digest, and nothing of the simulation comes with it. */
async function proposeLive(stage: SimulationStage, plan: PlanInput, simulated: Rollout): Promise<void> {
  const { narrator, agent, api } = stage;
  narrator.chapter("The same plan for a real target");
  const live = { ...plan, spec: { ...plan.spec, target: "local" as const } };
  const rollout = await agent.call("plans.submit", { body: { plan: live } });
  expectThat(rollout.phase === "Denied" && !rollout.simulation, `expected Denied, got ${ended(rollout)}`);
  expectThat(rollout.planDigest !== simulated.planDigest, "expected the target to be a part of the digest");
  narrator.say(`digest ${short(rollout.planDigest)}, not ${short(simulated.planDigest)}: ${rollout.phase}`);
  for (const { clause, message } of rollout.refusals) narrator.say(`  ${clause.padEnd(6)} ${shortened(message)}`);
  const { items } = await api.call("evidence.list", { query: {} });
  expectThat(items.length === 0, "expected the simulation to leave no evidence");
  narrator.say(`the simulation left ${items.length} pieces of evidence and ${rollout.approvals.length} approvals`);
  const { proof } = await api.call("audit.prove-rollout", { params: { id: simulated.id } });
  const verdict = verifyRolloutProof(Buffer.from(proof, "utf8"), await logKeys(stage));
  expectThat(verdict.ok, verdict.ok ? "" : `the proof does not hold at ${verdict.at}: ${verdict.reason}`);
  expectThat(verdict.story.simulation, "expected the proof to say that it is of a simulation");
  narrator.say(
    `${verdict.story.checkpoint.size} entries in the signed audit log; its proof says that it is a simulation`,
  );
}

function evidenceOf({ obligations }: Live): string[] {
  return obligations.flatMap(({ kind, of }) => (kind === "evidence" && of !== undefined ? [of] : []));
}
