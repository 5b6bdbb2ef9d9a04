import { Registry } from "prom-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engineMetrics } from "./metrics.ts";
import { BROKEN, type EngineFixture, engineFixture } from "./testing/engine-fixture.ts";

let on: EngineFixture;
const registry = new Registry();
beforeAll(async () => {
  on = await engineFixture();
  Object.assign(on.parts, engineMetrics(registry, on.parts));
});
afterAll(() => on.close());

/** The value of a series, by its name and the labels it must have. */
async function value(name: string, labels: Record<string, string> = {}): Promise<number | undefined> {
  const metrics = await registry.getMetricsAsJSON();
  const values = metrics.find((one) => one.name === name)?.values ?? [];
  const fits = (of: object) =>
    Object.entries(labels).every(([key, wanted]) => (of as Record<string, unknown>)[key] === wanted);
  return values.find((one) => fits(one.labels))?.value;
}

describe("the engine's figures", () => {
  test("count what was committed: decisions, events, ends and how long they took", async () => {
    await on.worker();
    const good = await on.propose({ version: "1" });
    await on.ended(good.id);
    on.behaviour.set("2", BROKEN);
    const bad = await on.propose({ version: "2" });
    await on.ended(bad.id);
    const development = { environment: "development" };
    expect(await value("continuum_decisions_total", { ...development, decision: "allow" })).toBe(2);
    expect(
      await value("continuum_rollouts_total", {
        ...development,
        outcome: "Succeeded",
        reason: "none",
        simulation: "true",
      }),
    ).toBe(1);
    expect(await value("continuum_rollouts_total", { ...development, outcome: "RolledBack" })).toBe(1);
    expect(await value("continuum_rollout_events_total", { type: "provisioned" })).toBe(2);
    const text = await registry.metrics();
    expect(text).toMatch(/continuum_rollout_duration_seconds_count\{environment="development",outcome="Succeeded"\} 1/);
    expect(text).not.toContain("acme");
  });

  test("read what is there now from the database", async () => {
    await on
      .propose({ name: "slow", rollout: { bakeSeconds: 600 } })
      .then(({ id }) => on.until(id, ({ phase }) => phase === "Baking"));
    expect(await value("continuum_rollouts_open", { phase: "Baking" })).toBe(1);
    expect(await value("continuum_jobs", { state: "claimed" })).toBe(1);
    // The two are read one after the other, and entries take their places in between.
    const entries = async () => {
      const placed = (await value("continuum_audit_entries", { state: "placed" })) ?? 0;
      return placed + ((await value("continuum_audit_entries", { state: "waiting" })) ?? 0);
    };
    await expect.poll(entries).toBeGreaterThan(10);
    expect(await value("continuum_database_up")).toBe(1);
  });

  test("leave out what the database does not say, instead of telling old figures", async () => {
    const away = new Registry();
    const database = { query: () => Promise.reject(new Error("away")) } as never;
    engineMetrics(away, { database, log: on.parts.log });
    const text = await away.metrics();
    expect(text).toContain("# TYPE continuum_rollouts_open gauge");
    expect(text).not.toMatch(/^continuum_(rollouts_open|jobs|audit_entries)\{/m);
  });
});
