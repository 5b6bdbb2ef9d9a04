import { expect, test } from "vitest";
import type { Verdict } from "../core/monitor/verdict.ts";
import type { Quiet } from "../core/rollout/rollout.ts";
import { verdictMark } from "../core/rollout/verdict-mark.ts";
import type { SimulatedFault } from "../drivers/target/simulated/simulated-fault.ts";
import { MemorySimulatedStore } from "../drivers/target/simulated/simulated-store.ts";
import { SimulatedTarget } from "../drivers/target/simulated/simulated-target.ts";
import type { TenantEndpoint } from "../drivers/target/target.ts";
import type { MonitorLook } from "./alarms/monitor-look.ts";
import { simulatedPlan, TENANT } from "./testing/engine-fixture.ts";
import { guardOf } from "./version.ts";
import { watch } from "./watch.ts";

const at: TenantEndpoint = {
  tenant: TENANT,
  endpoint: { environment: "development", target: "simulated", name: "churn" },
};

interface Scene {
  outcome?: Verdict["outcome"];
  trips?: boolean;
  fault?: () => SimulatedFault | undefined;
  percent?: number;
}

/** A stable version and a candidate on ten percent; the watch of it ends after `forMs`. */
async function watched(
  scene: Scene,
  forMs: number,
  how: { percent?: number; signal?: AbortSignal; quiet?: Quiet; monitor?: MonitorLook } = {},
) {
  let fault: Scene["fault"];
  const target = new SimulatedTarget({
    store: new MemorySimulatedStore(),
    nowMs: Date.now,
    behaviour: () => ({ outcome: scene.outcome ?? "pass", errorRate: 0.5, latencyMs: 1, trips: scene.trips ?? false }),
    faults: ({ method }) => (method === "observe" ? fault?.() : undefined),
  });
  let generation = 0;
  const effect = () => {
    generation += 1;
    return { ...at, generation, idempotencyKey: String(generation) };
  };
  for (const [variant, percent] of [
    ["one", 100],
    ["two", 10],
  ] as const) {
    const version = { variant, modelName: "m", modelVersion: "1", artifactDigest: "sha256:0", planDigest: "sha256:0" };
    await target.provision(effect(), { ...version, instanceType: "ml.m5.large", instanceCount: 1 });
    await target.shift(effect(), { percent, guard: guardOf(simulatedPlan()) });
    if (variant === "one") await target.promote(effect());
  }
  fault = scene.fault;
  const startMs = Date.now();
  const quiet = how.quiet === undefined ? {} : { quiet: how.quiet };
  const verdict = await watch({
    ...{ target, at, nowMs: Date.now, signal: how.signal ?? new AbortController().signal, monitor: how.monitor },
    command: { type: "watch", percent: how.percent ?? 10, untilMs: startMs + forMs, mode: "bake", ...quiet },
  });
  return { verdict, tookMs: Date.now() - startMs };
}

test("a candidate that passes is watched to the end", async () => {
  const { verdict, tookMs } = await watched({}, 300);
  expect(verdict.outcome).toBe("pass");
  expect(tookMs).toBeGreaterThanOrEqual(299);
});

test("a failure is told at once", async () => {
  const { verdict, tookMs } = await watched({ outcome: "fail" }, 60_000);
  expect(verdict.outcome).toBe("fail");
  expect(tookMs).toBeLessThan(5000);
});

test("a data plane that has acted already is a failure, with what it saw", async () => {
  const { verdict } = await watched({ outcome: "fail", trips: true }, 60_000);
  expect(verdict.outcome).toBe("fail");
});

test("a target that cannot be asked is asked again, and the verdict says so when it never answers", async () => {
  const away = await watched({ fault: () => ({ kind: "time-out" }) }, 300);
  expect(away.verdict).toMatchObject({ outcome: "error", metrics: [{ metric: "measurement" }] });

  let asked = 0;
  const back = await watched(
    {
      fault: () => {
        asked += 1;
        return asked === 1 ? { kind: "time-out" } : undefined;
      },
    },
    300,
  );
  expect(back.verdict.outcome).toBe("pass");
});

test("a pass of another share of traffic than the one that is judged counts for nothing", async () => {
  const { verdict } = await watched({}, 0, { percent: 50 });
  expect(verdict).toMatchObject({ outcome: "error", metrics: [{ message: expect.stringContaining("10 %") }] });
});

test("a watch that nobody wants ends at once", async () => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(new Error("not wanted")), 50);
  await expect(watched({}, 60_000, { signal: stop.signal })).rejects.toThrow(/not wanted|aborted/);
});

test("what the history knows is kept back until it changes, or until the last word is due", async () => {
  const known = verdictMark((await watched({ outcome: "inconclusive" }, 0)).verdict);
  const due = Date.now() + 600;
  const last = await watched({ outcome: "inconclusive" }, 0, { quiet: { known, untilMs: due } });
  expect(last.verdict.outcome).toBe("inconclusive");
  expect(Date.now()).toBeGreaterThanOrEqual(due);

  let asked = 0;
  const away = () => {
    asked += 1;
    return asked > 2 ? ({ kind: "time-out" } as const) : undefined;
  };
  const changed = await watched({ outcome: "inconclusive", fault: away }, 0, { quiet: { known, untilMs: null } });
  expect(changed.verdict.outcome).toBe("error");
  expect(asked).toBe(3);
});

test("what the monitor adds counts, and it is not asked about what has failed already", async () => {
  let asked = 0;
  const monitor = async (verdict: Verdict): Promise<Verdict> => {
    asked += 1;
    return { ...verdict, outcome: asked < 3 ? "inconclusive" : "fail" };
  };
  expect((await watched({}, 60_000, { monitor })).verdict.outcome).toBe("fail");
  expect(asked).toBe(3);
  expect((await watched({ outcome: "fail" }, 60_000, { monitor })).verdict.outcome).toBe("fail");
  expect(asked).toBe(3);
});
