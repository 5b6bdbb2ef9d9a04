import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AuditEntry, encodeEntry } from "../../core/audit/entry.ts";
import { exportWriter } from "../../core/audit/export.ts";
import { runForTest } from "./testing/run-for-test.ts";

let folder: string;
let log: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-audit-"));
  const writer = exportWriter("default");
  const entries = ["one", "two", "three"].map((id) => writer.entry(encodeEntry(entryAbout(id))));
  log = [writer.header(), ...entries, writer.head()].join("");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function entryAbout(id: string): AuditEntry {
  return {
    version: 1,
    tenant: "default",
    at: "2026-11-01T10:00:00.000Z",
    actor: { id: "ada", kind: "human" },
    action: "rollout.submit",
    subject: { type: "rollout", id },
    outcome: "accepted",
    details: {},
  };
}

async function verify(text: string, ...options: string[]) {
  writeFileSync(join(folder, "log.ndjson"), text);
  return runForTest(["audit", "verify", "log.ndjson", ...options], { folder });
}

describe("audit verify FILE", () => {
  it("verifies a copy and prints the head to keep", async () => {
    const { code, out } = await verify(log);
    expect(code).toBe(0);
    const head = /head (3:[0-9a-f]{64})\n$/.exec(out)?.[1] ?? "";
    expect((await verify(log, "--head", head)).code).toBe(0);
    expect((await verify(log, "--head", `3:${"0".repeat(64)}`)).code).toBe(1);
  });

  it("finds a changed byte and says where", async () => {
    const { code, out } = await verify(log.replace("two", "twp"));
    expect(code).toBe(1);
    expect(out).toMatch(/^CHANGED {2}line 3, entry 1, byte \d+: entry 1 was changed/);
    const asJson = await verify(log.replace("two", "twp"), "-o", "json");
    expect(JSON.parse(asJson.out)).toMatchObject({ ok: false, at: { line: 3, entry: 1 } });
  });

  it("finds a copy that was cut off", async () => {
    expect(await verify(log.slice(0, log.lastIndexOf("\n", log.length - 2) + 1))).toMatchObject({
      code: 1,
      out: expect.stringContaining("cut off"),
    });
  });

  it("calls a missing file the user's mistake", async () => {
    const { code, err } = await runForTest(["audit", "verify", "nowhere"], { folder });
    expect({ code, err }).toEqual({
      code: 64,
      err: "continuum: no such file, the copy nowhere, must be a file that exists\n",
    });
  });
});
