import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { runServing } from "../run-serving.ts";
import { type ServingFixture, servingFixture } from "../testing/serving-fixture.ts";
import { slowModel, sumModel } from "../testing/test-models.ts";

const ROW = JSON.stringify({ instances: [[1, 2, 3]] });
const GUARD = {
  alpha: 0.01,
  requestsMin: 1,
  errorRateExcessMax: 0.01,
  latencyRatioMax: 1.5,
  onHealthCheckFailure: true,
};

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("replicas", () => {
  let fixture: ServingFixture;
  afterEach(() => fixture.dispose());

  it("answer every request while one after the other is killed, and come back", async () => {
    fixture = await servingFixture();
    await fixture.serve("v1", sumModel({ bias: 0 }), { instanceCount: 2 });
    const before = await fixture.replicaPids();
    expect(before).toHaveLength(2);
    let running = true;
    const statuses = new Map<number, number>();
    const callers = Array.from({ length: 8 }, async () => {
      while (running) {
        const { status } = await fixture.invoke(ROW);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    });
    for (const pid of before) {
      await sleep(100);
      process.kill(pid, "SIGKILL");
      await expect.poll(async () => (await fixture.replicaPids()).includes(pid)).toBe(false);
      await expect
        .poll(async () => (await fixture.target.describe(fixture.at))?.variants[0]?.replicas.healthy, {
          timeout: 15_000,
        })
        .toBe(2);
    }
    running = false;
    await Promise.all(callers);
    expect([...statuses.keys()]).toEqual([200]);
    expect((await fixture.replicaPids()).some((pid) => before.includes(pid))).toBe(false);
  });

  it("keep callers waiting, not failing, while the only one is replaced", async () => {
    fixture = await servingFixture();
    await fixture.serve("v1", sumModel({ bias: 0 }));
    const [pid] = await fixture.replicaPids();
    process.kill(pid ?? 0, "SIGKILL");
    const statuses = await Promise.all(Array.from({ length: 10 }, async () => (await fixture.invoke(ROW)).status));
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  it("of a candidate cost no caller an answer when they die, and it counts against the candidate", async () => {
    fixture = await servingFixture();
    await fixture.serve("v1", sumModel({ bias: 0 }));
    await fixture.target.provision(fixture.effect(), fixture.version("v2", sumModel({ bias: 0 })));
    await fixture.target.shift(fixture.effect(), { percent: 50, guard: GUARD });
    const pids = await fixture.replicaPids();
    process.kill(pids[1] ?? 0, "SIGKILL");
    await expect.poll(async () => (await fixture.replicaPids()).includes(pids[1] ?? 0)).toBe(false);
    const answers = await Promise.all(Array.from({ length: 40 }, () => fixture.invoke(ROW)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const observed = await fixture.target.observe(fixture.at);
    expect(observed.candidate?.errors).toBeGreaterThan(0);
    expect(observed.stable?.errors).toBe(0);
    expect(observed.verdict.outcome).not.toBe("pass");
  });

  it("outlive the process that serves, and are adopted by the next one", async () => {
    fixture = await servingFixture();
    await fixture.serve("v1", sumModel({ bias: 5 }));
    const pids = await fixture.replicaPids();
    const { bootId } = fixture.serving;
    await fixture.serving.abandon();
    expect(pids.every(isAlive)).toBe(true);
    await fixture.restart();
    expect(fixture.serving.bootId).not.toBe(bootId);
    expect(await (await fixture.invoke(ROW)).json()).toEqual({ predictions: [11] });
    expect(await fixture.replicaPids()).toEqual(pids);
  });

  it("are started again when they are gone too, before anybody asks for it", async () => {
    fixture = await servingFixture();
    await fixture.serve("v1", sumModel({ bias: 5 }));
    const generation = (await fixture.target.describe(fixture.at))?.generation;
    const pids = await fixture.replicaPids();
    await fixture.serving.abandon();
    for (const pid of pids) process.kill(pid, "SIGKILL");
    await fixture.restart();
    await expect.poll(async () => (await fixture.invoke(ROW)).status, { timeout: 15_000 }).toBe(200);
    expect((await fixture.target.describe(fixture.at))?.generation).toBe(generation);
  });

  it("keep a rollout's weights, and that it was given up, over a restart", async () => {
    fixture = await servingFixture({ supervision: { healthMs: 50 } });
    await fixture.serve("v1", sumModel({ bias: 0 }));
    await fixture.target.provision(fixture.effect(), fixture.version("v2", sumModel({ bias: 1 })));
    await fixture.target.shift(fixture.effect(), { percent: 30, guard: GUARD });
    await fixture.serving.abandon();
    await fixture.restart();
    expect(await fixture.target.observe(fixture.at)).toMatchObject({
      candidatePercent: 30,
      verdict: { outcome: "inconclusive" },
    });
    // Three deaths of the candidate's replica are a crash loop, whoever causes them.
    for (let death = 0; death < 3; death += 1) {
      await expect
        .poll(async () => (await fixture.target.observe(fixture.at)).candidate?.replicas.healthy, { timeout: 15_000 })
        .toBe(1);
      await expect.poll(async () => (await fixture.replicaPids()).length).toBe(2);
      const pids = await fixture.replicaPids();
      process.kill(pids[1] ?? 0, "SIGKILL");
      await expect.poll(async () => (await fixture.replicaPids()).includes(pids[1] ?? 0)).toBe(false);
    }
    const observed = await fixture.target.observe(fixture.at);
    expect(observed).toMatchObject({ candidatePercent: 0, verdict: { outcome: "fail" } });
    expect(observed.tripped?.cause).toContain("died 3 times");
    await fixture.serving.close();
    await fixture.restart();
    expect(await fixture.target.observe(fixture.at)).toMatchObject({
      candidatePercent: 0,
      verdict: { outcome: "fail" },
    });
    expect(await (await fixture.invoke(ROW)).json()).toEqual({ predictions: [6] });
  });

  it("end by themselves once their state file is gone", async () => {
    fixture = await servingFixture();
    await fixture.serve("v1", sumModel({ bias: 0 }));
    const pids = await fixture.replicaPids();
    await fixture.serving.abandon();
    await rm(fixture.options.stateDir, { recursive: true });
    await expect.poll(() => pids.some(isAlive), { timeout: 15_000 }).toBe(false);
    await fixture.restart();
  });

  it("are killed above the memory of their size", async () => {
    fixture = await servingFixture({ supervision: { healthMs: 50 } });
    // 512 MiB are allowed; between its two multiplications this model holds 2 KiB a row.
    await fixture.serve("v1", slowModel({ layers: 0 }));
    const pids = await fixture.replicaPids();
    const body = JSON.stringify({ instances: Array.from({ length: 300_000 }, () => [1, 2, 3]) });
    expect((await fixture.invoke(body)).status).toBe(502);
    await expect.poll(() => pids.some(isAlive), { timeout: 15_000 }).toBe(false);
    await expect.poll(async () => (await fixture.invoke(ROW)).status, { timeout: 15_000 }).toBe(200);
  });

  it("see nothing of the environment, write nothing, and are reached by nobody else", async () => {
    fixture = await servingFixture();
    await fixture.serve("v1", sumModel({ bias: 0 }));
    const [pid] = await fixture.replicaPids();
    if (process.platform !== "linux") return;
    expect(await readFile(`/proc/${pid}/environ`, "utf8")).toBe("");
    expect(await readFile(`/proc/${pid}/cmdline`, "utf8")).toContain("--permission");
  });

  it("are what the kernel ends first when the host has no memory left", async () => {
    fixture = await servingFixture();
    await fixture.serve("v1", sumModel({ bias: 0 }));
    const [pid] = await fixture.replicaPids();
    if (process.platform !== "linux") return;
    expect(await readFile(`/proc/${pid}/oom_score_adj`, "utf8")).toBe("1000\n");
  });

  it("are as many as wanted when several ask for them at the same time", async () => {
    fixture = await servingFixture();
    await fixture.serve("v1", sumModel({ bias: 0 }));
    const { readModel } = fixture.options;
    const restarted = {
      ...fixture.options,
      readModel: async (tenant: string, digest: string) => {
        await sleep(100);
        return readModel(tenant, digest);
      },
    };
    const pids = await fixture.replicaPids();
    await fixture.serving.abandon();
    for (const pid of pids) process.kill(pid, "SIGKILL");
    // It starts the missing one by itself while the control plane asks for it too.
    fixture.serving = await runServing(restarted);
    await fixture.target.provision(fixture.effect(), fixture.version("v1", sumModel({ bias: 0 })));
    expect((await fixture.target.describe(fixture.at))?.variants[0]?.replicas).toEqual({ wanted: 1, healthy: 1 });
    await sleep(500);
    expect(await fixture.replicaPids()).toHaveLength(1);
  });

  it("that are gone keep nobody waiting once another version took their place", async () => {
    fixture = await servingFixture();
    await fixture.serve("v1", sumModel({ bias: 0 }));
    await fixture.target.provision(fixture.effect(), fixture.version("v2", sumModel({ bias: 1 })));
    const [pid] = await fixture.replicaPids();
    process.kill(pid ?? 0, "SIGKILL");
    await expect
      .poll(async () => (await fixture.target.describe(fixture.at))?.variants[0]?.replicas.healthy, { interval: 5 })
      .toBe(0);
    const waiting = Promise.all(Array.from({ length: 5 }, () => fixture.invoke(ROW)));
    await sleep(20);
    await fixture.target.promote(fixture.effect());
    const answers = await waiting;
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await (await fixture.invoke(ROW)).json()).toEqual({ predictions: [7] });
  });

  it("of a candidate that are all dead at the moment are not promoted", async () => {
    fixture = await servingFixture();
    await fixture.serve("v1", sumModel({ bias: 0 }));
    await fixture.target.provision(fixture.effect(), fixture.version("v2", sumModel({ bias: 1 })));
    const effect = fixture.effect();
    process.kill((await fixture.replicaPids())[1] ?? 0, "SIGKILL");
    await expect
      .poll(async () => (await fixture.target.describe(fixture.at))?.variants[1]?.replicas.healthy, { interval: 5 })
      .toBe(0);
    await expect(fixture.target.promote(effect)).rejects.toMatchObject({ code: "not-available", retryable: true });
    expect(await (await fixture.invoke(ROW)).json()).toEqual({ predictions: [6] });
    await expect
      .poll(() =>
        fixture.target.promote(effect).then(
          () => "promoted",
          () => "refused",
        ),
      )
      .toBe("promoted");
  });
});

describe("what cannot be served", () => {
  let fixture: ServingFixture;
  afterEach(() => fixture.dispose());

  it("is refused with one sentence, and leaves what serves alone", async () => {
    fixture = await servingFixture();
    await fixture.serve("v1", sumModel({ bias: 0 }));
    const provision = (bytes: Uint8Array, overrides = {}) =>
      fixture.target.provision(fixture.effect(), fixture.version("bad", bytes, overrides));
    const text = new TextEncoder().encode("this is no model");
    await expect(provision(text)).rejects.toMatchObject({
      code: "bad-model",
      message: expect.stringContaining("not an ONNX model"),
    });
    await expect(provision(new Uint8Array(0))).rejects.toMatchObject({ code: "bad-model" });
    await expect(provision(sumModel({ bias: 0 }).slice(0, 60))).rejects.toMatchObject({ code: "bad-model" });
    await expect(provision(sumModel({ bias: 1 }), { instanceType: "ml.m5.huge" })).rejects.toMatchObject({
      code: "not-available",
    });
    await expect(provision(sumModel({ bias: 1 }), { instanceCount: 9000 })).rejects.toMatchObject({
      code: "host-memory",
    });
    const swapped = fixture.version("bad", sumModel({ bias: 1 }));
    fixture.models.set(swapped.artifactDigest, sumModel({ bias: 2 }));
    await expect(fixture.target.provision(fixture.effect(), swapped)).rejects.toMatchObject({
      code: "bad-model",
      message: expect.stringContaining("the plan says"),
    });
    expect((await fixture.target.describe(fixture.at))?.variants).toMatchObject([{ variant: "v1" }]);
    expect((await fixture.invoke(ROW)).status).toBe(200);
  });

  it("gives up provisioning when a newer effect comes", async () => {
    fixture = await servingFixture();
    const slow = fixture.target.provision(fixture.effect(), fixture.version("v1", sumModel({ bias: 0 })));
    const lost = expect(slow).rejects.toMatchObject({ code: "superseded" });
    await sleep(30);
    await fixture.target.remove(fixture.effect());
    await lost;
    expect(await fixture.target.describe(fixture.at)).toBeUndefined();
  });

  it("is a second process on the same state, and it leaves the first alone", async () => {
    fixture = await servingFixture();
    await fixture.serve("v1", sumModel({ bias: 0 }));
    const pids = await fixture.replicaPids();
    await expect(runServing(fixture.options)).rejects.toMatchObject({ code: "not-available" });
    const taken = {
      ...fixture.options,
      controlSocket: `${fixture.options.controlSocket}2`,
      port: Number(new URL(fixture.serving.url).port),
    };
    await expect(runServing(taken)).rejects.toMatchObject({ code: "EADDRINUSE" });
    expect((await fixture.invoke(ROW)).status).toBe(200);
    expect(await fixture.replicaPids()).toEqual(pids);
  });

  it("is an effect that was not kept: asking again keeps it", async () => {
    fixture = await servingFixture();
    await fixture.serve("v1", sumModel({ bias: 0 }));
    await fixture.target.provision(fixture.effect(), fixture.version("v2", sumModel({ bias: 1 })));
    const effect = fixture.effect();
    const stateFile = `${fixture.options.stateDir}/serving.json`;
    await mkdir(`${stateFile}.new`);
    for (let attempt = 0; attempt < 2; attempt += 1) await expect(fixture.target.promote(effect)).rejects.toThrow();
    await rm(`${stateFile}.new`, { recursive: true });
    await fixture.target.promote(effect);
    const kept: unknown = JSON.parse(await readFile(stateFile, "utf8"));
    expect(kept).toMatchObject({ endpoints: [{ generation: effect.generation, stable: { spec: { variant: "v2" } } }] });
  });

  it("does not start from a state file that it did not write", async () => {
    fixture = await servingFixture();
    await fixture.serving.close();
    const stateFile = `${fixture.options.stateDir}/serving.json`;
    const good = await readFile(stateFile, "utf8");
    await writeFile(stateFile, good.slice(0, -5));
    await expect(fixture.restart()).rejects.toMatchObject({ code: "bad-state" });
    await writeFile(stateFile, good);
    await fixture.restart();
  });
});
