import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type ServingFixture, servingFixture } from "./testing/serving-fixture.ts";
import { brokenModel, sumModel } from "./testing/test-models.ts";

const GUARD = {
  alpha: 0.01,
  requestsMin: 1,
  errorRateExcessMax: 0.01,
  latencyRatioMax: 1.5,
  onHealthCheckFailure: true,
};

let fixture: ServingFixture;
afterEach(() => fixture.dispose());

async function canary(bytes: Uint8Array, draw?: () => number): Promise<void> {
  fixture = await servingFixture(draw === undefined ? {} : { draw });
  await fixture.serve("v1", sumModel({ bias: 0 }));
  await fixture.target.provision(fixture.effect(), fixture.version("v2", bytes));
  await fixture.target.shift(fixture.effect(), { percent: 50, guard: GUARD });
}

/** Of which every request of the broken model fails. */
const BAD_ROW = JSON.stringify({ instances: [[9, 0, 0]] });
const GOOD_ROW = JSON.stringify({ instances: [[1, 0, 0]] });

async function errorEvidence(): Promise<number> {
  const { verdict } = await fixture.target.observe(fixture.at);
  return verdict.metrics.find(({ metric }) => metric === "errors")?.figures?.evidence ?? Number.NaN;
}

describe("a serving process that ends in the middle of a canary", () => {
  it("goes on with the evidence it had, and rolls back by what both lives saw", async () => {
    await canary(brokenModel());
    let before = 0;
    let asked = 0;
    for (; asked < 100 && before < 10; asked += 1) {
      await fixture.invoke(BAD_ROW);
      before = await errorEvidence();
    }
    expect(before).toBeGreaterThanOrEqual(10);
    await fixture.serving.abandon();
    await fixture.restart();
    let after = Number.NaN;
    for (let n = 0; n < 50 && Number.isNaN(after); n += 1) {
      await fixture.invoke(GOOD_ROW);
      after = await errorEvidence();
    }
    // A few good answers move it by little; a new judge would begin at 1.
    expect(after).toBeGreaterThan(before / 5);
    expect((await fixture.target.observe(fixture.at)).tripped).toBeNull();
    const state: unknown = JSON.parse(await readFile(join(fixture.options.stateDir, "serving.json"), "utf8"));
    expect(state).toMatchObject({ endpoints: [{ judge: { version: 2 }, watch: { version: 1 } }] });
    let further = 0;
    for (; further < 100 && (await fixture.target.observe(fixture.at)).tripped === null; further += 1)
      await fixture.invoke(BAD_ROW);
    const seen = await fixture.target.observe(fixture.at);
    expect(seen.tripped?.candidateErrors).toBeGreaterThan(0);
    expect(seen.tripped?.candidateRequests).toBeGreaterThanOrEqual(seen.tripped?.candidateErrors ?? 0);
    expect(further).toBeLessThan(60);
  });

  it("begins anew, and says so, where it cannot read the evidence that was kept", async () => {
    await canary(sumModel({ bias: 1 }));
    for (let n = 0; n < 20; n += 1) await fixture.invoke(GOOD_ROW);
    await fixture.serving.abandon();
    const path = join(fixture.options.stateDir, "serving.json");
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace('"judge":{"version":2', '"judge":{"version":99'));
    const warnings: string[] = [];
    fixture.options.log = { ...fixture.options.log, warn: (_fields, message) => warnings.push(message) };
    await fixture.restart();
    expect(warnings).toEqual(["the evidence of the rollout under way cannot be read and begins anew"]);
    expect((await fixture.invoke(GOOD_ROW)).status).toBe(200);
  });

  it("reads the state of a program that kept no evidence", async () => {
    await canary(sumModel({ bias: 1 }));
    await fixture.serving.abandon();
    const path = join(fixture.options.stateDir, "serving.json");
    const state = JSON.parse(await readFile(path, "utf8"));
    for (const endpoint of state.endpoints) {
      endpoint.judge = undefined;
      endpoint.watch = undefined;
    }
    await writeFile(path, JSON.stringify(state));
    await fixture.restart();
    const { alarms, candidatePercent } = await fixture.target.observe(fixture.at);
    expect(candidatePercent).toBe(50);
    expect(alarms?.map(({ alarm }) => alarm)).toEqual(["ErrorRateAlarm", "LatencyAlarm", "HealthAlarm"]);
  });
});

describe("a draw that is not random", () => {
  it("makes the verdict an error, and sends nobody back", async () => {
    let drawn = 0;
    await canary(brokenModel(), () => {
      drawn += 1;
      return drawn % 2 === 0 ? 0 : 0.99;
    });
    for (let n = 0; n < 120; n += 1) await fixture.invoke(GOOD_ROW);
    for (let n = 0; n < 60; n += 1) await fixture.invoke(BAD_ROW);
    const { verdict, tripped } = await fixture.target.observe(fixture.at);
    expect(verdict.outcome).toBe("error");
    expect(verdict.metrics[0]).toMatchObject({ metric: "assignment", outcome: "error" });
    expect(tripped).toBeNull();
  });
});
