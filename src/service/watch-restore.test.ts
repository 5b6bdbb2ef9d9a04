import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseVerifierKeys } from "../core/audit/verifier-key.ts";
import { verifyRolloutProof } from "../core/audit/verify-rollout-proof.ts";
import type { PlanInput } from "../core/plan/schema.ts";
import { recordEvaluations } from "../engine/alarms/record-evaluations.ts";
import type { Principal } from "./principal.ts";
import { type Approver, type EvidenceKit, evidenceKit, planWith } from "./testing/evidence-kit.ts";
import { type ServiceFixture, serviceFixture } from "./testing/service-fixture.ts";

// In production, where everything is owed: the way back from a version in its watch period, at three in the morning.

let on: ServiceFixture;
let kit: EvidenceKit;
let ci: Principal;
let admin: Principal;
let ann: Approver;
beforeAll(async () => {
  on = await serviceFixture();
  kit = await evidenceKit(on);
  ci = await on.principal("ci", "service", ["proposer", "operator"]);
  admin = await on.admin();
  ann = await kit.approver("ann");
  await on.worker();
});
afterAll(() => on.close());

const ENDED = ["Denied", "Succeeded", "Failed", "RolledBack", "DryRunCompleted", "Superseded"];
const HOUR_MS = 3_600_000;
type Rollout = Awaited<ReturnType<ServiceFixture["until"]>>;

async function deployed(name: string, version: string): Promise<Rollout> {
  const artifact = await kit.model(`${name} ${version}`);
  const table = await kit.table("a,b,churned,gender\n1,2,0,f\n3,4.5,1,m\n");
  const plan = planWith({ artifact, name, version, environment: "production", dryRun: false }, table);
  plan.spec.monitor = { ...plan.spec.monitor, watch: { seconds: 72 * 3600 } };
  await kit.giveEvidence(plan);
  const submit = (asked: PlanInput) => on.call("plans.submit", ci, { body: { plan: asked } });
  const dry = await submit({ ...plan, spec: { ...plan.spec, dryRun: true } });
  expect((await on.until(dry.id, ENDED)).phase).toBe("DryRunCompleted");
  const waiting = await submit(plan);
  expect(waiting.phase).toBe("AwaitingApproval");
  await ann.approve(waiting);
  const done = await on.until(waiting.id, ENDED);
  expect(done, JSON.stringify(done.refusals)).toMatchObject({ phase: "Succeeded" });
  return done;
}

async function alarm({ id: variant, endpoint }: Rollout): Promise<void> {
  const raised = { alarm: "DataDriftAlarm", state: "ALARM", atMs: on.parts.nowMs(), figures: [] } as const;
  const evaluations = [{ ...raised, reason: "DataDriftAlarm: age moved by 0.4 deviations" }];
  await recordEvaluations(on.workerParts, { tenant: "default", endpoint, variant, evaluations });
}

async function restoreOf({ id }: Rollout): Promise<Rollout> {
  for (const endMs = Date.now() + 10_000; ; ) {
    const { watch } = await on.call("rollouts.get", admin, { params: { id } });
    if (watch?.restore != null) return on.call("rollouts.get", admin, { params: { id: watch.restore } });
    if (Date.now() > endMs) throw new Error("nothing brings back what ran before");
  }
}

describe("an alarm in the watch period of a production endpoint", () => {
  test("brings back what ran before by the approval of what it undoes, past the gates, with nobody awake", async () => {
    const first = await deployed("night", "1");
    const second = await deployed("night", "2");
    expect(second.watch).toMatchObject({
      ...{ over: false, onAlarm: "rollback", whyAsk: null, restore: null, waitsFor: null },
      alarms: ["ModelMonitorAlarm", "DataDriftAlarm"],
    });
    expect(first.watch).toMatchObject({ onAlarm: "ask", whyAsk: "nothing ran before it" });
    // Dry run and approval statement are older than what a new deployment may go by.
    on.clock.offsetMs += 40 * HOUR_MS;
    await alarm(second);
    const begun = await restoreOf(second);
    const back = await on.until(begun.id, ENDED);
    expect(back, JSON.stringify([back.reason, back.refusals])).toMatchObject({
      ...{ phase: "Succeeded", proposer: "system", restores: second.id, planDigest: first.planDigest },
      approvals: [{ approver: "ann", role: "approver", mfa: true, signed: true, wayBack: true }],
    });
    const { items } = await on.call("audit.list", admin, { query: { subject: back.id } });
    expect(items[0]).toMatchObject({
      actor: "system",
      action: "rollout.proposed",
      details: { alarm: "DataDriftAlarm" },
    });
    // The story that anybody can check holds, and tells of no approval that was not given for it.
    const { proof } = await on.call("audit.prove-rollout", admin, { params: { id: back.id } });
    const keys = parseVerifierKeys((await on.call("audit.keys", admin)).keys.map(({ vkey }) => vkey).join("\n"));
    const story = verifyRolloutProof(Buffer.from(proof), keys.ok ? keys.value : []);
    expect(story, JSON.stringify(story)).toMatchObject({ ok: true });
    const left = await on.call("rollouts.get", admin, { params: { id: second.id } });
    expect(left.watch).toMatchObject({ over: true, restore: back.id, waitsFor: null });
  });

  test("waits for a person where that approval counts no more", async () => {
    await deployed("gone", "1");
    const second = await deployed("gone", "2");
    await on.database.query("UPDATE principals SET roles = '{viewer}' WHERE id = 'ann'");
    await alarm(second);
    const waiting = await restoreOf(second);
    expect(waiting).toMatchObject({ phase: "AwaitingApproval", approvals: [] });
    const left = await on.call("rollouts.get", admin, { params: { id: second.id } });
    expect(left.watch).toMatchObject({ over: false, waitsFor: `The restore ${waiting.id} waits for approvals.` });
    await on.database.query("UPDATE principals SET roles = '{approver}' WHERE id = 'ann'");
    await ann.approve(waiting);
    const back = await on.until(waiting.id, ENDED);
    expect(back, JSON.stringify(back.refusals)).toMatchObject({ phase: "Succeeded" });
  });

  test("goes no way that the policy denies, and says so", async () => {
    const first = await deployed("lost", "1");
    const second = await deployed("lost", "2");
    const evidence = await on.call("evidence.list", admin, { query: { limit: 200 } });
    const digest = String((first.plan as { spec: { model: { artifact: string } } }).spec.model.artifact).slice(6);
    const tests = evidence.items.find((one) => one.subjectDigest === digest && one.kind === "tests");
    await on.call("evidence.revoke", admin, { params: { id: tests?.id ?? "" }, body: { reason: "The tests lied." } });
    await alarm(second);
    const begun = await restoreOf(second);
    expect(await on.until(begun.id, ENDED)).toMatchObject({ phase: "Denied" });
    const left = await on.call("rollouts.get", admin, { params: { id: second.id } });
    expect(left.watch?.waitsFor).toBe(
      `The restore ${begun.id} ended: Denied. This version serves on until a person decides.`,
    );
    const at = { environment: "production", target: "local", name: "lost" } as const;
    expect((await on.call("endpoints.get", admin, { params: at })).liveRollout).toBe(second.id);
  });
});
