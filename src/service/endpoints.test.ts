import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ContinuumError } from "../core/error.ts";
import type { Principal } from "./principal.ts";
import { planOf, type ServiceFixture, serviceFixture, type TestPlan } from "./testing/service-fixture.ts";

let on: ServiceFixture;
let ci: Principal;
let admin: Principal;
let artifact: string;
beforeAll(async () => {
  on = await serviceFixture();
  admin = await on.admin();
  ci = await on.principal("ci", "service", ["proposer", "operator"]);
  artifact = await on.artifact("a model");
  await on.worker();
});
afterAll(() => on.close());

const at = (name: string, environment: "development" | "staging" = "development") => ({
  environment,
  target: "local" as const,
  name,
});
async function live(name: string, plan: Partial<TestPlan> = {}) {
  const { id } = await on.call("plans.submit", ci, { body: { plan: planOf({ artifact, name, ...plan }) } });
  await on.until(id, ["Succeeded"]);
  return id;
}
const scale = (name: string, instanceCount: number) =>
  on.call("endpoints.scale", ci, { params: at(name), body: { instanceCount } });
const replicas = async (name: string) =>
  (await on.parts.targets.get("local")?.describe({ tenant: "default", endpoint: at(name) }))?.variants[0]?.replicas
    .wanted;

describe("scaling", () => {
  test("changes the version that serves, its cost and what is wanted, and is told", async () => {
    const id = await live("grows");
    expect(await scale("grows", 3)).toMatchObject({ liveRollout: id, instanceCount: 3, usdPerHour: 0.345 });
    expect(await replicas("grows")).toBe(3);
    const { rows } = await on.database.query("SELECT desired, generation FROM endpoints WHERE name = 'grows'");
    expect(rows).toEqual([
      { desired: { version: expect.objectContaining({ instanceCount: 3 }) }, generation: expect.any(Number) },
    ]);
    const { items } = await on.call("audit.list", admin, { query: { subject: "development/local/grows" } });
    expect(items).toEqual([
      expect.objectContaining({
        action: "endpoint.scale",
        details: expect.objectContaining({ fromInstanceCount: 1, instanceCount: 3 }),
      }),
    ]);
  });

  test("is held to the policy: what the plan could not have, the endpoint cannot get", async () => {
    await live("capped");
    // CP-2: 870 x $0.115 is above $100 an hour.
    await expect(scale("capped", 870)).rejects.toMatchObject({
      code: "denied",
      details: { findings: [{ clause: "CP-2" }] },
    });
    expect(await replicas("capped")).toBe(1);
    // An endpoint of staging, which needs evidence that nothing can give yet, is written down as if it served.
    await on.database.query(
      `INSERT INTO endpoints (tenant, environment, target, name, live_rollout, live_plan_digest, instance_count)
       SELECT 'default', 'staging', 'local', 'staged', id, plan_digest, 1 FROM rollouts WHERE name = 'capped'`,
    );
    await on.call("plans.submit", ci, {
      body: { plan: planOf({ artifact, name: "staged", environment: "staging", dryRun: true }) },
    });
    await on.database.query(
      "UPDATE endpoints SET live_plan_digest = (SELECT plan_digest FROM rollouts WHERE name = 'staged') WHERE name = 'staged'",
    );
    const three = on.call("endpoints.scale", ci, { params: at("staged", "staging"), body: { instanceCount: 3 } });
    await expect(three).rejects.toMatchObject({ code: "denied", details: { clauses: ["AO-3"] } });
  });

  test("asks for room only for what comes on top", async () => {
    await live("room");
    on.capacity.reason = "The host has 1 GiB left.";
    await expect(scale("room", 2)).rejects.toMatchObject({ code: "host-memory" });
    await expect(scale("room", 1000)).rejects.toMatchObject({ code: "denied" });
    expect(await scale("room", 1)).toMatchObject({ instanceCount: 1 });
    on.capacity.reason = null;
  });

  test("waits for the rollout that holds the endpoint", async () => {
    await live("busy");
    const waiting = await on.call("plans.submit", ci, {
      body: { plan: planOf({ artifact, name: "busy", version: "2" }) },
    });
    await on.database.query("UPDATE rollouts SET active = true WHERE id = $1 AND NOT terminal", [waiting.id]);
    const scaled = scale("busy", 2);
    const outcome = await scaled.then(
      () => "scaled",
      (error: { code: string }) => error.code,
    );
    const after = await on.until(waiting.id, ["Succeeded"]);
    // Whether the rollout had ended by then is a race; being refused is the only other thing that may happen.
    expect(["scaled", "endpoint-busy"]).toContain(outcome);
    expect(after.phase).toBe("Succeeded");
  });

  test("what the target cannot do at all is taken back; what it could not be told stays wanted", async () => {
    await live("fails");
    const target = on.parts.targets.get("local");
    if (target === undefined) throw new Error("the fixture has a local target");
    const working = target.scale.bind(target);
    const failWith = (code: string, retryable: boolean) => {
      target.scale = () => Promise.reject(new ContinuumError(code, "simulated", { retryable }));
    };
    try {
      failWith("host-memory", false);
      await expect(scale("fails", 4)).rejects.toMatchObject({ code: "host-memory" });
      const wanted = async () => (await on.call("endpoints.get", ci, { params: at("fails") })).instanceCount;
      expect(await wanted()).toBe(1);
      failWith("unreachable", true);
      await expect(scale("fails", 4)).rejects.toMatchObject({ code: "unavailable" });
      expect(await wanted()).toBe(4);
    } finally {
      target.scale = working;
    }
  });

  test("nothing that does not serve can be scaled", async () => {
    await expect(scale("nothing", 2)).rejects.toMatchObject({ code: "not-found" });
  });
});

describe("deleting", () => {
  test("is a person's to do, and leaves nothing that serves or costs", async () => {
    const id = await live("goes");
    await expect(on.call("endpoints.delete", ci, { params: at("goes") })).rejects.toMatchObject({
      code: "humans-only",
    });
    expect(await on.call("endpoints.delete", admin, { params: at("goes") })).toEqual({ deleted: true });
    expect(await replicas("goes")).toBeUndefined();
    await expect(on.call("endpoints.get", ci, { params: at("goes") })).rejects.toMatchObject({ code: "not-found" });
    // Again is no error: it repeats a removal that may not have reached the target.
    expect(await on.call("endpoints.delete", admin, { params: at("goes") })).toEqual({ deleted: false });
    expect(await on.call("rollouts.get", ci, { params: { id } })).toMatchObject({ phase: "Succeeded" });
    const anew = await live("goes", { version: "2" });
    expect(await on.call("endpoints.get", ci, { params: at("goes") })).toMatchObject({ liveRollout: anew });
  });

  test("a name that nobody ever used is not there", async () => {
    await expect(on.call("endpoints.delete", admin, { params: at("never") })).rejects.toMatchObject({
      code: "not-found",
    });
  });
});

test("a plan is compared with what serves, part by part", async () => {
  await live("compared");
  const body = planOf({ artifact, name: "compared", version: "2.0.0", instanceCount: 2 });
  expect(await on.call("plans.diff", ci, { body })).toEqual({
    endpoint: "development/local/compared",
    simulation: false,
    liveRollout: expect.any(String),
    changes: [
      { path: "/spec/compute/instanceCount", before: 1, after: 2 },
      { path: "/spec/model/version", before: "1.0.0", after: "2.0.0" },
    ],
  });
  const nothing = await on.call("plans.diff", ci, { body: planOf({ artifact, name: "nothing-there" }) });
  expect(nothing).toMatchObject({ liveRollout: null });
  expect(nothing.changes).not.toEqual([]);
});
