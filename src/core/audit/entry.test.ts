import { describe, expect, test } from "vitest";
import { type AuditEntry, decodeEntry, encodeEntry, entryTime } from "./entry.ts";

const ENTRY: AuditEntry = {
  version: 1,
  tenant: "acme",
  at: entryTime(Date.UTC(2026, 10, 23, 7, 0, 0, 5)),
  actor: { id: "bot-7", kind: "agent", owner: "alice" },
  action: "rollout.submit",
  subject: { type: "rollout", id: "r-1" },
  outcome: "accepted",
  details: { planDigest: `sha256:${"a".repeat(64)}`, clauses: ["AO-3"], dryRun: false, sequence: 1 },
};

const without = (name: keyof AuditEntry): unknown =>
  Object.fromEntries(Object.entries(ENTRY).filter(([key]) => key !== name));

describe("an entry", () => {
  test("is written as canonical JSON and reads back as itself", () => {
    const bytes = encodeEntry(ENTRY);
    expect(bytes.toString()).toMatch(/^\{"action":"rollout.submit","actor":\{"id":"bot-7",/);
    expect(bytes.toString()).toContain('"at":"2026-11-23T07:00:00.005Z"');
    expect(decodeEntry(bytes)).toEqual({ ok: true, value: ENTRY });
  });

  test("has one byte form whatever the order of its fields", () => {
    const turned = Object.fromEntries(Object.entries(ENTRY).reverse()) as unknown as AuditEntry;
    expect(encodeEntry(turned)).toEqual(encodeEntry(ENTRY));
  });

  test.each<[string, unknown, string]>([
    ["a field of no meaning", { ...ENTRY, note: "x" }, "note"],
    ["a detail that is not allowed", { ...ENTRY, details: { password: "x" } }, "/details"],
    ["free text where a code belongs", { ...ENTRY, details: { reason: "because I said so" } }, "/details/reason"],
    ["a time that does not exist", { ...ENTRY, at: "2026-02-30T00:00:00.000Z" }, "/at"],
    ["a time in another zone", { ...ENTRY, at: "2026-02-03T00:00:00.000+01:00" }, "/at"],
    ["a line feed in an id", { ...ENTRY, subject: { type: "rollout", id: "a\nb" } }, "/subject/id"],
    ["a fraction where a count belongs", { ...ENTRY, details: { percent: 0.5 } }, "/details/percent"],
    ["an actor of no kind", { ...ENTRY, actor: { id: "x", kind: "admin" } }, "/actor/kind"],
    ["no tenant", without("tenant"), "/tenant"],
  ])("is refused with %s", (_, value, where) => {
    expect(() => encodeEntry(value as AuditEntry)).toThrow(where);
  });

  test("is not read from bytes that are not canonical", () => {
    const text = encodeEntry(ENTRY).toString();
    for (const bytes of [
      ` ${text}`,
      text.replace(":", ": "),
      `\ufeff${text}`,
      text.replace("acme", "\\u0061cme"),
      "{",
      "null",
    ]) {
      expect(decodeEntry(Buffer.from(bytes)).ok).toBe(false);
    }
    expect(decodeEntry(Buffer.from([0xff, 0xfe])).ok).toBe(false);
  });
});
