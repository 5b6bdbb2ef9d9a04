import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PlanInput } from "../../src/core/plan/schema.ts";
import { ask, Traffic } from "../../src/quickstart/traffic.ts";
import { brokenModel } from "../../src/serving/testing/test-models.ts";
import type { ApiClient } from "../../src/surfaces/cli/client.ts";
import type { RolloutDetail } from "../../src/surfaces/cli/follow-rollout.ts";
import { runForTest } from "../../src/surfaces/cli/testing/run-for-test.ts";
import { type Continuum, startContinuum } from "./testing/continuum.ts";
import { deploy, ended, importModel, planOf as planOfModel, submit, trustedKey, until } from "./testing/deployables.ts";

// What people, agents and the clock do to rollouts of real models on the local target. One installation serves all;
// the stories have endpoints of their own and run side by side, since most of their time is waiting.

let on: Continuum;
let admin: ApiClient;
let agent: ApiClient;
let bob: ApiClient;
const models = new Map<string, string>();

beforeAll(async () => {
  on = await startContinuum();
  admin = on.admin;
  const key = await trustedKey(admin);
  for (const bias of [1, 2, 3, 4]) models.set(`${bias}.0.0`, await importModel(admin, { bias }, key));
  models.set("broken", await importModel(admin, { bytes: brokenModel() }, key));
  models.set("unproven", await importModel(admin, { bias: 9 }));
  await on.as({ principal: "ann", kind: "human", roles: ["approver"] });
  agent = await on.as({ principal: "ann-agent", kind: "agent", owner: "ann", roles: ["proposer", "operator"] });
  bob = await on.as({ principal: "bob", kind: "human", roles: ["approver"] });
});
afterAll(() => on?.clear());

function planOf(name: string, version: string, changes: Parameters<typeof planOfModel>[2] = {}): PlanInput {
  return planOfModel(name, { version, artifact: models.get(version) ?? "" }, changes);
}

/** A bake that nobody lives to see the end of: whatever happens next is what the test does. */
const HELD = { rollout: { stepPercent: 50, bakeSeconds: 300, deadlineSeconds: 900 } };
const ONE_STEP = { rollout: { ...HELD.rollout, strategy: "all-at-once" as const } };

const act = (verb: "pause" | "resume" | "promote" | "abort" | "rollback", id: string) =>
  admin.call(`rollouts.${verb}`, { params: { id }, body: {} });
const baking = (id: string, percent: number) =>
  until(admin, id, ({ phase, weightPercent }) => phase === "Baking" && weightPercent === percent);
const at = (name: string) => ({ environment: "development", target: "local", name }) as const;
const urlOf = (name: string) => `${on.servingUrl}/endpoints/development-${name}/invocations`;
const invoke = (name: string) => ask({ url: urlOf(name), token: on.invokeToken, body: "1,2,3\n" });
const refused = (problem: string) => expect.objectContaining({ details: expect.objectContaining({ problem }) });
const continuum = (command: string) =>
  runForTest([...command.split(" "), "--data-dir", on.dataDir], { folder: on.folder });

/** Until a person ends its bake, there being no traffic that a verdict could come from. */
async function deployByHand(plan: PlanInput): Promise<RolloutDetail> {
  return finishByHand((await submit(agent, plan)).id);
}

async function finishByHand(id: string): Promise<RolloutDetail> {
  await baking(id, 100);
  await act("promote", id);
  return ended(admin, id);
}

async function clear(name: string): Promise<void> {
  await admin.call("endpoints.delete", { params: at(name) });
}

function underTraffic<T>(name: string, bodies: string[], work: (traffic: Traffic) => Promise<T>): Promise<T> {
  const traffic = new Traffic({ url: urlOf(name), token: on.invokeToken, bodies, connections: 2, ratePerSecond: 150 });
  return work(traffic).finally(() => traffic.stop());
}

describe.concurrent("a rollout on the local target", () => {
  test("is paused, resumed, promoted and aborted by hand; a second plan waits its turn; a third replaces it", async () => {
    await deploy(agent, planOf("steered", "1.0.0"));
    const second = await submit(agent, planOf("steered", "2.0.0", HELD));
    await baking(second.id, 50);
    expect(await submit(agent, planOf("steered", "2.0.0", HELD))).toMatchObject({ id: second.id });
    const third = await submit(agent, planOf("steered", "3.0.0", HELD));
    expect(third).toMatchObject({ phase: "Queued", waitingFor: expect.stringMatching(/\w/) });

    expect(await act("pause", second.id)).toMatchObject({ phase: "Paused", weightPercent: 50 });
    await expect(act("pause", second.id)).rejects.toEqual(refused("not-acceptable-now"));
    expect(await act("resume", second.id)).toMatchObject({ phase: "Baking" });
    await expect(agent.call("rollouts.promote", { params: { id: second.id }, body: {} })).rejects.toEqual(
      refused("humans-only"),
    );
    await act("promote", second.id);
    expect(await finishByHand(second.id)).toMatchObject({ phase: "Succeeded" });
    expect(await invoke("steered")).toMatchObject({ status: 200, version: "2.0.0" });

    await baking(third.id, 50);
    const fourth = await submit(agent, planOf("steered", "4.0.0", HELD), true);
    expect(await ended(admin, third.id)).toMatchObject({ phase: "RolledBack", reason: { code: "superseded" } });
    await baking(fourth.id, 50);
    await act("abort", fourth.id);
    expect(await ended(admin, fourth.id)).toMatchObject({ phase: "RolledBack", reason: { code: "aborted" } });
    expect(await invoke("steered")).toMatchObject({ version: "2.0.0" });
    expect((await continuum(`rollout watch ${second.id}`)).code).toBe(0);
    expect((await continuum(`rollout watch ${fourth.id}`)).code).toBe(4);
    await clear("steered");
  });

  test("that succeeded is undone by restoring what ran before it, and that again", async () => {
    await deployByHand(planOf("restored", "1.0.0", ONE_STEP));
    const second = await deployByHand(planOf("restored", "2.0.0", ONE_STEP));
    expect(await invoke("restored")).toMatchObject({ version: "2.0.0" });
    const back = await act("rollback", second.id);
    expect(back).toMatchObject({ restores: second.id, model: { version: "1.0.0" } });
    expect(await finishByHand(back.id)).toMatchObject({ phase: "Succeeded" });
    expect(await invoke("restored")).toMatchObject({ version: "1.0.0" });
    await expect(act("rollback", second.id)).rejects.toEqual(refused("not-acceptable-now"));
    const forth = await act("rollback", back.id);
    expect(await finishByHand(forth.id)).toMatchObject({ phase: "Succeeded", restores: back.id });
    expect(await invoke("restored")).toMatchObject({ version: "2.0.0" });
    await clear("restored");
  });

  test("goes up in even steps when it is linear, each step judged by real traffic", async () => {
    await deploy(agent, planOf("linear", "1.0.0"));
    const linear = { strategy: "linear" as const, stepPercent: 40, bakeSeconds: 1, deadlineSeconds: 60 };
    await underTraffic("linear", ["1,2,3\n"], async (traffic) => {
      const { id } = await submit(agent, planOf("linear", "2.0.0", { rollout: linear }));
      expect(await ended(admin, id)).toMatchObject({ phase: "Succeeded" });
      const shifts: number[] = [];
      for await (const { type, weightPercent } of admin.events(id, { after: 0 }))
        if (type === "shifted") shifts.push(weightPercent);
      expect(shifts).toEqual([40, 80, 100]);
      expect(traffic.summary()).toMatchObject({ failed: 0 });
    });
    await clear("linear");
  });

  test("that is not done by its deadline rolls back", async () => {
    await deploy(agent, planOf("late", "1.0.0"));
    const late = { ...HELD.rollout, deadlineSeconds: 2 };
    const { id, decision } = await submit(agent, planOf("late", "2.0.0", { rollout: late }));
    expect(decision.findings).toContainEqual(expect.objectContaining({ clause: "P6", level: "advise" }));
    const { phase, reason } = await ended(admin, id);
    expect({ phase, code: reason?.code }).toEqual({ phase: "RolledBack", code: "deadline" });
    expect(await invoke("late")).toMatchObject({ version: "1.0.0" });
    await clear("late");
  });

  test("that fails three times opens the breaker, and only a person closes it", async () => {
    await deploy(agent, planOf("breaks", "1.0.0"));
    const plan = planOf("breaks", "broken", HELD);
    await underTraffic("breaks", ["5,5,5\n"], async () => {
      for (const _ of [1, 2, 3]) expect(await deploy(agent, plan)).toMatchObject({ phase: "RolledBack" });
    });
    expect(await submit(agent, plan)).toMatchObject({ phase: "Denied", refusals: [{ clause: "P7" }] });
    expect(await admin.call("breakers.show", { params: at("breaks") })).toMatchObject({ state: "open", failures: 3 });
    const reset = (by: ApiClient) => by.call("breakers.reset", { params: at("breaks"), body: {} });
    await expect(reset(agent)).rejects.toEqual(refused("humans-only"));
    expect(await reset(admin)).toMatchObject({ state: "closed", failures: 0 });
    const again = await submit(agent, planOf("breaks", "2.0.0", ONE_STEP));
    expect(await finishByHand(again.id)).toMatchObject({ phase: "Succeeded" });
    await clear("breaks");
  });

  test("leaves an endpoint that is scaled and deleted, the latter by people only", async ({ expect }) => {
    await deploy(agent, planOf("sized", "1.0.0"));
    const scaled = await agent.call("endpoints.scale", { params: at("sized"), body: { instanceCount: 2 } });
    expect(scaled).toMatchObject({ instanceCount: 2, variants: [{ replicas: { wanted: 2, healthy: 2 } }] });
    await expect(agent.call("endpoints.scale", { params: at("sized"), body: { instanceCount: 1000 } })).rejects.toEqual(
      refused("denied"),
    );
    await expect(agent.call("endpoints.delete", { params: at("sized") })).rejects.toEqual(refused("humans-only"));
    expect(await admin.call("endpoints.delete", { params: at("sized") })).toEqual({ deleted: true });
    expect(await invoke("sized")).toMatchObject({ status: 404 });
    // Entries are listed once they have their place in the tree, a moment after they were made.
    const actions = async () => {
      const { items } = await admin.call("audit.list", { query: { subject: "development/local/sized" } });
      return items.map(({ action }) => action);
    };
    await expect.poll(actions).toEqual(expect.arrayContaining(["endpoint.scale", "endpoint.delete"]));
  });
});

describe.concurrent("a rollout that may not go on", () => {
  test("is denied at verify without test evidence, and when it names an image, each by its clause", async () => {
    const unproven = await deploy(agent, planOf("unproven", "unproven"));
    expect(unproven).toMatchObject({ phase: "Denied", refusals: [{ clause: "CP-5" }] });
    const plan = planOf("unproven", "1.0.0");
    const image = `registry.example/churn@sha256:${"a".repeat(64)}`;
    const imaged = await deploy(agent, { ...plan, spec: { ...plan.spec, model: { ...plan.spec.model, image } } });
    expect(imaged).toMatchObject({ phase: "Denied", refusals: [{ clause: "CP-6" }] });
    expect((await continuum(`rollout watch ${unproven.id}`)).code).toBe(2);
    expect(await invoke("unproven")).toMatchObject({ status: 404 });
  });

  test("in staging with three instances waits for a person who neither proposed it nor answers for who did", async () => {
    const staging = { environment: "staging" as const, compute: { instanceType: "ml.m5.large", instanceCount: 3 } };
    const waits = await submit(agent, planOf("three", "1.0.0", staging));
    expect(waits).toMatchObject({ phase: "AwaitingApproval", decision: { decision: "needs-approval" } });
    const approve = (by: ApiClient, planDigest = waits.planDigest) =>
      by.call("approvals.approve", { params: { id: waits.id }, body: { planDigest } });
    await expect(approve(agent)).rejects.toEqual(refused("humans-only"));
    const ann = await on.as({ principal: "ann", kind: "human", roles: ["approver"] });
    await expect(approve(ann)).rejects.toEqual(refused("own-plan"));
    await expect(approve(bob, `sha256:${"0".repeat(64)}`)).rejects.toEqual(refused("digest-mismatch"));
    expect(await approve(bob)).toMatchObject({ approvals: [{ approver: "bob", role: "approver" }] });
    // What else staging needs cannot be given yet, and is named.
    const { phase, refusals } = await ended(admin, waits.id);
    expect(phase).toBe("Denied");
    expect(refusals.map(({ clause }) => clause)).not.toContain("AO-3");
    expect(refusals.length).toBeGreaterThan(0);
  });

  test("in production is a dry run unless it says otherwise, and live it waits for a person's own signature", async () => {
    const production = {
      environment: "production" as const,
      compute: { instanceType: "ml.m5.xlarge", instanceCount: 2 },
      monitor: {
        baseline: `store:${models.get("1.0.0")}`,
        dataDrift: {},
        modelQuality: { label: "churned", problem: "binary" as const },
        bias: { facet: "gender", favoured: ["f"] },
      },
    };
    const plan = planOf("live", "1.0.0", production);
    const rehearsal = await deploy(agent, plan);
    expect(rehearsal).toMatchObject({ phase: "DryRunCompleted", dryRun: true });
    expect(rehearsal.refusals.length).toBeGreaterThan(0);
    const live = await submit(agent, { ...plan, spec: { ...plan.spec, dryRun: false } });
    expect(live).toMatchObject({ phase: "AwaitingApproval", dryRun: false, planDigest: rehearsal.planDigest });
    const approve = bob.call("approvals.approve", {
      params: { id: live.id },
      body: { planDigest: live.planDigest },
    });
    await expect(approve).rejects.toEqual(refused("signature-required"));
    const body = { comment: "not this week" };
    expect(await bob.call("approvals.reject", { params: { id: live.id }, body })).toMatchObject({ phase: "Rejected" });
    expect((await continuum(`rollout watch ${live.id}`)).code).toBe(2);
    const { items } = await admin.call("endpoints.list", { query: { environment: "production" } });
    expect(items.filter(({ endpoint, liveRollout }) => endpoint.target === "local" && liveRollout !== null)).toEqual(
      [],
    );
  });

  test("that the host has no memory for is refused with the figures", async () => {
    const plan = planOf("huge", "1.0.0", { compute: { instanceType: "ml.m5.large", instanceCount: 850 } });
    const submitted = submit(agent, plan);
    await expect(submitted).rejects.toEqual(refused("host-memory"));
    await expect(submitted).rejects.toThrow(/435200 MiB/);
  });

  test("is compliant when it is simulated, and says what it would be in earnest", async () => {
    const simulated = { environment: "production" as const, target: "simulated" as const, dryRun: false };
    const story = await deploy(agent, planOf("story", "1.0.0", simulated));
    expect(story).toMatchObject({ phase: "Succeeded", simulation: true, decision: { report: "COMPLIANT" } });
    expect(story.decision).toMatchObject({ decision: "allow", simulation: true, live: { decision: "deny" } });
    const clauses = story.decision.live?.findings.filter(({ level }) => level === "deny").map(({ clause }) => clause);
    expect(clauses).toEqual(expect.arrayContaining(["AO-9"]));
  });
});

test("plans that fit the budget alone and not together never all pass, however they come in", async () => {
  const workers = ["worker-1", "worker-2"].map((name) => on.processes.pidOf(name));
  const staging = {
    environment: "staging" as const,
    compute: { instanceType: "ml.m5.xlarge", instanceCount: 2 },
  };
  // Nobody verifies in the meantime: what was admitted keeps its part of the sum.
  for (const pid of workers) process.kill(pid, "SIGSTOP");
  try {
    const all = Array.from({ length: 36 }, (_, index) => submit(agent, planOf(`part-${index}`, "1.0.0", staging)));
    const rollouts = await Promise.all(all);
    const denied = rollouts.filter(({ phase }) => phase === "Denied");
    // 32 plans of $0.46 an hour are $14.72; the 33rd would be over $15.
    expect(denied).toHaveLength(4);
    for (const { refusals } of denied) expect(refusals.map(({ clause }) => clause)).toEqual(["AO-5"]);
  } finally {
    for (const pid of workers) process.kill(pid, "SIGCONT");
  }
});

test("the log of all this verifies, and the stop leaves nothing behind", async () => {
  expect(await admin.call("audit.verify", {})).toMatchObject({ ok: true });
  expect(await on.stop()).toEqual({ code: 0, left: [] });
});
