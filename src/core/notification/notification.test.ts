import { describe, expect, test } from "vitest";
import type { AuditEntry } from "../audit/entry.ts";
import { NOTIFICATION_TYPE_NAMES } from "./event-types.ts";
import { countsAgainstBreaker, notificationsOf } from "./notification.ts";

function entryOf(action: string, details: AuditEntry["details"] = {}, changes: Partial<AuditEntry> = {}): AuditEntry {
  return {
    version: 1,
    tenant: "acme",
    at: "2026-11-23T07:00:00.000Z",
    actor: { id: "olga", kind: "human" },
    action,
    subject: { type: "rollout", id: "r-1" },
    outcome: "accepted",
    details,
    ...changes,
  };
}
const typesOf = (entry: AuditEntry, opened = false) =>
  notificationsOf({ position: 7, entry }, opened).map(({ type }) => type);
const moved = (fromPhase: string, phase: string, action = "rollout.tick") =>
  typesOf(entryOf(action, { fromPhase, phase }));

describe("what an entry of the audit log tells", () => {
  test.each([
    ["Proposed", "Denied", ["rollout.denied"]],
    ["Proposed", "AwaitingApproval", ["approval.requested"]],
    ["Proposed", "Verifying", ["rollout.admitted"]],
    ["Proposed", "Queued", ["rollout.queued"]],
    ["Queued", "Verifying", ["rollout.admitted"]],
    ["AwaitingApproval", "Expired", ["approval.expired"]],
    ["AwaitingApproval", "Rejected", ["approval.rejected"]],
    ["Queued", "Superseded", ["rollout.superseded"]],
    ["Baking", "Paused", ["rollout.paused"]],
    ["Paused", "Baking", ["rollout.resumed"]],
    ["Paused", "RollingBack", ["rollout.rolling-back"]],
    ["RollingBack", "RolledBack", ["rollout.rolled-back"]],
    ["RollingBack", "Failed", ["rollout.failed"]],
    ["Verifying", "Aborted", ["rollout.aborted"]],
    ["Verifying", "DryRunCompleted", ["rollout.dry-run-completed"]],
    ["Verifying", "Snapshotting", []],
  ])("from %s to %s", (from, to, types) => expect(moved(from, to)).toEqual(types));

  test("an approval is told whether or not it was the last that was needed", () => {
    expect(typesOf(entryOf("rollout.approved", { phase: "AwaitingApproval" }))).toEqual(["approval.given"]);
    expect(moved("AwaitingApproval", "Verifying", "rollout.approved")).toEqual(["approval.given", "rollout.admitted"]);
  });

  test("traffic, promotion and alarms", () => {
    expect(moved("Shifting", "Baking", "rollout.shifted")).toEqual(["rollout.shifted"]);
    expect(moved("Promoting", "Succeeded", "rollout.promoted")).toEqual(["rollout.promoted", "rollout.succeeded"]);
    expect(moved("Baking", "RollingBack", "rollout.alarm")).toEqual(["rollout.alarm", "rollout.rolling-back"]);
  });

  test("what was refused or failed is not told as if it had happened", () => {
    expect(typesOf(entryOf("endpoint.scale", {}, { outcome: "failed" }))).toEqual([]);
    expect(typesOf(entryOf("request.refuse", {}, { outcome: "refused" }))).toEqual([]);
  });

  test("a test is for its own webhook alone, and a breaker for all", () => {
    const subject = { type: "webhook", id: "wh_1" };
    expect(notificationsOf({ position: 1, entry: entryOf("webhook.test", {}, { subject }) })).toMatchObject([
      { type: "webhook.test", onlyFor: "wh_1", data: { webhook: "wh_1" } },
    ]);
    const failed = entryOf("rollout.rolled-back", { fromPhase: "RollingBack", phase: "RolledBack" });
    expect(countsAgainstBreaker(failed)).toBe(true);
    expect(countsAgainstBreaker(entryOf("rollout.promoted", { fromPhase: "Promoting", phase: "Succeeded" }))).toBe(
      false,
    );
    expect(typesOf(failed, true)).toEqual(["rollout.rolled-back", "breaker.opened"]);
  });

  test("ids are the same for the same place and differ for any other", () => {
    const entry = entryOf("rollout.promoted", { fromPhase: "Promoting", phase: "Succeeded" });
    const ids = (position: number, tenant = "acme") =>
      notificationsOf({ position, entry: { ...entry, tenant } }).map(({ id }) => id);
    expect(ids(7)).toEqual(ids(7));
    expect(new Set([...ids(7), ...ids(8), ...ids(7, "other")]).size).toBe(6);
    for (const id of ids(7)) expect(id).toMatch(/^msg_[A-Za-z0-9_-]{27}$/);
  });

  test("the message holds ids, digests and codes, and nobody's name", () => {
    const planDigest = `sha256:${"a".repeat(64)}`;
    const [told] = notificationsOf({
      position: 7,
      entry: entryOf("rollout.tick", {
        ...{ planDigest, endpoint: "staging/local/churn", phase: "Denied", fromPhase: "Queued", clauses: ["AO-5"] },
        ...{ principal: "olga", role: "approver" },
      }),
    });
    expect(told?.data).toEqual({
      ...{ tenant: "acme", rollout: "r-1", planDigest, phase: "Denied", fromPhase: "Queued", clauses: ["AO-5"] },
      endpoint: { environment: "staging", target: "local", name: "churn" },
    });
    expect(JSON.stringify(told)).not.toContain("olga");
  });

  test("the policy that a tenant begins with is nobody's change", () => {
    const digest = `sha256:${"a".repeat(64)}`;
    expect(typesOf(entryOf("policy.activate", { policyDigest: digest, sequence: 1 }))).toEqual([]);
    expect(typesOf(entryOf("policy.activate", { policyDigest: digest, sequence: 2 }))).toEqual(["policy.activated"]);
  });

  test("every type of the list can be told", () => {
    const seen = new Set<string>([
      ...["AwaitingApproval", "Rejected", "Expired", "Queued", "Denied", "Superseded", "Paused", "Succeeded"].flatMap(
        (phase) => moved("Baking", phase),
      ),
      ...["RollingBack", "RolledBack", "Failed", "Aborted", "DryRunCompleted"].flatMap((phase) =>
        moved("Baking", phase),
      ),
      ...moved("Proposed", "Verifying"),
      ...moved("Paused", "Baking"),
      ...[
        "rollout.approved",
        "rollout.shifted",
        "rollout.alarm",
        "rollout.promoted",
        "policy.propose",
        "policy.activate",
        "breaker.reset",
        "endpoint.scale",
        "endpoint.delete",
        ...["raise", "clear", "lose", "ask", "acknowledge", "suppress", "unsuppress"].map((act) => `alarm.${act}`),
        "webhook.disable",
        "webhook.test",
      ].flatMap((action) => typesOf(entryOf(action))),
      ...typesOf(entryOf("approval.break-glass")),
      ...typesOf(entryOf("approval.review")),
      ...typesOf(entryOf("rollout.tick"), true),
    ]);
    expect([...seen].toSorted()).toEqual(NOTIFICATION_TYPE_NAMES.toSorted());
  });
});
