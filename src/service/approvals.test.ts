import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tickDue } from "../engine/timers.ts";
import { createService } from "./create-service.ts";
import type { Principal } from "./principal.ts";
import { planOf, type ServiceFixture, serviceFixture, type TestPlan } from "./testing/service-fixture.ts";

let on: ServiceFixture;
let robot: Principal;
let ann: Principal;
let bob: Principal;
let olga: Principal;
let owner: Principal;
let artifact: string;

beforeAll(async () => {
  on = await serviceFixture();
  olga = await on.principal("olga", "human", ["proposer", "approver"]);
  robot = await on.principal("robot", "agent", ["proposer"], "olga");
  ann = await on.principal("ann", "human", ["approver"]);
  bob = await on.principal("bob", "human", ["approver"]);
  owner = await on.principal("owen", "human", ["budget-owner"]);
  artifact = await on.artifact("a model");
});
afterAll(() => on.close());

let count = 0;
async function waiting(by = robot, plan: Partial<TestPlan> = {}) {
  count += 1;
  const asked = { artifact, name: `waits-${count}`, environment: "staging" as const, instanceCount: 3, ...plan };
  const rollout = await on.call("plans.submit", by, { body: { plan: planOf(asked) } });
  expect(rollout.phase).toBe("AwaitingApproval");
  return rollout;
}
const approve = (
  by: Principal,
  rollout: { id: string; planDigest: string },
  more: { role?: "approver" | "budget-owner" } = {},
) =>
  on.call("approvals.approve", by, { params: { id: rollout.id }, body: { planDigest: rollout.planDigest, ...more } });

describe("approving", () => {
  test("a person who may lets the rollout go on, and is named", async () => {
    const rollout = await waiting();
    const before = await on.call("approvals.show", ann, { params: { id: rollout.id } });
    expect(before.planDigest).toBe(rollout.planDigest);
    expect(before.needs).toEqual([
      { role: "approver", count: 1, mfa: false, signed: false, given: 0, clauses: expect.arrayContaining(["AO-3"]) },
    ]);
    const approved = await approve(ann, rollout);
    expect(approved).toMatchObject({ phase: "Verifying", approvals: [{ approver: "ann", role: "approver" }] });
    const listed = await on.call("approvals.list", ann);
    expect(listed.items.map(({ rollout: one }) => one.id)).not.toContain(rollout.id);
  });

  test("an agent never approves, whatever roles it were to have", async () => {
    const rollout = await waiting(olga);
    await expect(approve({ ...robot, roles: ["admin", "approver"] }, rollout)).rejects.toMatchObject({
      code: "humans-only",
    });
  });

  test("nobody approves their own plan, nor their agent's", async () => {
    await expect(approve(olga, await waiting(olga))).rejects.toMatchObject({ code: "own-plan" });
    await expect(approve(olga, await waiting(robot))).rejects.toMatchObject({ code: "own-plan" });
  });

  test("who makes an agent and names no owner answers for it", async () => {
    const admin = await on.admin();
    const orphan = await on.principal("orphan", "agent", ["proposer"]);
    await expect(approve(admin, await waiting(orphan))).rejects.toMatchObject({ code: "own-plan" });
  });

  test("the digest must be the one that is approved", async () => {
    const rollout = await waiting();
    const other = { id: rollout.id, planDigest: `sha256:${"0".repeat(64)}` };
    await expect(approve(ann, other)).rejects.toMatchObject({ code: "digest-mismatch" });
  });

  test("a need is met by who holds its role", async () => {
    const rollout = await waiting();
    await expect(approve(owner, rollout)).rejects.toMatchObject({ code: "forbidden" });
    await expect(approve(ann, rollout, { role: "budget-owner" })).rejects.toMatchObject({ code: "forbidden" });
  });

  test("what needs MFA and a signature is refused as such, and goes on waiting", async () => {
    const rollout = await waiting(robot, { environment: "production", instanceCount: 2, dryRun: false });
    expect(rollout.waitingFor).toBe("It waits for 1 approval by an approver with MFA and a signature.");
    await expect(approve(ann, rollout)).rejects.toMatchObject({ code: "signature-required" });
    const after = await on.call("rollouts.get", ann, { params: { id: rollout.id } });
    expect(after).toMatchObject({ phase: "AwaitingApproval", approvals: [] });
  });

  test("an approval comes too late for what has ended", async () => {
    const rollout = await waiting();
    const comment = "too expensive for <someone@example.org>";
    const rejected = await on.call("approvals.reject", ann, { params: { id: rollout.id }, body: { comment } });
    expect(rejected).toMatchObject({ phase: "Rejected", terminal: true });
    await expect(approve(bob, rollout)).rejects.toMatchObject({ code: "not-acceptable-now" });
    const { items } = await on.call("audit.list", ann, { query: { subject: rollout.id } });
    expect(JSON.stringify(items)).not.toContain("example.org");
  });

  test("what is said of a pause stays with its event, and out of the audit log", async () => {
    const rollout = await waiting();
    const admin = await on.admin();
    const body = { comment: "asked by <someone@example.org>" };
    await on.call("rollouts.abort", admin, { params: { id: rollout.id }, body });
    const { rows } = await on.database.query("SELECT payload FROM rollout_events WHERE rollout = $1", [rollout.id]);
    expect(rows).toContainEqual({ payload: expect.objectContaining({ comment: body.comment }) });
    const { items } = await on.call("audit.list", ann, { query: { subject: rollout.id } });
    expect(items.map(({ action }) => action)).toContain("rollout.abort-requested");
    expect(JSON.stringify(items)).not.toContain("example.org");
  });

  test("the world is looked at again: what fitted when it was proposed may not fit any more", async () => {
    const first = await waiting(robot, { instanceType: "ml.m5.xlarge", instanceCount: 40 });
    const second = await waiting(robot, { instanceType: "ml.m5.xlarge", instanceCount: 30 });
    expect(await approve(ann, first)).toMatchObject({ phase: "Verifying" });
    const denied = await approve(ann, second);
    expect(denied.phase).toBe("Denied");
    expect(denied.refusals.map(({ clause }) => clause)).toEqual(["AO-5"]);
  });

  test("a request expires when the operator says, and nothing of it can be approved then", async () => {
    const hasty = createService({ ...on.parts, approvalExpirySeconds: 60 });
    const plan = planOf({ artifact, name: "hasty", environment: "staging", instanceCount: 3 });
    const input = { params: undefined, query: undefined, body: { plan } };
    const rollout = await hasty.call("plans.submit", { principal: robot, input, requestId: "hasty" });
    expect(Date.parse(rollout.expiresAt ?? "") - Date.parse(rollout.createdAt)).toBe(60_000);
    on.clock.offsetMs += 61_000;
    await expect(approve(ann, rollout)).rejects.toMatchObject({ code: "not-acceptable-now" });
    await tickDue(on.workerParts);
    expect(await on.call("rollouts.get", ann, { params: { id: rollout.id } })).toMatchObject({
      ...{ phase: "Expired", reason: { code: "expired" } },
    });
  });

  test("a host that has no room now lets nothing be admitted, and the approval is not spent", async () => {
    const rollout = await waiting(robot, { instanceCount: 4 });
    on.capacity.reason = "The host has 1 GiB left.";
    await expect(approve(ann, rollout)).rejects.toMatchObject({ code: "host-memory" });
    on.capacity.reason = null;
    expect(await approve(ann, rollout)).toMatchObject({ phase: "Verifying" });
  });
});
