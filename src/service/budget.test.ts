import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Principal } from "./principal.ts";
import { planOf, type ServiceFixture, serviceFixture, type TestPlan } from "./testing/service-fixture.ts";

let on: ServiceFixture;
let ci: Principal;
let ann: Principal;
let artifact: string;
beforeAll(async () => {
  on = await serviceFixture();
  ci = await on.principal("ci", "service", ["proposer", "operator"]);
  ann = await on.principal("ann", "human", ["approver"]);
  artifact = await on.artifact("a model");
});
afterAll(() => on.close());

const submit = (plan: Partial<TestPlan>) =>
  on.call("plans.submit", ci, { body: { plan: planOf({ artifact, environment: "staging", ...plan }) } });

const reserved = async () => {
  const { rows } = await on.database.query<{ sum: number }>(
    "SELECT coalesce(sum(reserved_micro_usd_per_hour), 0)::bigint AS sum FROM rollouts WHERE NOT terminal AND environment = 'staging'",
  );
  return rows[0]?.sum ?? 0;
};

describe("the environment's sum (AO-5: $15.00 an hour for all of staging)", () => {
  test("plans that fit alone and not together never all pass, whatever the order they come in", async () => {
    // 2 x $0.23 each: 32 fit ($14.72), the 33rd would make it $15.18.
    const plans = Array.from({ length: 40 }, (_, index) =>
      submit({ name: `both-${index}`, instanceType: "ml.m5.xlarge", instanceCount: 2 }),
    );
    const rollouts = await Promise.all(plans);
    const denied = rollouts.filter(({ phase }) => phase === "Denied");
    expect(denied).toHaveLength(8);
    for (const one of denied) expect(one.refusals.map(({ clause }) => clause)).toEqual(["AO-5"]);
    expect(await reserved()).toBe(32 * 460_000);
  });

  test("approvals given at the same time are held to it as well", async () => {
    for (const { id } of (await on.call("rollouts.list", ci, { query: { active: "true", limit: 200 } })).items) {
      await on.call("rollouts.abort", ci, { params: { id } });
    }
    expect(await reserved()).toBe(0);
    // $9.20 each: one fits, two do not.
    const waiting = await Promise.all(
      [1, 2, 3].map((index) => submit({ name: `large-${index}`, instanceType: "ml.m5.xlarge", instanceCount: 40 })),
    );
    expect(waiting.map(({ phase }) => phase)).toEqual(Array(3).fill("AwaitingApproval"));
    // What only waits takes nothing.
    expect(await reserved()).toBe(0);
    const decided = await Promise.all(
      waiting.map(({ id, planDigest }) => on.call("approvals.approve", ann, { params: { id }, body: { planDigest } })),
    );
    expect(decided.map(({ phase }) => phase).sort()).toEqual(["Denied", "Denied", "Verifying"]);
    expect(await reserved()).toBe(9_200_000);
  });

  test("dry runs and simulated plans reserve nothing", async () => {
    const before = await reserved();
    await submit({ name: "dry", dryRun: true });
    expect(await submit({ name: "pretended", target: "simulated" })).toMatchObject({
      simulation: true,
      decision: { report: "COMPLIANT" },
    });
    expect(await reserved()).toBe(before);
  });

  test("a newer version of what serves replaces its cost instead of adding to it", async () => {
    for (const { id } of (await on.call("rollouts.list", ci, { query: { active: "true", limit: 200 } })).items) {
      await on.call("rollouts.abort", ci, { params: { id } });
    }
    await on.database.query(
      `INSERT INTO endpoints (tenant, environment, target, name, micro_usd_per_hour) VALUES
       ('default', 'staging', 'local', 'own', 10000000), ('default', 'staging', 'local', 'other', 4900000)`,
    );
    expect(await submit({ name: "own", instanceType: "ml.m5.large", instanceCount: 2 })).toMatchObject({
      phase: "Verifying",
    });
    const denied = await submit({ name: "third", instanceType: "ml.m5.large", instanceCount: 1 });
    expect(denied.refusals.map(({ clause }) => clause)).toEqual(["AO-5"]);
  });
});
