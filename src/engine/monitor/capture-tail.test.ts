import { appendFile, mkdir, mkdtemp, readdir, rm, stat, truncate, unlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CaptureNews } from "./capture-news.ts";
import { captureFolder, type FileOffsets, readTail, type TailOptions, type TailRead } from "./capture-tail.ts";

describe("the tail of a capture folder", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "continuum-tail-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const read = (offsets: FileOffsets, more: Partial<TailOptions> = {}): Promise<TailRead> =>
    readTail({ folder, offsets, bytesMax: 1e6, nowMs: Date.now(), ...more });
  const write = (name: string, text: string) => appendFile(join(folder, name), text);

  it("is read on from where it was left, file by file, whole lines only", async () => {
    await write("a-000001.jsonl", "1\n2\n3");
    const first = await read({});
    expect(first.lines).toEqual(["1", "2"]);
    expect(await read(first.offsets)).toMatchObject({ lines: [], more: false });
    await write("a-000001.jsonl", "4\n");
    await write("b-000002.jsonl", "5\n");
    const second = await read(first.offsets);
    expect(second.lines).toEqual(["34", "5"]);
    // The same offsets read the same lines: whoever crashed before he stored them does it again.
    expect((await read(first.offsets)).lines).toEqual(["34", "5"]);
    expect((await read(second.offsets)).lines).toEqual([]);
  });

  it("finds a file whose name sorts before what was read, as after the clock was set back", async () => {
    await write("b.jsonl", "1\n");
    const first = await read({});
    await write("a.jsonl", "2\n");
    expect((await read(first.offsets)).lines).toEqual(["2"]);
  });

  it("is read in bounded parts, with nothing left out or twice", async () => {
    const lines = Array.from({ length: 500 }, (_, n) => `line ${n} äö`);
    await write("a.jsonl", `${lines.slice(0, 300).join("\n")}\n`);
    await write("b.jsonl", `${lines.slice(300).join("\n")}\n`);
    const seen: string[] = [];
    let offsets: FileOffsets = {};
    for (let more = true; more; ) {
      const part = await read(offsets, { bytesMax: 101 });
      expect(part.bytes).toBeLessThanOrEqual(101);
      ({ offsets, more } = part);
      seen.push(...part.lines);
    }
    expect(seen).toEqual(lines);
  });

  it("is read as a sample where that is asked for: by a draw a line, and what serving says of losses always", async () => {
    const lines = Array.from({ length: 900 }, (_, n) => `{"captureData":"${n} äö"}`);
    const loss = '{"captureLoss":{"requests":3}}';
    await write("a.jsonl", `${[...lines.slice(0, 500), "", loss, ...lines.slice(500)].join("\n")}\n`);
    let drawn = 0;
    const third = await read({}, { draw: () => drawn++ % 3 === 0 });
    expect(third.lines).toContain(loss);
    const kept = third.lines.filter((line) => line !== loss);
    expect(kept.every((line) => lines.includes(line))).toBe(true);
    expect(kept.length + third.notSampled).toBe(900);
    expect(third.notSampled).toBe(600);
    expect(third.offsets).toEqual((await read({})).offsets);
    expect(await read(third.offsets, { draw: () => true })).toMatchObject({ lines: [], notSampled: 0 });
  });

  it("waits for the rest of a line, and gives it up when none comes for a minute", async () => {
    await write("a.jsonl", '1\n{"half":');
    const first = await read({});
    expect(first).toMatchObject({ lines: ["1"], torn: 0 });
    const later = await read(first.offsets, { nowMs: Date.now() + 61_000 });
    expect(later).toMatchObject({ lines: [], torn: 1 });
    await write("a.jsonl", "\n2\n");
    expect((await read(later.offsets)).lines).toEqual(["2"]);
  });

  it("passes over a line that is longer than anything that serving writes", async () => {
    await write("a.jsonl", `${"x".repeat(5000)}\n1\n`);
    let part = await read({}, { bytesMax: 1000 });
    let torn = part.torn;
    const seen = [...part.lines];
    while (part.more) {
      part = await read(part.offsets, { bytesMax: 1000 });
      torn += part.torn;
      seen.push(...part.lines);
    }
    expect(seen.at(-1)).toBe("1");
    expect(torn).toBeGreaterThan(0);
  });

  it("says how much went before it was read", async () => {
    await write("a.jsonl", "1\n2\n");
    await write("b.jsonl", "3\n");
    const first = await read({}, { bytesMax: 3 });
    expect(first.lines).toEqual(["1"]);
    await unlink(join(folder, "a.jsonl"));
    const second = await read(first.offsets);
    expect(second).toMatchObject({ lines: ["3"], lostFiles: 1, lostBytes: 2 });
    // Told once; and what was read to its end may go.
    await unlink(join(folder, "b.jsonl"));
    expect(await read(second.offsets)).toMatchObject({ lostFiles: 0, lostBytes: 0, offsets: {} });
  });

  it("follows a file that was cut off from its new end on", async () => {
    await write("a.jsonl", "1\n2\n3\n");
    const first = await read({});
    await truncate(join(folder, "a.jsonl"), 2);
    const second = await read(first.offsets);
    expect(second.lines).toEqual([]);
    await write("a.jsonl", "4\n");
    expect((await read(second.offsets)).lines).toEqual(["4"]);
  });

  it("leaves out, at the first look alone, what was written before anybody wanted to know", async () => {
    await write("a.jsonl", "1\n");
    await utimes(join(folder, "a.jsonl"), new Date(1000), new Date(1000));
    await write("b.jsonl", "2\n");
    const first = await read({}, { sinceMs: 5000 });
    expect(first.lines).toEqual(["2"]);
    await writeFile(join(folder, "c.jsonl"), "3\n");
    await utimes(join(folder, "c.jsonl"), new Date(1000), new Date(1000));
    expect((await read(first.offsets, { sinceMs: 5000 })).lines).toEqual(["3"]);
  });

  it("is empty where there is no folder, or a file in its place", async () => {
    expect(await read({}, { folder: join(folder, "none") })).toMatchObject({ lines: [], offsets: {} });
    await write("in-the-way", "");
    expect((await read({}, { folder: join(folder, "in-the-way") })).lines).toEqual([]);
  });

  it("is news when a file came, grew or went, and not when nothing happened", async () => {
    const news = new CaptureNews(folder);
    let offsets: FileOffsets = {};
    const look = async () => {
      await news.beginLook(0);
      const part = await read(offsets);
      news.endLook(offsets, part.offsets);
      ({ offsets } = part);
    };
    expect(await news.hasNews(0)).toBe(true);
    await look();
    expect(await news.hasNews(1)).toBe(false);
    await write("b.jsonl", "1\n");
    expect(await news.hasNews(2)).toBe(true);
    await look();
    expect(await news.hasNews(3)).toBe(false);
    await write("b.jsonl", "2\n");
    expect(await news.hasNews(4)).toBe(true);
    await look();
    // With the clock set back the file that is written to is not the last by name.
    await write("a.jsonl", "3\n");
    await look();
    await write("a.jsonl", "4\n");
    expect(await news.hasNews(5)).toBe(true);
    await look();
    await unlink(join(folder, "b.jsonl"));
    expect(await news.hasNews(6)).toBe(true);
    await look();
    expect(await news.hasNews(7)).toBe(false);
    expect(await news.hasNews(40_000)).toBe(true);
  });

  it("lies where the data plane puts it, whatever the tenant is called", async () => {
    const path = captureFolder(folder, { tenant: "../..", environment: "staging", name: "churn" });
    await mkdir(path, { recursive: true });
    expect(await readdir(folder)).toEqual(["%2E%2E%2F%2E%2E"]);
    expect((await stat(path)).isDirectory()).toBe(true);
  });
});
