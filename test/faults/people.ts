import { newRollout } from "../../src/core/rollout/new-rollout.ts";
import { isTerminal } from "../../src/core/rollout/phases.ts";
import type { Approval, Rollout, RolloutEvent } from "../../src/core/rollout/rollout.ts";
import { decisionOf, type Happening, needOf, testPlan } from "../../src/core/rollout/testing/rollouts.ts";
import type { Random } from "./random.ts";
import type { SimulatedClock, WallClock } from "./simulated-clock.ts";
import type { Tally } from "./tally.ts";
import { DatabaseAway, type TinyEngine } from "./tiny-engine.ts";

export const STRATEGIES = ["all-at-once", "canary", "linear"] as const;
export type Strategy = (typeof STRATEGIES)[number];

export interface PeopleParts {
  engine: TinyEngine;
  clock: SimulatedClock;
  /** Of the API that they speak to. */
  wall: WallClock;
  random: Random;
  tally: Tally;
  /** What they choose; by chance when it is not said. */
  strategy?: Strategy | undefined;
  /** Share of commits whose answer is lost, so that they are sent again. */
  lostRate: number;
}

/** Whoever proposes, approves, pauses and changes their mind, and the monitors that raise alarms. */
export class People {
  private readonly parts: PeopleParts;
  private signals = 0;

  constructor(parts: PeopleParts) {
    this.parts = parts;
  }

  async propose(id: string, afterMs: number): Promise<void> {
    const { clock, engine, random } = this.parts;
    await clock.sleep(afterMs);
    const rollout = this.plan(id);
    while (engine.down) await clock.sleep(250);
    engine.found(rollout);
    const holder = engine.holder(rollout);
    if (holder !== undefined && random.chance(0.3)) await this.signal(holder.id, { type: "superseded", by: id });
    if (random.chance(0.05)) await this.signal(id, this.approval("ann"));
    const needs = random.chance(0.3) ? [needOf("approver")] : [];
    const denied = random.chance(0.03);
    const denials = denied ? [{ clause: "AO-5", message: "Too dear." }] : [];
    const slotTaken = engine.slotTaken(rollout);
    const decision = decisionOf({
      decision: denied ? "deny" : needs.length > 0 ? "needs-approval" : "allow",
      needs,
      denials,
      slotTaken,
    });
    await this.signal(id, { type: "proposed", decision });
    // Two who do not know of each other: what one sends again may come after what the other said.
    await Promise.all([this.attend(id), this.attend(id)]);
  }

  /** Looks in now and then until the rollout has ended, and does something more often than is good for it. */
  private async attend(id: string): Promise<void> {
    const { clock, engine, random } = this.parts;
    const restless = random.pick([0, 0.05, 0.4]);
    while (!isTerminal(engine.rollout(id).phase)) {
      await clock.sleep(random.integer(100, 10_000));
      const { phase } = engine.rollout(id);
      if (phase === "AwaitingApproval" && random.chance(0.3))
        await this.signal(id, this.approval(random.pick(["ann", "bob", "agent-1"])));
      else if (phase === "Paused" && random.chance(0.2)) await this.signal(id, { type: "resumed", by: "ann" });
      else if (random.chance(restless)) await this.signal(id, this.whim());
    }
  }

  private whim(): Happening {
    const by = "ann";
    return this.parts.random.pick<Happening>([
      { type: "paused", by },
      { type: "paused", by },
      { type: "paused", by },
      { type: "resumed", by },
      { type: "promote-requested", by },
      { type: "abort-requested", by },
      { type: "rollback-requested", by },
      { type: "rejected", by },
      { type: "alarm", name: "DataDriftAlarm", message: "PSI 0.4" },
    ]);
  }

  private approval(approver: string): Happening {
    const { random, wall } = this.parts;
    const approval: Approval = { approver, role: "approver", mfa: false, signed: false, atMs: wall.nowMs };
    // Whether the slot is free is filled in at the moment of the commit.
    const admission = random.chance(0.05)
      ? { ok: false as const, denials: [] }
      : { ok: true as const, slotTaken: false };
    return { type: "approved", approval, admission };
  }

  /** Sent again, later, when the answer was lost: it must not count twice. */
  private async signal(id: string, happening: Happening): Promise<void> {
    const { engine, clock, wall, random, tally, lostRate } = this.parts;
    this.signals += 1;
    const cause = `signal ${this.signals}`;
    for (;;) {
      const event = { ...this.asOfNow(id, happening), atMs: wall.nowMs + random.integer(-500, 500) } as RolloutEvent;
      try {
        engine.commit(id, { event, cause });
        if (!random.chance(lostRate)) return;
        tally.add("commit answer lost to a person");
      } catch (error) {
        if (!(error instanceof DatabaseAway)) throw error;
      }
      await clock.sleep(random.integer(10, 20_000));
    }
  }

  private asOfNow(id: string, happening: Happening): Happening {
    const { engine } = this.parts;
    if (happening.type === "proposed") {
      const slotTaken = engine.slotTaken(engine.rollout(id));
      return { ...happening, decision: { ...happening.decision, slotTaken } };
    }
    if (happening.type !== "approved" || !happening.admission.ok) return happening;
    return { ...happening, admission: { ok: true, slotTaken: engine.slotTaken(engine.rollout(id)) } };
  }

  private plan(id: string): Rollout {
    const { random, wall } = this.parts;
    const picked = random.pick(STRATEGIES);
    const strategy = this.parts.strategy ?? picked;
    const settings = {
      strategy,
      stepPercent: random.integer(10, 60),
      bakeSeconds: random.integer(0, 12),
      deadlineSeconds: random.integer(20, 180),
    };
    const plan = testPlan(settings, random.chance(0.1));
    const named = { ...plan, metadata: { name: random.pick(["churn", "fraud"]) } };
    const restores = random.chance(0.15) ? { restores: { rollout: "r-1", snapshotSha256: "e".repeat(64) } } : {};
    return newRollout({
      id,
      tenant: "t-1",
      plan: named,
      planDigest: `digest of ${id}`,
      policyDigest: "digest of the policy",
      proposer: "agent-1",
      createdAtMs: wall.nowMs,
      approvalExpirySeconds: 60,
      ...restores,
    });
  }
}
