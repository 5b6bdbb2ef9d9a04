import { ContinuumError } from "../../src/core/error.ts";
import type { Verdict } from "../../src/core/monitor/verdict.ts";
import type {
  Effect,
  Observation,
  Target,
  TargetErrorCode,
  TenantEndpoint,
  VersionSpec,
} from "../../src/drivers/target/target.ts";

export type Quality = "good" | "bad" | "silent";

interface Served {
  stable: VersionSpec | null;
  candidate: VersionSpec | null;
  percent: number;
  weightsSetAtMs: number;
  tripped: Observation["tripped"];
  generation: number;
  keys: Set<string>;
}

/** What a target promises (target.ts), in memory, and nothing more; `sabotage` breaks one promise, to see it noticed. */
export class SimulatedHost
  implements Pick<Target, "snapshot" | "provision" | "shift" | "observe" | "promote" | "rollback">
{
  readonly endpoints = new Map<string, Served>();
  private readonly parts: {
    nowMs: () => number;
    quality: (variant: string) => Quality;
    /** Called just before an effect changes anything. */
    onEffect: (effect: Effect, name: string) => void;
    ignoresGenerations: boolean;
  };

  constructor(parts: SimulatedHost["parts"]) {
    this.parts = parts;
  }

  async snapshot(at: TenantEndpoint): Promise<{ bytes: Uint8Array; empty: boolean }> {
    const { stable } = this.served(at);
    return { bytes: Buffer.from(JSON.stringify({ stable })), empty: stable === null };
  }

  async provision(effect: Effect, candidate: VersionSpec): Promise<void> {
    this.apply(effect, "provision", (served) => Object.assign(served, { candidate, percent: 0, tripped: null }));
  }

  async shift(effect: Effect, { percent }: { percent: number }): Promise<void> {
    this.apply(effect, "shift", (served) => {
      if (served.candidate === null) throw new Error("nothing was provisioned to shift traffic to");
      Object.assign(served, { percent, weightsSetAtMs: this.parts.nowMs(), tripped: null });
    });
  }

  async promote(effect: Effect): Promise<void> {
    this.apply(effect, "promote", (served) => {
      if (served.candidate === null) throw new Error("nothing was provisioned to promote");
      Object.assign(served, { stable: served.candidate, candidate: null, percent: 0, tripped: null });
    });
  }

  async rollback(effect: Effect, snapshot: Uint8Array): Promise<void> {
    const { stable } = JSON.parse(Buffer.from(snapshot).toString()) as Pick<Served, "stable">;
    this.apply(effect, "rollback", (served) =>
      Object.assign(served, { stable, candidate: null, percent: 0, tripped: null }),
    );
  }

  async observe(at: TenantEndpoint): Promise<Observation> {
    const served = this.served(at);
    const verdict = this.judge(served);
    if (verdict.outcome === "fail" && served.tripped === null) {
      // The data plane sends all traffic back by itself, before anybody asks it to.
      const atMs = this.parts.nowMs();
      served.tripped = { atMs, firstBadAtMs: atMs, candidateRequests: 100, candidateErrors: 50, cause: "errors" };
      served.percent = 0;
    }
    return { stable: null, candidate: null, candidatePercent: served.percent, verdict, tripped: served.tripped };
  }

  served(at: TenantEndpoint): Served {
    const key = JSON.stringify([at.tenant, at.endpoint]);
    const known = this.endpoints.get(key);
    if (known !== undefined) return known;
    const fresh = {
      stable: null,
      candidate: null,
      percent: 0,
      weightsSetAtMs: 0,
      tripped: null,
      generation: 0,
      keys: new Set<string>(),
    };
    this.endpoints.set(key, fresh);
    return fresh;
  }

  private apply(effect: Effect, name: string, change: (served: Served) => void): void {
    const served = this.served(effect);
    if (effect.generation < served.generation && !this.parts.ignoresGenerations) {
      const code: TargetErrorCode = "stale-generation";
      throw new ContinuumError(code, `generation ${effect.generation} is older than ${served.generation}`);
    }
    if (served.keys.has(effect.idempotencyKey)) return;
    this.parts.onEffect(effect, name);
    change(served);
    served.generation = effect.generation;
    served.keys.add(effect.idempotencyKey);
  }

  private judge(served: Served): Verdict {
    if (served.tripped !== null) return verdict("fail", "errors", served.tripped.cause);
    if (served.candidate === null || served.percent === 0)
      return verdict("error", "measurement", "No traffic was asked for.");
    const quality = this.parts.quality(served.candidate.variant);
    const forMs = this.parts.nowMs() - served.weightsSetAtMs;
    if (quality === "bad")
      return forMs < 1_500 ? verdict("inconclusive", "traffic", "Too few.") : verdict("fail", "errors", "50 %.");
    // Without a version to compare with, health alone decides; with one, no traffic is never a pass.
    if (quality === "silent" && served.stable !== null) return verdict("inconclusive", "traffic", "No requests.");
    return forMs < 2_000 ? verdict("inconclusive", "traffic", "Too few.") : verdict("pass", "errors", "0 %.");
  }
}

function verdict(outcome: Verdict["outcome"], metric: Verdict["metrics"][number]["metric"], message: string): Verdict {
  return { outcome, metrics: [{ metric, outcome, message, observed: null, limit: null }] };
}
