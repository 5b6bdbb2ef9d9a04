import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { advance } from "./advance.ts";
import { brokenInvariants } from "./invariants.ts";
import { isTerminal } from "./phases.ts";
import type { Command, Rollout, RolloutEvent } from "./rollout.ts";
import { ROLLOUT_FORM, upgradeRollout } from "./upgrade-rollout.ts";

/** What the program of commit 6719b83 left in its database when it was stopped: one row in each phase that can rest. */
const STORED = JSON.parse(readFileSync(new URL("./testing/stored-by-6719b83.json", import.meta.url), "utf8")) as {
  name: string;
  state: Record<string, unknown>;
  jobs: Command[] | null;
}[];

type Body = RolloutEvent extends infer Event ? (Event extends RolloutEvent ? Omit<Event, "atMs"> : never) : never;

const PASS = { outcome: "pass" as const, metrics: [], atMs: 0 } as unknown as Extract<
  Body,
  { type: "watched" }
>["verdict"];

function answerOf(command: Command): Body {
  switch (command.type) {
    case "verify":
      return { type: "verified", refusals: [] };
    case "snapshot":
      return { type: "snapshot-taken", sha256: "a".repeat(64), empty: true };
    case "gate":
      return { type: "gate-passed" };
    case "provision":
      return { type: "provisioned" };
    case "shift":
      return { type: "shifted", percent: command.percent };
    case "watch":
      return { type: "watched", verdict: PASS };
    case "promote":
      return { type: "promoted" };
    case "rollback":
      return { type: "rolled-back" };
  }
}

/** People resume and give a slot; everything else answers well. */
function toTheEnd(stored: Rollout): Rollout {
  let rollout = stored;
  for (let step = 0; step < 60 && !isTerminal(rollout.phase); step += 1) {
    const { pending, phase } = rollout;
    const body: Body | undefined =
      phase === "Paused"
        ? { type: "resumed", by: "ada" }
        : phase === "Queued"
          ? { type: "dequeued", admission: { ok: true, slotTaken: false } }
          : phase === "AwaitingApproval"
            ? {
                type: "approved",
                approval: { approver: "bob", role: "approver", mfa: false, signed: false, atMs: rollout.seenAtMs },
                admission: { ok: true, slotTaken: false },
              }
            : pending === null
              ? undefined
              : answerOf(pending.command);
    if (body === undefined) throw new Error(`${rollout.id} waits for nothing in ${phase}`);
    const at = rollout.plan.spec.rollout.bakeSeconds * 1000 + 1;
    const next = advance(rollout, {
      ...body,
      atMs: rollout.seenAtMs + (body.type === "watched" ? at : 1),
    } as RolloutEvent);
    if (!next.accepted) throw new Error(`${rollout.id} in ${phase}: ${next.refusal}`);
    rollout = next.rollout;
  }
  return rollout;
}

describe("a rollout that an older program stored", () => {
  test("is there in every phase that can rest", () => {
    const phases = new Set(STORED.map(({ state }) => state["phase"]));
    for (const phase of [
      "AwaitingApproval",
      "Queued",
      "Verifying",
      "Snapshotting",
      "Provisioning",
      "Shifting",
      "Baking",
    ])
      expect(phases).toContain(phase);
    for (const phase of ["Promoting", "Paused", "RollingBack"]) expect(phases).toContain(phase);
  });

  test.each(STORED)("$name is read in the present form, and keeps everything that it said", ({ state }) => {
    const rollout = upgradeRollout(state);
    expect(rollout.form).toBe(ROLLOUT_FORM);
    expect(rollout).toMatchObject(state);
    expect(brokenInvariants(rollout)).toEqual([]);
    expect(upgradeRollout(rollout)).toBe(rollout);
    expect(rollout.lastVerdict === null || rollout.lastVerdict.mark === "").toBe(true);
  });

  test.each(STORED.filter(({ state }) => state["phase"] !== "Succeeded"))(
    "$name goes on to its end",
    ({ name, state }) => {
      const stored = upgradeRollout(state);
      expect(toTheEnd(stored).phase).toBe(name === "rolling-back" ? "RolledBack" : "Succeeded");
    },
  );

  test.each(STORED)("$name answers every signal", ({ state }) => {
    const stored = upgradeRollout(state);
    const signals: Body[] = [
      { type: "paused", by: "ada" },
      { type: "abort-requested", by: "ada" },
      { type: "superseded", by: "r-2" },
      { type: "alarm", name: "DataDriftAlarm", message: "drift" },
      { type: "tick" },
      { type: "rollback-requested", by: "ada" },
    ];
    for (const body of signals) {
      const { rollout } = advance(stored, { ...body, atMs: stored.seenAtMs + 1 } as RolloutEvent);
      expect(brokenInvariants(rollout)).toEqual([]);
    }
  });

  test("its waiting job is the command that its state waits for", () => {
    for (const { state, jobs } of STORED) {
      const { pending } = upgradeRollout(state);
      expect(jobs ?? []).toEqual(pending === null ? [] : [pending.command]);
    }
  });
});

test("a verdict of the first form is unlike the next one, which is told", () => {
  const lastVerdict = { outcome: "inconclusive", message: "no traffic yet" };
  expect(upgradeRollout({ ...STORED[0]?.state, lastVerdict }).lastVerdict).toEqual({ ...lastVerdict, mark: "" });
});

test("a rollout that a newer program stored is refused, not misread", () => {
  const state = { ...STORED[0]?.state, form: ROLLOUT_FORM + 1 };
  expect(() => upgradeRollout(state)).toThrow(/newer program/);
});
