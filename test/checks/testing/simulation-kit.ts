import type { PlanInput } from "../../../src/core/plan/schema.ts";
import { mockEvidence } from "../../../src/drivers/signatures/mock/mock-signatures.ts";
import type { SignedKind } from "../../../src/drivers/signatures/signatures.ts";
import type { Target } from "../../../src/drivers/target/target.ts";
import type { Principal } from "../../../src/service/principal.ts";
import { type Approver, approverOn } from "../../../src/service/testing/approver.ts";
import { type EvidenceKit, evidenceKit, planWith } from "../../../src/service/testing/evidence-kit.ts";
import { type ServiceFixture, serviceFixture, type TestPlan } from "../../../src/service/testing/service-fixture.ts";

export type Rollout = Awaited<ReturnType<ServiceFixture["until"]>>;

/** A service with everything that a live plan needs, and plans that differ in their target alone. */
export interface SimulationKit {
  on: ServiceFixture;
  evidence: EvidenceKit;
  admin: Principal;
  /** An agent that proposes. */
  ci: Principal;
  /** A person who operates. */
  oscar: Principal;
  /** A person who approves, with a key and one-time codes. */
  ann: Approver;
  /** Where a live rollout of the fixture takes effect. */
  local: Target;
  /** A live plan, and the same with the one switch changed. */
  twins(plan?: Partial<TestPlan>): Promise<{ live: PlanInput; simulated: PlanInput }>;
  submit(plan: PlanInput): Promise<Rollout>;
  /** Does something while no worker is there, then lets one bring the rollout to its end. */
  ending(work: () => Promise<{ id: string }>): Promise<Rollout>;
  simulate(plan: PlanInput): Promise<Rollout>;
}

const ENDED = ["Denied", "Succeeded", "Failed", "RolledBack", "DryRunCompleted", "Superseded", "Aborted"];
const BASELINE = "a,b,churned,gender\n1,2,0,f\n3,4.5,1,m\n";

export async function simulationKit(): Promise<SimulationKit> {
  const on = await serviceFixture();
  const evidence = await evidenceKit(on);
  await on.principal("olga", "human", ["proposer", "approver"]);
  const ci = await on.principal("ci", "agent", ["proposer"], "olga");
  const local = on.parts.targets.get("local");
  if (local === undefined) throw new Error("the fixture has a local target");
  let made = 0;
  const submit = (plan: PlanInput) => on.call("plans.submit", ci, { body: { plan } });
  const ending: SimulationKit["ending"] = async (work) => {
    const { id } = await work();
    const worker = await on.worker();
    try {
      return await on.until(id, ENDED);
    } finally {
      await worker.stop(2000);
    }
  };
  return {
    ...{ on, evidence, ci, local, submit, ending },
    admin: await on.admin(),
    oscar: await on.principal("oscar", "human", ["operator"]),
    ann: await approverOn(on, "ann", ["approver"]),
    twins: async (plan = {}) => {
      made += 1;
      const artifact = await evidence.model(`attacked ${made}`);
      const table = plan.environment === "production" ? await evidence.table(BASELINE) : undefined;
      const live = planWith({ artifact, name: `attacked-${made}`, dryRun: false, ...plan }, table);
      return { live, simulated: { ...live, spec: { ...live.spec, target: "simulated" } } };
    },
    simulate: async (plan) => {
      const done = await ending(() => submit(plan));
      if (!done.simulation || done.decision.report !== "COMPLIANT") throw new Error(`${done.id} is no simulation`);
      return done;
    },
  };
}

export const clauses = ({ refusals }: Pick<Rollout, "refusals">) => refusals.map(({ clause }) => clause);
export const artifactOf = (plan: PlanInput) => plan.spec.model.artifact.slice("store:".length);

/** What a mock says of a subject, as somebody would hand it in. */
export function mockOf(kind: SignedKind, subject: string): Record<string, unknown> {
  return JSON.parse(mockEvidence(kind, subject)) as Record<string, unknown>;
}
