import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Effect, Guard, Target, TenantEndpoint, VersionSpec } from "./target.ts";

/** One target under test. */
export interface TargetUnderTest {
  target: Target;
  /** A version whose artifact the target can read; each name is another model. */
  version(variant: "v1" | "v2", overrides?: Partial<VersionSpec>): VersionSpec;
  dispose(): Promise<void>;
}

const GUARD: Guard = {
  alpha: 0.01,
  requestsMin: 10,
  errorRateExcessMax: 0.01,
  latencyRatioMax: 1.5,
  onHealthCheckFailure: true,
};

/** The promises of the port, held against one driver. Every test uses an endpoint of its own. */
export function targetConformance(name: string, make: () => Promise<TargetUnderTest>): void {
  describe(`the target port: ${name}`, () => {
    let tested: TargetUnderTest;
    let target: Target;
    let endpoints = 0;
    let generation = 0;

    beforeAll(async () => {
      tested = await make();
      target = tested.target;
    });
    afterAll(() => tested.dispose());

    function freshEndpoint(): TenantEndpoint {
      endpoints += 1;
      return {
        tenant: "acme",
        endpoint: { environment: "development", target: target.name, name: `endpoint-${endpoints}` },
      };
    }
    function effectOn(at: TenantEndpoint, overrides: Partial<Effect> = {}): Effect {
      generation += 1;
      return { ...at, generation, idempotencyKey: `rollout/${generation}/effect`, ...overrides };
    }
    /** An endpoint where v1 serves. */
    async function serving(): Promise<TenantEndpoint> {
      const at = freshEndpoint();
      await target.provision(effectOn(at), tested.version("v1"));
      await target.shift(effectOn(at), { percent: 100, guard: GUARD });
      await target.promote(effectOn(at));
      return at;
    }
    async function variantsOf(at: TenantEndpoint): Promise<[variant: string, percent: number, role: string][]> {
      const status = await target.describe(at);
      return (status?.variants ?? []).map(({ variant, percent, role }) => [variant, percent, role]);
    }

    it("says of an endpoint that never was that there is none, and takes an empty snapshot of it", async () => {
      const at = freshEndpoint();
      expect(await target.describe(at)).toBeUndefined();
      expect((await target.snapshot(at)).empty).toBe(true);
      const observed = await target.observe(at);
      expect(observed).toMatchObject({ stable: null, candidate: null, candidatePercent: 0, tripped: null });
      expect(observed.verdict.outcome).not.toBe("pass");
    });

    it("provisions a candidate with no traffic, and judges none that has no traffic as passed", async () => {
      const at = await serving();
      await target.provision(effectOn(at), tested.version("v2"));
      expect(await variantsOf(at)).toEqual([
        ["v1", 100, "stable"],
        ["v2", 0, "candidate"],
      ]);
      expect((await target.observe(at)).verdict.outcome).toBe("inconclusive");
    });

    it("provisions once however often it is told", async () => {
      const at = freshEndpoint();
      const effect = effectOn(at);
      await Promise.all([
        target.provision(effect, tested.version("v1")),
        target.provision(effect, tested.version("v1")),
      ]);
      await target.provision(effect, tested.version("v1"));
      const status = await target.describe(at);
      expect(status?.variants).toHaveLength(1);
      expect(status?.variants[0]?.replicas).toEqual({ wanted: 1, healthy: 1 });
    });

    it("shifts traffic, says where it is, and does the same effect once", async () => {
      const at = await serving();
      await target.provision(effectOn(at), tested.version("v2"));
      const effect = effectOn(at);
      await target.shift(effect, { percent: 25, guard: GUARD });
      await target.shift(effect, { percent: 25, guard: GUARD });
      expect((await target.observe(at)).candidatePercent).toBe(25);
      expect(await variantsOf(at)).toEqual([
        ["v1", 75, "stable"],
        ["v2", 25, "candidate"],
      ]);
    });

    it("gives a first version everything, because nothing else could answer", async () => {
      const at = freshEndpoint();
      await target.provision(effectOn(at), tested.version("v1"));
      await target.shift(effectOn(at), { percent: 10, guard: GUARD });
      const observed = await target.observe(at);
      expect(observed).toMatchObject({ stable: null, candidatePercent: 100 });
      expect(observed.verdict.outcome).toBe("pass");
    });

    it("promotes the candidate and retires the version before it, once", async () => {
      const at = await serving();
      await target.provision(effectOn(at), tested.version("v2"));
      await target.shift(effectOn(at), { percent: 100, guard: GUARD });
      const effect = effectOn(at);
      await target.promote(effect);
      await target.promote(effect);
      expect(await variantsOf(at)).toEqual([["v2", 100, "stable"]]);
    });

    it("refuses to shift to or promote a candidate that is not there", async () => {
      const at = await serving();
      await expect(target.shift(effectOn(at), { percent: 10, guard: GUARD })).rejects.toMatchObject({
        code: "not-available",
      });
      await expect(target.promote(effectOn(at))).rejects.toMatchObject({ code: "not-available" });
      expect(await variantsOf(at)).toEqual([["v1", 100, "stable"]]);
    });

    it("takes the same snapshot of the same state, and another of another", async () => {
      const at = await serving();
      const first = await target.snapshot(at);
      const again = await target.snapshot(at);
      expect(first.empty).toBe(false);
      expect(Buffer.from(again.bytes)).toEqual(Buffer.from(first.bytes));
      expect(JSON.parse(Buffer.from(first.bytes).toString("utf8"))).toMatchObject({ empty: false });
      await target.provision(effectOn(at), tested.version("v2"));
      await target.promote(effectOn(at));
      expect(Buffer.from((await target.snapshot(at)).bytes)).not.toEqual(Buffer.from(first.bytes));
    });

    it("rolls back under way: the candidate goes, what served serves", async () => {
      const at = await serving();
      const { bytes } = await target.snapshot(at);
      await target.provision(effectOn(at), tested.version("v2"));
      await target.shift(effectOn(at), { percent: 50, guard: GUARD });
      const effect = effectOn(at);
      await target.rollback(effect, bytes);
      await target.rollback(effect, bytes);
      expect(await variantsOf(at)).toEqual([["v1", 100, "stable"]]);
    });

    it("rolls back after a promotion: what served before is brought back", async () => {
      const at = await serving();
      const { bytes } = await target.snapshot(at);
      await target.provision(effectOn(at), tested.version("v2"));
      await target.promote(effectOn(at));
      await target.rollback(effectOn(at), bytes);
      expect(await variantsOf(at)).toEqual([["v1", 100, "stable"]]);
    });

    it("rolls back a rollback", async () => {
      const at = await serving();
      const one = await target.snapshot(at);
      await target.provision(effectOn(at), tested.version("v2"));
      await target.promote(effectOn(at));
      const two = await target.snapshot(at);
      await target.rollback(effectOn(at), one.bytes);
      await target.rollback(effectOn(at), two.bytes);
      expect(await variantsOf(at)).toEqual([["v2", 100, "stable"]]);
    });

    it("removes the endpoint when it rolls back to an empty snapshot", async () => {
      const at = freshEndpoint();
      const { bytes, empty } = await target.snapshot(at);
      expect(empty).toBe(true);
      await target.provision(effectOn(at), tested.version("v1"));
      await target.shift(effectOn(at), { percent: 100, guard: GUARD });
      await target.rollback(effectOn(at), bytes);
      expect(await target.describe(at)).toBeUndefined();
    });

    it("refuses an effect of an older generation, also after the endpoint was removed", async () => {
      const at = await serving();
      const { bytes } = await target.snapshot(at);
      const stale = effectOn(at);
      await target.provision(effectOn(at), tested.version("v2"));
      const refused = { code: "stale-generation" };
      await expect(target.shift(stale, { percent: 50, guard: GUARD })).rejects.toMatchObject(refused);
      await expect(target.promote(stale)).rejects.toMatchObject(refused);
      await expect(target.rollback(stale, bytes)).rejects.toMatchObject(refused);
      await expect(target.scale(stale, 2)).rejects.toMatchObject(refused);
      await expect(target.remove(stale)).rejects.toMatchObject(refused);
      expect(await variantsOf(at)).toEqual([
        ["v1", 100, "stable"],
        ["v2", 0, "candidate"],
      ]);
      await target.remove(effectOn(at));
      await expect(target.provision(stale, tested.version("v2"))).rejects.toMatchObject(refused);
      expect(await target.describe(at)).toBeUndefined();
    });

    it("keeps the generation of an effect that it refused", async () => {
      const at = await serving();
      const stale = effectOn(at);
      await expect(target.promote(effectOn(at))).rejects.toMatchObject({ code: "not-available" });
      await expect(target.scale(stale, 2)).rejects.toMatchObject({ code: "stale-generation" });
    });

    it("scales what serves, up and down", async () => {
      const at = await serving();
      const effect = effectOn(at);
      await target.scale(effect, 2);
      await target.scale(effect, 2);
      expect((await target.describe(at))?.variants[0]?.replicas).toEqual({ wanted: 2, healthy: 2 });
      await target.scale(effectOn(at), 1);
      expect((await target.describe(at))?.variants[0]?.replicas).toEqual({ wanted: 1, healthy: 1 });
      await expect(target.scale(effectOn(freshEndpoint()), 2)).rejects.toMatchObject({ code: "no-such-endpoint" });
    });

    it("removes an endpoint, and one that is not there", async () => {
      const at = await serving();
      await target.remove(effectOn(at));
      await target.remove(effectOn(at));
      expect(await target.describe(at)).toBeUndefined();
      expect((await target.snapshot(at)).empty).toBe(true);
    });

    it("keeps tenants apart", async () => {
      const at = await serving();
      const other = { ...at, tenant: "other" };
      expect(await target.describe(other)).toBeUndefined();
      await target.remove(effectOn(other));
      expect(await variantsOf(at)).toEqual([["v1", 100, "stable"]]);
    });

    it("says in its outputs whether anything is real", async () => {
      const at = await serving();
      expect((await target.describe(at))?.simulated).toBe(target.simulated);
    });
  });
}
