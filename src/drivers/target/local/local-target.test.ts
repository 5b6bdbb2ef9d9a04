import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServingFixture, servingFixture, TOKEN, TOKEN_HASH } from "../../../serving/testing/serving-fixture.ts";
import { brokenModel, sumModel } from "../../../serving/testing/test-models.ts";
import { targetConformance } from "../target.conformance.ts";
import type { Effect, Guard } from "../target.ts";
import { LocalTarget } from "./local-target.ts";

const GUARD: Guard = {
  alpha: 0.01,
  requestsMin: 20,
  errorRateExcessMax: 0.01,
  latencyRatioMax: 1.5,
  onHealthCheckFailure: true,
};

targetConformance("local", async () => {
  const fixture = await servingFixture();
  return {
    target: new LocalTarget({ controlSocket: fixture.options.controlSocket }),
    version: (variant, overrides) => fixture.version(variant, sumModel({ bias: variant === "v1" ? 1 : 2 }), overrides),
    dispose: () => fixture.dispose(),
  };
});

describe("a model served on this host", () => {
  let fixture: ServingFixture;
  let target: LocalTarget;
  let generation = 0;
  const at = { tenant: "acme", endpoint: { environment: "development", target: "local", name: "churn" } } as const;

  function effect(): Effect {
    generation += 1;
    return { ...at, generation, idempotencyKey: `r/${generation}/effect` };
  }

  async function invoke(rows: number[][]): Promise<{ status: number; variant: string | null; body: unknown }> {
    const response = await fetch(`${fixture.serving.url}/endpoints/development-churn/invocations`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify({ instances: rows }),
    });
    return {
      status: response.status,
      variant: response.headers.get("x-continuum-variant"),
      body: await response.json(),
    };
  }

  beforeAll(async () => {
    fixture = await servingFixture();
    target = new LocalTarget({ controlSocket: fixture.options.controlSocket });
    await target.pushCredentials({
      revision: 1,
      credentials: [{ hash: TOKEN_HASH, tenant: "acme", environment: null, endpoint: null, expiresAtMs: null }],
    });
  });
  afterAll(() => fixture.dispose());

  it("serves a first version that passes on health, then splits, promotes and answers without a failure", async () => {
    await target.provision(effect(), fixture.version("v1", sumModel({ bias: 10 })));
    await target.shift(effect(), { percent: 100, guard: GUARD });
    expect((await target.observe(at)).verdict.outcome).toBe("pass");
    await target.promote(effect());
    expect(await invoke([[1, 2, 3]])).toEqual({ status: 200, variant: "v1", body: { predictions: [16] } });

    await target.provision(effect(), fixture.version("v2", sumModel({ bias: 20 })));
    expect((await target.observe(at)).verdict.outcome).toBe("inconclusive");
    await target.shift(effect(), { percent: 50, guard: GUARD });
    const seen = new Map<string | null, number>();
    for (let n = 0; n < 120; n += 1) {
      const answer = await invoke([[1, 1, 1]]);
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({ predictions: [answer.variant === "v2" ? 23 : 13] });
      seen.set(answer.variant, (seen.get(answer.variant) ?? 0) + 1);
    }
    expect(seen.get("v1")).toBeGreaterThan(20);
    expect(seen.get("v2")).toBeGreaterThan(20);
    const observed = await target.observe(at);
    expect(observed.verdict.outcome).toBe("pass");
    expect(observed.candidate?.requests).toBe(seen.get("v2"));
    await target.promote(effect());
    expect((await target.describe(at))?.variants).toMatchObject([{ variant: "v2", percent: 100, role: "stable" }]);
  });

  it("sends all traffic back to stable by itself when the candidate fails, and says so", async () => {
    const { bytes } = await target.snapshot(at);
    await target.provision(effect(), fixture.version("v3", brokenModel()));
    await target.shift(effect(), { percent: 50, guard: GUARD });
    let failures = 0;
    for (let n = 0; n < 300; n += 1) {
      const { status } = await invoke([[n % 2 === 0 ? 9 : 1, 0, 0]]);
      if (status === 500) failures += 1;
      else expect(status).toBe(200);
    }
    const observed = await target.observe(at);
    expect(observed.tripped).toMatchObject({ candidateErrors: failures });
    expect(observed.tripped?.firstBadAtMs).toBeLessThanOrEqual(observed.tripped?.atMs ?? 0);
    expect(observed.verdict.outcome).toBe("fail");
    expect(observed.candidatePercent).toBe(0);
    expect(failures).toBeLessThan(40);
    await expect(target.shift(effect(), { percent: 50, guard: GUARD })).rejects.toMatchObject({ code: "tripped" });
    await target.rollback(effect(), bytes);
    expect((await target.describe(at))?.variants).toMatchObject([{ variant: "v2", percent: 100 }]);
  });
});
