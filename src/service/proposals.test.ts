import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Principal } from "./principal.ts";
import { BROKEN, planOf, type ServiceFixture, serviceFixture, type TestPlan } from "./testing/service-fixture.ts";

let on: ServiceFixture;
let robot: Principal;
let admin: Principal;
let artifact: string;

beforeAll(async () => {
  on = await serviceFixture();
  admin = await on.admin();
  robot = await on.principal("robot", "agent", ["proposer", "operator"]);
  artifact = await on.artifact("a model whose tests passed");
  await on.worker();
});
afterAll(() => on.close());

const submit = (plan: Partial<TestPlan>, more: { supersede?: boolean } = {}, by = robot) =>
  on.call("plans.submit", by, { body: { plan: planOf({ artifact, ...plan }), ...more } });

describe("proposing", () => {
  test("a plan that nothing forbids goes through its gates to the end", async () => {
    const rollout = await submit({ name: "whole" });
    expect(rollout).toMatchObject({
      proposer: "robot",
      dryRun: false,
      decision: { decision: "allow", source: "server" },
    });
    const ended = await on.until(rollout.id, ["Succeeded", "Failed", "RolledBack", "Denied"]);
    expect(ended).toMatchObject({ phase: "Succeeded", reason: null, refusals: [] });
    const [endpoint] = (await on.call("endpoints.list", robot)).items.filter((one) => one.endpoint.name === "whole");
    expect(endpoint).toMatchObject({
      liveRollout: rollout.id,
      activeRollout: null,
      instanceCount: 1,
      usdPerHour: 0.115,
    });
  });

  test("a plan that is denied is stored with every finding, and starts nothing", async () => {
    const rollout = await submit({ name: "wrong", instanceType: "ml.g5.xlarge", environment: "staging" });
    expect(rollout).toMatchObject({ phase: "Denied", terminal: true, decision: { decision: "deny" } });
    expect(rollout.refusals.map(({ clause }) => clause)).toContain("AO-2");
    const read = await on.call("rollouts.get", robot, { params: { id: rollout.id } });
    expect(read).toEqual({ ...rollout, verdict: null, watch: null });
  });

  test("an artifact that another tenant has is denied like one that does not exist", async () => {
    const bytes = Buffer.from("another tenant's model");
    const { digest } = await on.artifacts.put("somebody-else", bytes);
    const theirs = await submit({ name: "theirs", artifact: `store:${digest}` });
    const nobodys = await submit({ name: "theirs", artifact: `store:sha256:${"0".repeat(64)}` });
    for (const rollout of [theirs, nobodys]) {
      expect(rollout.phase).toBe("Denied");
      expect(rollout.refusals.map(({ clause }) => clause)).toEqual(["P5"]);
    }
    const message = ({ refusals }: typeof theirs) => refusals[0]?.message.replaceAll(/[0-9a-f]{64}/g, "DIGEST");
    expect(message(theirs)).toBe(message(nobodys));
  });

  test("a file: reference means nothing to a server", async () => {
    const wrong = submit({ artifact: "file:./model.onnx" });
    await expect(wrong).rejects.toMatchObject({
      code: "malformed-request",
      details: { pointer: "/plan/spec/model/artifact" },
    });
  });

  test("a target without a driver is refused before anything is stored", async () => {
    await expect(submit({ target: "braket", name: "nowhere" })).rejects.toMatchObject({ code: "target-not-available" });
    expect((await on.call("rollouts.list", robot, { query: { name: "nowhere" } })).items).toEqual([]);
  });

  test("a host without room is told before admission, and a denial comes first", async () => {
    on.capacity.reason = "The host has 1 GiB left.";
    try {
      await expect(submit({ name: "big" })).rejects.toMatchObject({
        code: "host-memory",
        message: "The host has 1 GiB left.",
      });
      expect(await submit({ name: "big", instanceType: "ml.m5.xlarge" })).toMatchObject({ phase: "Denied" });
      expect(await submit({ name: "big", dryRun: true })).toMatchObject({ dryRun: true });
    } finally {
      on.capacity.reason = null;
    }
  });

  test("a dry run says what is missing, changes nothing, and is not the live rollout of the same plan", async () => {
    const plan = { name: "tried", environment: "staging" as const };
    const dry = await submit({ ...plan, dryRun: true });
    const ended = await on.until(dry.id, ["DryRunCompleted", "Denied", "Failed"]);
    expect(ended.phase).toBe("DryRunCompleted");
    expect(ended.refusals.map(({ clause }) => clause)).toContain("CP-1");
    expect((await on.call("endpoints.list", robot)).items.map(({ endpoint }) => endpoint.name)).not.toContain("tried");
    const live = await submit(plan);
    expect(live.id).not.toBe(dry.id);
    expect(live.planDigest).toBe(dry.planDigest);
  });

  test("checking stores nothing and decides as the server does", async () => {
    const before = (await on.call("rollouts.list", admin)).items.length;
    const decision = await on.call("plans.check", robot, { body: planOf({ artifact, environment: "production" }) });
    expect(decision).toMatchObject({ decision: "needs-approval", source: "server", unchecked: [] });
    expect(decision).not.toHaveProperty("refusals");
    const status = (of: string) => decision.obligations.find((one) => one.of === of)?.status;
    expect([status("tests"), status("encryption"), status("provenance")]).toEqual(["met", "met", "missing"]);
    expect((await on.call("rollouts.list", admin)).items.length).toBe(before);
  });
});

describe("what is under way", () => {
  test("the same plan again is the rollout that runs", async () => {
    const plan = { name: "same", environment: "staging" as const, instanceCount: 3 };
    const first = await submit(plan);
    expect(first).toMatchObject({ phase: "AwaitingApproval", waitingFor: "It waits for 1 approval by an approver." });
    expect((await submit(plan, {}, admin)).id).toBe(first.id);
    expect((await submit({ ...plan, version: "2" })).id).not.toBe(first.id);
  });

  test("what waits is superseded by a plan that asks for it, and not by one that is denied", async () => {
    const plan = { name: "replaced", environment: "staging" as const, instanceCount: 3 };
    const first = await submit(plan);
    await submit({ ...plan, instanceType: "ml.g5.xlarge", version: "2" }, { supersede: true });
    expect(await on.call("rollouts.get", robot, { params: { id: first.id } })).toMatchObject({
      phase: "AwaitingApproval",
    });
    const second = await submit({ ...plan, version: "3" }, { supersede: true });
    expect(second.phase).toBe("AwaitingApproval");
    const superseded = await on.call("rollouts.get", robot, { params: { id: first.id } });
    expect(superseded).toMatchObject({ phase: "Superseded", reason: { code: "superseded" } });
  });

  test("another plan waits until the endpoint is free, then runs", async () => {
    const first = await submit({ name: "queue", version: "1" });
    const second = await submit({ name: "queue", version: "2" });
    await on.until(first.id, ["Succeeded"]);
    expect(await on.until(second.id, ["Succeeded"])).toMatchObject({ phase: "Succeeded" });
  });
});

describe("going back", () => {
  test("a rollout that succeeded is undone by a rollout of the plan before it", async () => {
    const first = await submit({ name: "back", version: "1" });
    await on.until(first.id, ["Succeeded"]);
    const none = on.call("rollouts.rollback", robot, { params: { id: first.id } });
    await expect(none).rejects.toMatchObject({ code: "not-acceptable-now" });
    const second = await submit({ name: "back", version: "2" });
    expect((await on.until(second.id, ["Succeeded"])).allowedActions).toEqual(["rollback"]);
    const back = await on.call("rollouts.rollback", robot, { params: { id: second.id } });
    expect(back).toMatchObject({ restores: second.id, planDigest: first.planDigest, dryRun: false });
    await on.until(back.id, ["Succeeded"]);
    const at = { environment: "development", target: "local", name: "back" } as const;
    expect(await on.call("endpoints.get", robot, { params: at })).toMatchObject({
      liveRollout: back.id,
      model: { version: "1" },
    });
    // The rollback is a rollout like any other, and can be rolled back itself.
    const forth = await on.call("rollouts.rollback", robot, { params: { id: back.id } });
    await on.until(forth.id, ["Succeeded"]);
    expect(await on.call("endpoints.get", robot, { params: at })).toMatchObject({ model: { version: "2" } });
    const stale = on.call("rollouts.rollback", robot, { params: { id: second.id } });
    await expect(stale).rejects.toMatchObject({ code: "not-acceptable-now" });
  });

  test("after three rollbacks within the hour the breaker opens, and a person closes it", async () => {
    on.behaviour.set("broken", BROKEN);
    const at = { environment: "development", target: "local", name: "breaks" } as const;
    const good = await submit({ name: "breaks", version: "good" });
    await on.until(good.id, ["Succeeded"]);
    // What somebody stops is no failure of the version: it counts for nothing.
    const stopped = await submit({ name: "breaks", version: "stopped" });
    await on.database.query(
      `UPDATE rollouts SET phase = 'RolledBack', state = jsonb_set(state, '{reason}', '{"code":"aborted","message":""}')
       WHERE id = $1`,
      [(await on.until(stopped.id, ["Succeeded"])).id],
    );
    expect(await on.call("breakers.show", robot, { params: at })).toMatchObject({ state: "closed", failures: 0 });
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      const bad = await submit({ name: "breaks", version: "broken" });
      expect(await on.until(bad.id, ["RolledBack", "Succeeded"])).toMatchObject({ phase: "RolledBack" });
    }
    expect(await on.call("breakers.show", robot, { params: at })).toMatchObject({
      state: "open",
      failures: 3,
      limit: 3,
    });
    const denied = await submit({ name: "breaks", version: "better" });
    expect(denied).toMatchObject({ phase: "Denied" });
    expect(denied.refusals.map(({ clause }) => clause)).toEqual(["P7"]);
    // An agent that operates may not close it; a person may.
    await expect(on.call("breakers.reset", robot, { params: at })).rejects.toMatchObject({ code: "humans-only" });
    expect(await on.call("breakers.reset", admin, { params: at })).toMatchObject({ state: "closed", failures: 0 });
    const better = await submit({ name: "breaks", version: "better" });
    expect(await on.until(better.id, ["Succeeded", "Denied"])).toMatchObject({ phase: "Succeeded" });
  });
});
