import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyStoredApprovals } from "../engine/approval-check.ts";
import { readRollout } from "../store/queries/rollouts.ts";
import type { Principal } from "./principal.ts";
import { type Approver, approverOn } from "./testing/approver.ts";
import { planOf, type ServiceFixture, serviceFixture, type TestPlan } from "./testing/service-fixture.ts";

let on: ServiceFixture;
let admin: Principal;
let olga: Principal;
let gus: Approver;
let ann: Approver;
let artifact: string;

beforeAll(async () => {
  on = await serviceFixture();
  admin = await on.admin();
  olga = await on.principal("olga", "human", ["proposer", "approver"]);
  gus = await approverOn(on, "gus", ["approver", "break-glass"]);
  ann = await approverOn(on, "ann", ["approver"]);
  artifact = await on.artifact("a model that is needed now");
});
afterAll(() => on.close());

let count = 0;
async function waiting(plan: Partial<TestPlan> = {}) {
  count += 1;
  // Above $30 an hour: an approver and a budget owner are due.
  const dear = { environment: "production" as const, dryRun: false, instanceType: "ml.g5.12xlarge", instanceCount: 5 };
  const rollout = await on.call("plans.submit", olga, {
    body: { plan: planOf({ artifact, name: `glass-${count}`, ...dear, ...plan }) },
  });
  expect(rollout.phase).toBe("AwaitingApproval");
  return rollout;
}
const end = (id: string) => on.call("rollouts.abort", admin, { params: { id }, body: {} });
const refused = (code: string, words = "") =>
  expect.objectContaining({ code, message: expect.stringContaining(words) });
const REASON = "every loan is denied since noon, and the budget owner cannot be reached";

describe("breaking the glass", () => {
  test("lets one person stand for approver and budget owner, loudly, until somebody has reviewed it", async () => {
    const rollout = await waiting();
    const approved = await gus.approveSigned(rollout, { role: "break-glass", reason: REASON });
    expect(approved).toMatchObject({
      phase: "Verifying",
      approvals: [{ approver: "gus", role: "break-glass", mfa: true, signed: true, reason: REASON }],
    });
    const row = await readRollout(on.database, "default", rollout.id);
    expect(await verifyStoredApprovals(on.database, on.parts, row?.state ?? (undefined as never))).toMatchObject({
      ...{ approvals: [{ role: "break-glass", approver: "gus", mfa: true, signed: true }], approverSigned: true },
    });

    const { items } = await on.call("audit.list", admin, { query: { subject: rollout.id } });
    expect(items.find(({ action }) => action === "approval.break-glass")).toMatchObject({
      ...{ actor: "gus", outcome: "accepted", details: { planDigest: rollout.planDigest } },
    });
    expect(JSON.stringify(items)).not.toContain("loan");

    const open = await on.call("approvals.reviews", ann.principal);
    expect(open.items).toMatchObject([{ rollout: rollout.id, by: "gus", reason: REASON, review: null }]);
    const params = { id: rollout.id };
    const body = { verdict: "justified" as const, comment: "the outage is real" };
    await expect(on.call("approvals.review", gus.principal, { params, body })).rejects.toEqual(refused("own-plan"));
    await expect(on.call("approvals.review", olga, { params, body })).rejects.toEqual(refused("own-plan"));
    expect(await on.call("approvals.review", ann.principal, { params, body })).toMatchObject({
      review: { by: "ann", verdict: "justified", comment: "the outage is real" },
    });
    await expect(on.call("approvals.review", ann.principal, { params, body })).rejects.toEqual(
      refused("not-acceptable-now", "ann"),
    );
    expect((await on.call("approvals.reviews", ann.principal)).items).toEqual([]);
    expect((await on.call("approvals.reviews", ann.principal, { query: { all: "true" } })).items).toHaveLength(1);
    await end(rollout.id);
  });

  test("needs the named role, a reason, a signature and a second factor", async () => {
    const rollout = await waiting();
    const role = "break-glass" as const;
    await expect(ann.statement(rollout.id, { role, reason: REASON })).rejects.toEqual(refused("forbidden"));
    await expect(
      on.call("approvals.statement", admin, { params: { id: rollout.id }, body: { role, reason: REASON } }),
    ).rejects.toEqual(refused("forbidden"));
    await expect(gus.statement(rollout.id, { role })).rejects.toEqual(refused("malformed-request", "reason"));
    await expect(gus.statement(rollout.id, { reason: REASON })).rejects.toEqual(refused("malformed-request", "reason"));
    const statement = await gus.statement(rollout.id, { role, reason: REASON });
    const stepUp = () => ({ kind: "totp" as const, code: gus.code() });
    await expect(gus.approve(rollout, { role })).rejects.toEqual(refused("signature-required"));
    await expect(gus.approve(rollout, { nonce: statement.nonce, stepUp: stepUp() })).rejects.toEqual(
      refused("signature-required"),
    );
    await expect(gus.approve(rollout, { bundle: gus.sign(statement) })).rejects.toEqual(refused("step-up-required"));
    // Asked for as one thing and handed in as another.
    await expect(
      gus.approve(rollout, { bundle: gus.sign(statement), stepUp: stepUp(), role: "approver" }),
    ).rejects.toEqual(refused("statement-refused"));
    await end(rollout.id);
  });

  test("is open to who has approved in their own role, and never to who proposed", async () => {
    const rollout = await waiting();
    expect(await gus.approveSigned(rollout, { role: "approver" })).toMatchObject({ phase: "AwaitingApproval" });
    expect(await gus.approveSigned(rollout, { role: "break-glass", reason: REASON })).toMatchObject({
      phase: "Verifying",
    });
    await end(rollout.id);
    const helga = await approverOn(on, "helga", ["proposer", "break-glass"]);
    const plan = planOf({ artifact, name: "hers", environment: "production", dryRun: false });
    const own = await on.call("plans.submit", helga.principal, { body: { plan } });
    await expect(helga.statement(own.id, { role: "break-glass", reason: REASON })).rejects.toEqual(refused("own-plan"));
  });

  test("shortens waiting and never a denial, nor evidence that is due", async () => {
    const [first, second] = [await waiting(), await waiting()];
    await gus.approveSigned(first, { role: "break-glass", reason: REASON });
    // Two of them are above what the environment may cost.
    const denied = await gus.approveSigned(second, { role: "break-glass", reason: REASON });
    expect(denied).toMatchObject({ phase: "Denied", refusals: [{ clause: "AO-6" }] });
    await on.worker();
    const ended = await on.until(first.id, ["Denied"]);
    expect(ended.refusals.map(({ clause }) => clause)).toEqual(expect.arrayContaining(["CP-1", "P2"]));
    expect(ended.refusals.map(({ clause }) => clause)).not.toContain("AO-12");
  });

  test("is not there for the API's caller who reviews what nobody broke", async () => {
    const rollout = await waiting({ environment: "staging", instanceType: "ml.m5.large", instanceCount: 3 });
    const body = { verdict: "justified" as const, comment: "nothing to see" };
    await expect(on.call("approvals.review", ann.principal, { params: { id: rollout.id }, body })).rejects.toEqual(
      refused("not-found"),
    );
  });
});
