import { describe, expect, test } from "vitest";
import { encodeEntry, entryTime } from "./entry.ts";
import { exportVerifier, exportWriter, type TreeHead, verifyExport } from "./export.ts";

const entryBytes = (at: number, tenant = "acme"): Buffer =>
  encodeEntry({
    version: 1,
    tenant,
    at: entryTime(1_795_000_000_000 + at * 1000),
    actor: { id: "alice", kind: "human" },
    action: "rollout.submit",
    subject: { type: "rollout", id: `r-${at}` },
    outcome: "accepted",
    details: { sequence: at, dryRun: at % 2 === 0 },
  });

function exportLines(entries: Buffer[], tenant = "acme"): string[] {
  const writer = exportWriter(tenant);
  return [writer.header(), ...entries.map((bytes) => writer.entry(bytes)), writer.head()];
}

const logOf = (size: number): string[] => exportLines(Array.from({ length: size }, (_, at) => entryBytes(at)));
const verify = (lines: string[], trustedHeads: TreeHead[] = []) =>
  verifyExport(Buffer.from(lines.join("")), { trustedHeads });

function headOf(lines: string[]): TreeHead {
  const verdict = verify(lines);
  if (!verdict.ok) throw new Error(verdict.reason);
  return { size: verdict.size, rootHash: verdict.rootHash };
}

const LINES = logOf(4);
const WHOLE = Buffer.from(LINES.join(""));
const LINE_STARTS = LINES.map((_, at) => Buffer.byteLength(LINES.slice(0, at).join("")));

/** The line, from 1, in which a byte of the whole copy lies. */
const lineOf = (offset: number): number => LINE_STARTS.filter((start) => start <= offset).length;

/** Fails unless the changed copy is refused, at the changed line or, when a line end went, at one of the two it joins. */
function expectFound(changed: Buffer, offset: number): void {
  const verdict = verifyExport(changed);
  if (verdict.ok) expect.fail(`a change at byte ${offset} was not found`);
  if (verdict.at.line !== lineOf(offset))
    expect.fail(`byte ${offset}: found at line ${verdict.at.line}: ${verdict.reason}`);
}

describe("an export", () => {
  test("is good as it was written, at every size, and cut anywhere", () => {
    for (let size = 0; size < 9; size++) {
      const lines = logOf(size);
      expect(verify(lines)).toMatchObject({ ok: true, tenant: "acme", size });
      const verifier = exportVerifier();
      for (const byte of Buffer.from(lines.join(""))) verifier.push(Buffer.of(byte));
      expect(verifier.finish()).toEqual(verify(lines));
    }
  });

  test("shows every single-byte change, at its line", () => {
    for (let offset = 0; offset < WHOLE.length; offset++) {
      const was = WHOLE[offset] ?? 0;
      // One bit, the other case, a space, a digit, a quote, a line feed, zero and a byte that is no UTF-8.
      for (const now of new Set([was ^ 1, was ^ 0x20, was ^ 0x80, 0x20, 0x30, 0x31, 0x22, 0x0a, 0x00, 0xff])) {
        if (now === was) continue;
        const changed = Buffer.from(WHOLE);
        changed[offset] = now;
        expectFound(changed, offset);
      }
    }
  });

  test("shows every deleted, doubled and inserted byte", () => {
    for (let offset = 0; offset < WHOLE.length; offset++) {
      const before = WHOLE.subarray(0, offset);
      expect(verifyExport(Buffer.concat([before, WHOLE.subarray(offset + 1)])).ok).toBe(false);
      for (const byte of [WHOLE[offset] ?? 0, 0x20, 0x0a, 0x0d]) {
        expect(verifyExport(Buffer.concat([before, Buffer.of(byte), WHOLE.subarray(offset)])).ok).toBe(false);
      }
    }
  });

  test("shows every truncation, with or without the last line feed", () => {
    for (let length = 0; length < WHOLE.length; length++) {
      expect(verifyExport(WHOLE.subarray(0, length)), `cut to ${length} bytes`).toMatchObject({ ok: false });
    }
    expect(verifyExport(WHOLE.subarray(0, -1))).toMatchObject({ reason: "the copy ends inside a line" });
    expect(verify(LINES.slice(0, -1))).toMatchObject({ at: { line: 6, entry: 4 } });
  });

  test("shows every deleted, doubled and swapped line, and where", () => {
    for (let at = 0; at < LINES.length; at++) {
      const deleted = verify(LINES.toSpliced(at, 1));
      const doubled = verify(LINES.toSpliced(at, 0, LINES[at] ?? ""));
      expect(deleted).toMatchObject({ ok: false, at: { line: at + 1 } });
      expect(doubled).toMatchObject({ ok: false, at: { line: at + 2 } });
      for (let other = at + 1; other < LINES.length; other++) {
        const swapped = LINES.with(at, LINES[other] ?? "").with(other, LINES[at] ?? "");
        expect(verify(swapped)).toMatchObject({ ok: false, at: { line: at + 1 } });
      }
    }
    expect(verify(LINES.toSpliced(2, 1))).toMatchObject({ at: { entry: 1, byteOffset: LINE_STARTS[2] } });
  });

  test("says what is wrong in words", () => {
    const [header = "", first = ""] = LINES;
    const changed = verify(LINES.with(1, first.replace("alice", "alicf")));
    expect(changed).toMatchObject({ at: { line: 2, entry: 0 }, reason: "entry 0 was changed: its hash does not fit" });
    expect(verify([header])).toMatchObject({ reason: expect.stringContaining("cut off") });
    expect(verify(LINES.with(5, (LINES[5] ?? "").replace('"size":4', '"size":5')))).toMatchObject({
      reason: "the head line was changed: its seal does not fit",
    });
  });

  test("of another log is not completed by this one's lines", () => {
    const [, , , , , head = ""] = LINES;
    const [, , , , , foreignHead = ""] = exportLines([9, 8, 7, 6].map((at) => entryBytes(at)));
    expect(verify([...LINES.slice(0, 5), foreignHead])).toMatchObject({ ok: false, at: { line: 6 } });
    const other = exportLines(
      [0, 1, 2, 3].map((at) => entryBytes(at, "evil")),
      "evil",
    );
    expect(verify([...other.slice(0, 5), head])).toMatchObject({ ok: false, at: { line: 6 } });
    expect(verify(LINES.with(2, other[2] ?? ""))).toMatchObject({ reason: "entry 1 is another tenant's" });
    expect(verifyExport(WHOLE, { tenant: "evil" })).toMatchObject({ ok: false, at: { line: 1 } });
  });

  test("that someone wrote anew is shown by a head that was kept", () => {
    const kept = headOf(logOf(2));
    expect(verify(LINES, [kept, headOf(LINES)])).toMatchObject({ ok: true, size: 4 });
    const rewritten = exportLines([5, 1, 2, 3].map((at) => entryBytes(at)));
    expect(verify(rewritten)).toMatchObject({ ok: true });
    expect(verify(rewritten, [kept])).toMatchObject({ ok: false, reason: expect.stringContaining("rewritten") });
    expect(verify(logOf(3), [headOf(LINES)])).toMatchObject({
      ok: false,
      reason: expect.stringContaining("end is missing"),
    });
  });

  test("survives input that is no export at all", () => {
    for (const text of [
      "",
      "\n",
      "null\n",
      "[]\n",
      '{"type":"header"}\n',
      '{"a":"\\ud800"}\n',
      "[".repeat(100_000),
      `${"[".repeat(100_000)}\n`,
    ]) {
      expect(verifyExport(Buffer.from(text))).toMatchObject({ ok: false, at: { line: 1, byteOffset: 0 } });
    }
    expect(verifyExport(Buffer.alloc(1024 * 1024, 0x20))).toMatchObject({
      reason: expect.stringContaining("too long"),
    });
  });

  test("is refused at the writer when an entry is not its tenant's or not canonical", () => {
    const writer = exportWriter("acme");
    expect(() => writer.entry(entryBytes(0, "evil"))).toThrow("only canonical entries");
    expect(() => writer.entry(Buffer.from(`${entryBytes(0)} `))).toThrow("only canonical entries");
  });
});
