import { describe, expect, it } from "vitest";
import type { Admission, Approval } from "./rollout.ts";
import { decisionOf, type Happening, needOf, Script, testPlan, testRollout } from "./testing/rollouts.ts";

const FREE: Admission = { ok: true, slotTaken: false };
const needing = (...needs: ReturnType<typeof needOf>[]): Happening => ({
  type: "proposed",
  decision: decisionOf({ decision: "needs-approval", needs }),
});

function approved(approver: string, change: Partial<Approval> = {}, admission: Admission = FREE): Happening {
  return {
    type: "approved",
    approval: { approver, role: "approver", mfa: true, signed: true, atMs: 0, ...change },
    admission,
  };
}

describe("a proposal", () => {
  it("that the policy denies ends with every clause", () => {
    const denials = [
      { clause: "AO-4", message: "Two instances at least." },
      { clause: "AO-6", message: "Too dear." },
    ];
    const script = new Script().happens({ type: "proposed", decision: decisionOf({ decision: "deny", denials }) });
    expect(script.rollout).toMatchObject({
      phase: "Denied",
      refusals: denials,
      reason: { code: "policy", message: "AO-4: Two instances at least. (and 1 more)" },
    });
  });

  it("that is denied is denied as a dry run too", () => {
    const script = new Script(testRollout(testPlan({}, true)));
    script.happens({ type: "proposed", decision: decisionOf({ decision: "deny" }) });
    expect(script.rollout.phase).toBe("Denied");
  });

  it("that asks for an approval without saying whose is denied", () => {
    const script = new Script().happens(needing());
    expect(script.rollout).toMatchObject({ phase: "Denied", refusals: [{ clause: "AO-7" }] });
  });

  it("waits when approvals are named, whatever word the decision uses", () => {
    const decision = decisionOf({ decision: "allow", needs: [needOf("approver")] });
    expect(new Script().happens({ type: "proposed", decision }).rollout.phase).toBe("AwaitingApproval");
  });

  it("is decided once", () => {
    const proposed: Happening = { type: "proposed", decision: decisionOf() };
    expect(new Script().happens(proposed).refuses(proposed)).toContain("already");
  });
});

describe("approvals", () => {
  it("admit when the quorum is complete, and start the clock only then", () => {
    const script = new Script()
      .happens(needing(needOf("approver", { count: 2 })))
      .later(5_000)
      .happens(approved("ann"));
    expect(script.rollout).toMatchObject({ phase: "AwaitingApproval", clock: { runningSinceMs: null } });
    script.later(5_000);
    expect(script.try(approved("bob")).entered).toEqual(["Admitted", "Verifying"]);
    script.happens(approved("bob"));
    expect(script.rollout).toMatchObject({ phase: "Verifying", expiresAtMs: null, wakeAtMs: 610_000 });
  });

  it("decide again: the world may have moved", () => {
    const denied: Admission = { ok: false, denials: [{ clause: "AO-5", message: "The environment is full." }] };
    const waiting = () => new Script().happens(needing(needOf("approver")));
    expect(waiting().happens(approved("ann", {}, denied)).rollout.phase).toBe("Denied");
    expect(waiting().happens(approved("ann", {}, { ok: true, slotTaken: true })).rollout.phase).toBe("Queued");
  });

  it("count one person once, whatever the role", () => {
    const script = new Script().happens(needing(needOf("approver"), needOf("budget-owner")), approved("ann"));
    expect(script.refuses(approved("ann", { role: "budget-owner" }))).toContain("one person counts once");
    expect(script.happens(approved("bob", { role: "budget-owner" })).rollout.phase).toBe("Verifying");
  });

  it("never count from the proposer", () => {
    expect(new Script().happens(needing(needOf("approver"))).refuses(approved("agent-1"))).toContain("of their own");
  });

  it("that lack MFA or a signature are refused where these are needed", () => {
    const script = new Script().happens(needing(needOf("approver", { mfa: true, signed: true })));
    expect(script.refuses(approved("ann", { mfa: false }))).toContain("approver with MFA with a signature");
    expect(script.refuses(approved("ann", { signed: false }))).toContain("would not count");
    expect(script.refuses(approved("ann", { role: "budget-owner" }))).toContain("would not count");
    expect(script.happens(approved("ann")).rollout.phase).toBe("Verifying");
  });

  it("that come before the wait are remembered", () => {
    const script = new Script().happens(approved("ann"), needing(needOf("approver")));
    expect(script.rollout.phase).toBe("Verifying");
  });

  it("that come before the wait do not count when they do not fit", () => {
    const script = new Script().happens(approved("ann", { mfa: false }), needing(needOf("approver", { mfa: true })));
    expect(script.rollout.phase).toBe("AwaitingApproval");
    expect(script.happens(approved("bob")).rollout.phase).toBe("Verifying");
  });

  it("come too late once the time is over, and a tick ends the wait", () => {
    const script = new Script().happens(needing(needOf("approver")));
    expect(script.rollout.wakeAtMs).toBe(24 * 3600_000);
    script.later(24 * 3600_000 - 1);
    expect(script.refuses({ type: "tick" })).toBe("Nothing is due.");
    script.later(1);
    expect(script.refuses(approved("ann"))).toContain("over");
    expect(script.happens({ type: "tick" }).rollout).toMatchObject({ phase: "Expired", reason: { code: "expired" } });
  });

  it("are not for dry runs", () => {
    const script = new Script(testRollout(testPlan({}, true))).happens(needing(needOf("approver")));
    expect(script.rollout.phase).toBe("Verifying");
    expect(script.refuses(approved("ann"))).toContain("dry run");
  });
});

describe("a broken glass", () => {
  const NEEDS = [needOf("approver", { mfa: true, signed: true, count: 2 }), needOf("budget-owner", { mfa: true })];
  const broken = (by: string, change: Partial<Approval> = {}, admission?: Admission) =>
    approved(by, { role: "break-glass", reason: "nobody is there", ...change }, admission);

  it("stands for everybody who is still needed", () => {
    const script = new Script().happens(needing(...NEEDS), broken("gus"));
    expect(script.rollout).toMatchObject({ phase: "Verifying", approvals: [{ approver: "gus", role: "break-glass" }] });
  });

  it("is open to who has approved already, and never to the proposer", () => {
    const script = new Script().happens(needing(...NEEDS), approved("gus"));
    expect(script.refuses(broken("agent-1"))).toContain("of their own");
    expect(script.happens(broken("gus")).rollout.phase).toBe("Verifying");
  });

  it("is none without its signature or its second factor", () => {
    const script = new Script().happens(needing(...NEEDS));
    expect(script.refuses(broken("gus", { mfa: false }))).toContain("would not count");
    expect(script.refuses(broken("gus", { signed: false }))).toContain("would not count");
  });

  it("is denied by what denies", () => {
    const denied: Admission = { ok: false, denials: [{ clause: "AO-6", message: "Too dear." }] };
    expect(new Script().happens(needing(...NEEDS), broken("gus", {}, denied)).rollout.phase).toBe("Denied");
  });
});

describe("a change of what approvals are about", () => {
  it.each([
    ["plan", "What it was about changed"],
    ["policy", "The policy in force changed"],
    ["evidence", "Evidence that an approver saw"],
  ] as const)("ends the wait with its cause: the %s", (why, words) => {
    const script = new Script().happens(needing(needOf("approver")), { type: "superseded", by: "ann", why });
    const reason = { code: "superseded", message: expect.stringContaining(words) };
    expect(script.rollout).toMatchObject({ phase: "Superseded", reason });
  });

  it("stops nothing that has its approvals: that is its gates' to judge", () => {
    const script = new Script().happens(needing(needOf("approver")), approved("ann"));
    expect(script.refuses({ type: "superseded", by: "ann", why: "policy" })).toContain("Nothing waits");
  });
});

describe("a rejection", () => {
  it("ends the wait with who and why", () => {
    const script = new Script().happens(needing(needOf("approver")));
    script.happens({ type: "rejected", by: "ann", comment: "not on a Friday" });
    expect(script.rollout).toMatchObject({
      phase: "Rejected",
      reason: { message: "Rejected by ann: not on a Friday" },
    });
  });
});

describe("the queue", () => {
  const queued: Happening = { type: "proposed", decision: decisionOf({ slotTaken: true }) };

  it("keeps a rollout off the clock until the slot is its own", () => {
    const script = new Script().happens(queued).later(3_600_000);
    expect(script.rollout).toMatchObject({ phase: "Queued", wakeAtMs: null });
    expect(script.refuses({ type: "dequeued", admission: { ok: true, slotTaken: true } })).toContain("stays queued");
    script.happens({ type: "dequeued", admission: FREE });
    expect(script.rollout).toMatchObject({ phase: "Verifying", wakeAtMs: 4_200_000 });
  });

  it("decides again when the slot is free", () => {
    const denials = [{ clause: "AO-5", message: "The environment is full." }];
    const script = new Script().happens(queued, { type: "dequeued", admission: { ok: false, denials } });
    expect(script.rollout).toMatchObject({ phase: "Denied", refusals: denials });
  });
});
