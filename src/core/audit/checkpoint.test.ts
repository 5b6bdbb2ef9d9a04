import { describe, expect, test } from "vitest";
import { checkpointText, logOrigin, openCheckpoint, parseCheckpointText, tenantOfOrigin } from "./checkpoint.ts";
import { checkpointSecret, checkpointSigner } from "./checkpoint-signer.ts";
import { formatSignedNote, parseSignedNote } from "./signed-note.ts";
import { isSignedBy, parseVerifierKey, parseVerifierKeys } from "./verifier-key.ts";

const ORIGIN = logOrigin({ installation: "0123456789abcdef", tenant: "acme", restoredAtMs: null });
const SIGNER = checkpointSigner({ current: Buffer.alloc(32, 1) });
const CHECKPOINT = { origin: ORIGIN, size: 42, rootHash: "ab".repeat(32) };
const NOTE = SIGNER.sign(CHECKPOINT);
const KEYS = SIGNER.keys(ORIGIN);
const open = (note: string, keys = KEYS) => openCheckpoint(Buffer.from(note), keys);

describe("a signed note", () => {
  // The example that the specification of signed notes gives.
  const KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
  const SIGNED =
    "This is an example message.\n\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

  test("of the specification verifies with its key", () => {
    const key = parseVerifierKey(KEY);
    const note = parseSignedNote(Buffer.from(SIGNED));
    if (!key.ok || !note.ok) return expect.fail("neither can be read");
    const [signature] = note.value.signatures;
    if (signature === undefined) return expect.fail("it is signed");
    expect(signature).toMatchObject({ name: "example.com/foo", keyId: "530d903a" });
    const { text } = note.value;
    expect(isSignedBy(key.value, { text, checkpoint: CHECKPOINT, signature })).toBe(true);
    expect(isSignedBy(key.value, { text: `${text}.`, checkpoint: CHECKPOINT, signature })).toBe(false);
    expect(formatSignedNote(note.value)).toBe(SIGNED);
  });

  test.each([
    ["no empty line", "text\n\u2014 a AAAAAAA=\n"],
    ["no last line feed", SIGNED.slice(0, -1)],
    ["a control character", SIGNED.replace("This", "Th\tis")],
    ["a line that is no signature", `${SIGNED}more\n`],
    ["base64 that is written otherwise", SIGNED.replace("aQM=", "aQN=")],
    ["another dash", SIGNED.replace("\u2014", "-")],
    ["no UTF-8", Buffer.concat([Buffer.of(0xff), Buffer.from(SIGNED)])],
  ])("is refused with %s", (_what, bytes) => {
    expect(parseSignedNote(Buffer.from(bytes)).ok).toBe(false);
  });

  test("has keys whose id fits their name and bytes", () => {
    expect(parseVerifierKey(KEY.replace("530d903a", "530d903b")).ok).toBe(false);
    expect(parseVerifierKey(KEY.replace("/foo", "/fop")).ok).toBe(false);
    expect(parseVerifierKey("continuum")).toMatchObject({
      ok: false,
      problem: { message: expect.stringContaining("audit keys") },
    });
    expect(parseVerifierKeys(`# ours\n\n${KEYS.map(({ vkey }) => vkey).join("\n")}\n`)).toEqual({
      ok: true,
      value: KEYS,
    });
    expect(parseVerifierKeys(`${KEY}\nnonsense\n`)).toMatchObject({ ok: false, problem: { path: "line 2" } });
  });
});

describe("a checkpoint", () => {
  test("carries an Ed25519 and an ML-DSA-65 signature of the log", () => {
    expect(open(NOTE)).toMatchObject({
      ok: true,
      value: { checkpoint: CHECKPOINT, unknown: 0, signedBy: [{ type: "ed25519" }, { type: "ml-dsa-65" }] },
    });
    expect(parseCheckpointText(checkpointText(CHECKPOINT))).toEqual({ ok: true, value: CHECKPOINT });
  });

  test("is refused when any byte of it was changed", () => {
    const bytes = Buffer.from(NOTE);
    for (let at = 0; at < bytes.length; at += at < 200 ? 1 : 37) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(openCheckpoint(changed, KEYS).ok, `byte ${at}`).toBe(false);
    }
  });

  test("cannot leave the harder signature away", () => {
    const note = parseSignedNote(Buffer.from(NOTE));
    if (!note.ok) return expect.fail(note.problem.message);
    const only = (at: number) =>
      formatSignedNote({ ...note.value, signatures: note.value.signatures.slice(at, at + 1) });
    expect(open(only(0))).toMatchObject({ problem: { message: expect.stringContaining("no ml-dsa-65 signature") } });
    expect(open(only(1))).toMatchObject({ problem: { message: expect.stringContaining("no ed25519 signature") } });
    expect(open(only(0), KEYS.slice(0, 1)).ok).toBe(true);
  });

  test("of another log, installation or secret is another's", () => {
    const other = checkpointSigner({ current: Buffer.alloc(32, 2) });
    expect(open(other.sign(CHECKPOINT)).ok).toBe(false);
    const elsewhere = { ...CHECKPOINT, origin: ORIGIN.replace("acme", "evil") };
    expect(open(SIGNER.sign(elsewhere))).toMatchObject({
      problem: { message: expect.stringContaining("of which no key was given") },
    });
    expect(new Set([...KEYS, ...SIGNER.keys(elsewhere.origin)].map(({ keyId }) => keyId)).size).toBe(4);
  });

  test("is signed by the old key as well while it is replaced", () => {
    const both = checkpointSigner({ current: Buffer.alloc(32, 3), previous: Buffer.alloc(32, 1) });
    const note = both.sign(CHECKPOINT);
    expect(open(note)).toMatchObject({ ok: true, value: { unknown: 2 } });
    expect(open(note, checkpointSigner({ current: Buffer.alloc(32, 3) }).keys(ORIGIN)).ok).toBe(true);
  });

  test.each(["a\n01\n", "a\n1\n", "a\n-1\n", "\n1\n", "a\n1\nxx\n"])("has three lines, unlike %j", (head) => {
    expect(parseCheckpointText(`${head}${Buffer.alloc(32).toString("base64")}\nextension\n`).ok).toBe(false);
  });

  test("names the tenant in its origin", () => {
    expect(tenantOfOrigin(ORIGIN)).toBe("acme");
    expect(tenantOfOrigin(logOrigin({ installation: "0123456789abcdef", tenant: "a", restoredAtMs: 5 }))).toBe("a");
    for (const none of ["acme", `${ORIGIN}/..`, "continuum/x/acme", `${ORIGIN}/restored-`])
      expect(tenantOfOrigin(none)).toBeUndefined();
  });

  test("is signed with a secret of 32 bytes", () => {
    expect(checkpointSecret(Buffer.from(`${"0f".repeat(32)}\n`))).toHaveLength(32);
    expect(() => checkpointSecret(Buffer.from("short"))).toThrow("32 bytes");
  });
});
