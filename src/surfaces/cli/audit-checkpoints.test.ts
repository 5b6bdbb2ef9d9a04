import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkpointSigner } from "../../core/audit/checkpoint-signer.ts";
import { type AuditEntry, encodeEntry } from "../../core/audit/entry.ts";
import { digestOf } from "../../core/audit/event-record.ts";
import { exportWriter } from "../../core/audit/export.ts";
import { leafHash, rootHash } from "../../core/audit/merkle.ts";
import { proveEntry } from "../../core/audit/proof.ts";
import { encodeRolloutProof } from "../../core/audit/rollout-proof.ts";
import { runForTest } from "./testing/run-for-test.ts";

const ORIGIN = "continuum/0123456789abcdef/default";
const SIGNER = checkpointSigner({ current: Buffer.alloc(32, 5) });
const PLAN = '{"kind":"DeploymentPlan"}';
const ENTRIES = [1, 2, 3].map((sequence) => encodeEntry(step(sequence)));
const LEAVES = ENTRIES.map((entry) => leafHash(entry));

function step(sequence: number): AuditEntry {
  return {
    ...{ version: 1, tenant: "default", at: "2026-11-01T10:00:00.000Z", actor: { id: "ada", kind: "human" } },
    ...{ action: "rollout.step", subject: { type: "rollout", id: "r-1" }, outcome: "accepted" },
    details: { sequence, phase: "Verifying", planDigest: digestOf(PLAN) },
  };
}

const note = (size: number, leaves = LEAVES) =>
  SIGNER.sign({ origin: ORIGIN, size, rootHash: rootHash(leaves.slice(0, size)).toString("hex") });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-checkpoints-"));
  const writer = exportWriter("default");
  const write = (file: string, text: string | Uint8Array) => writeFileSync(join(folder, file), text);
  write("log", [writer.header(), ...ENTRIES.map((entry) => writer.entry(entry)), writer.head()].join(""));
  write(
    "keys",
    `# ours\n${SIGNER.keys(ORIGIN)
      .map(({ vkey }) => vkey)
      .join("\n")}\n`,
  );
  for (const [name, notes] of Object.entries({
    kept: [note(1), note(2), note(3)],
    other: [note(2), note(2, LEAVES.toReversed())],
    longer: [SIGNER.sign({ origin: ORIGIN, size: 9, rootHash: "0".repeat(64) })],
    empty: [],
    damaged: [note(2).replace("\n2\n", "\n3\n")],
  })) {
    mkdirSync(join(folder, name, ORIGIN), { recursive: true });
    for (const [at, text] of notes.entries()) write(join(name, ORIGIN, `${at}.checkpoint`), text);
  }
  const entries = ENTRIES.map((entry, position) => proveEntry({ position, entry, leafHashes: LEAVES }));
  const none = { decision: null, events: [], policies: [], evidence: [], approvals: [] };
  const parts = { tenant: "default", rollout: "r-1", checkpoint: note(3), plan: PLAN, entries, ...none };
  write("proof", encodeRolloutProof(parts));
  write("forged", encodeRolloutProof({ ...parts, plan: `${PLAN} ` }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const verify = (...words: string[]) => runForTest(["audit", "verify", ...words], { folder });

describe("audit verify FILE --checkpoint", () => {
  it("holds a copy against every checkpoint that was kept", async () => {
    const { code, out } = await verify("log", "--checkpoint", "kept", "--key", "keys");
    expect(code).toBe(0);
    expect(out).toMatch(/^VERIFIED {2}3 entries of default.*\nGREW {6}out of each of 3 signed checkpoints\n$/);
    const one = await verify(
      "log",
      "--checkpoint",
      join("kept", ORIGIN, "1.checkpoint"),
      "--key",
      "keys",
      "-o",
      "json",
    );
    expect(JSON.parse(one.out)).toMatchObject({ ok: true, checkpoints: { verified: 1, witnesses: [] } });
  });

  it.each([
    ["other", /^CHANGED .*the log was rewritten/],
    ["longer", /^CHANGED .*its end is missing/],
    ["damaged", /^REFUSED .*damaged.*0\.checkpoint: the checkpoint has a signature.*that does not verify/],
  ])("finds what does not fit: %s", async (kept, said) => {
    const { code, out } = await verify("log", "--checkpoint", kept, "--key", "keys");
    expect({ code, out }).toEqual({ code: 1, out: expect.stringMatching(said) });
  });

  it.each([
    [["log", "--checkpoint", "kept"], "must go with --key"],
    [["log", "--checkpoint", "empty", "--key", "keys"], "must hold files that end in .checkpoint"],
    [["log", "--checkpoint", "nowhere", "--key", "keys"], "no such file"],
    [["log", "--checkpoint", "kept", "--key", "log"], "line 1"],
    [["--key", "keys"], "must go with a file"],
  ])("says what is missing: %j", async (words, said) => {
    const { code, err } = await verify(...words);
    expect({ code, err }).toEqual({ code: 64, err: expect.stringContaining(said) });
  });
});

describe("audit verify PROOF", () => {
  it("prints the story, what is proved and what is not", async () => {
    const { code, out } = await verify("proof", "--key", "keys");
    expect(code).toBe(0);
    expect(out).toMatch(
      /^VERIFIED {2}rollout r-1 of default\n {10}log continuum\/0123456789abcdef\/default, 3 entries/,
    );
    expect(out).toContain(`proved      the plan ${digestOf(PLAN)} is what was proposed`);
    expect(out).toContain("not proved  the decision in detail");
  });

  it("refuses a forged one with the place, and one that no key vouches for", async () => {
    expect(await verify("forged", "--key", "keys")).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^REFUSED {2}\/plan: /),
    });
    expect(await verify("proof")).toMatchObject({
      code: 64,
      err: expect.stringContaining("as `audit keys` prints them"),
    });
  });
});
