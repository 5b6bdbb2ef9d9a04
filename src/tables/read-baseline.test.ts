import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, test } from "vitest";
import { loadBaseline } from "./load-baseline.ts";
import { profileFile } from "./profile-file.ts";
import { profileTable, readBaseline } from "./read-baseline.ts";
import { parsedTable } from "./table-error.ts";
import { bytesSource } from "./table-source.ts";

/** Parquet whose run lengths never end, found by turning bytes of an ordinary file. */
const CIRCLE = [
  "UEFSMRUGFWQVZFwVDhUCBA4VAxUEFUAAAAAAAAAQQAAAAAAAABRAAAAAAAAAGEAAAAAAAAAcQBUGFTwVPFwVDhUAFQ4VABUEFQAAAAN/AQAAAA",
  "IAAAADAAAABAAAAAUAAAAGAAAABwAAABUEFRQVFEwVBBUAAAABAAAAeAEAAAB5FQYVChUKXBUOFQIVDhUQFQQVAAAAA3cBAxIVBhUGFQZcFQ4V",
  "ABUOFQAVBBUAAAADf30VBhU0FTRcFQYVABUGFQAVBBUAAAADBwAAAAAAgCBAAAAAAAAAIkAAAAAAAADwPxUGFRwVHFwVBhUAFQYVABUEFQAAAA",
  "MHCAAAAAkAAAAKAAAAFQYVIhUiXBUGFQAVBhUAFQQVAAAGFRwVHFwVBhUAFQYVABUEFQAAAAMHCAAAAAkAAAAKAAAAFQYVIhUiXBUGFQAVBhUA",
  "FQQVAAAAAwcBAAAAeQEAAAB4AQAAAHkVBhUGFQZcFQYVABUGFQAVBBUAAAADBwMVBBlcSARyb290FQgAFQolAhgBbgAVAiUCGAFpABUMJQIYAX",
  "MlAAAVACUCGAFiABYUGSwZTCYIHBUKGRUAGRgBbhUAFg4WjgEWjgEmCDw2AigIAAAAAAAAHEAYCAAAAAAAAPg/NgAAGRwVBhUAFQIAAAAmlgEc",
  "FQIZFQAZGAFpFQAWDhZmFmYmlgE8NgAoBAcAAAAYBAEAAAAAGRwVBhUAFQIAAAAm/AEcFQwZJQAQGRgBcxUAFg4WYhZiJqoCJvwBHDYCKAF5GA",
  "F4ABksFQQVABUCABUGFRAVAgAAACbeAhwVABkVABkYAWIVABYOFjAWMCbeAjw2ACgBARgBAAAZHBUGFQAVAgAAABaGAxYONoYDABlMJo4DHBUK",
  "GRUAGRgBbhUAFgYWXhZeJo4DPDYAKAgAAAAAAAAiQBgIAAAAAAAA8D82AAAZHBUGFQAVAgAAACbsAxwVAhkVABkYAWkVABYGFkYWRibsAzw2AC",
  "gECgAAABgECAAAAAAZHBUGFQAVAgAAACayBBwVDBkVABkYAXMVABYGFkwWTCayBDw2ACgBeRgBeAAZHBUGFQAVAgAAACb+BBwVABkVABkYAWIV",
  "ABYGFjAWMCb+BDw2ACgBARgBAAAZHBUGFQAVAgAAABagAhYGNqACACgJaHlwYXJxdWV0GUwcAAAcAAAcAAAcAAAAAgIAAFBBUjE=",
].join("");

interface Row {
  n: number | null;
  i: number | null;
  s: string | null;
  b: boolean | null;
}

const NAMES = ["n", "i", "s", "b"] as const;

const csvOf = (rows: readonly Row[]) =>
  [NAMES.join(","), ...rows.map((row) => NAMES.map((name) => String(row[name] ?? "")).join(","))].join("\n");
const linesOf = (rows: readonly Row[]) => rows.map((row) => JSON.stringify(row)).join("\n");
const parquetOf = (rows: readonly Row[], rowGroupSize: number) =>
  new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: "n", data: rows.map(({ n }) => n), type: "DOUBLE", nullable: true },
        { name: "i", data: rows.map(({ i }) => i), type: "INT32", nullable: true },
        { name: "s", data: rows.map(({ s }) => s), type: "STRING", nullable: true },
        { name: "b", data: rows.map(({ b }) => b), type: "BOOLEAN", nullable: true },
      ],
      rowGroupSize,
    }),
  );

const orMissing = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null, freq: 5 });
const row: fc.Arbitrary<Row> = fc.record({
  n: orMissing(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 })),
  i: orMissing(fc.integer({ min: -1000, max: 1000 })),
  s: orMissing(fc.constantFrom("red", "green", "dark blue", "Ümlaut", "007")),
  b: orMissing(fc.boolean()),
});

describe("one table in any form", () => {
  test("has the same statistics, constraints and profiles", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 30 }),
        async (rows, cut) => {
          const forms = [csvOf(rows), linesOf(rows), parquetOf(rows, cut), gzipSync(csvOf(rows))];
          const [first, ...others] = await Promise.all(
            forms.map((form) => profileTable(bytesSource(Buffer.from(form)))),
          );
          for (const other of others) expect(other).toEqual(first);
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe("a baseline artifact", () => {
  const rows = [...Array(5000).keys()].map((at) => ({
    n: Math.sin(at) * 100,
    i: at % 50,
    s: at % 3 ? "a" : "b",
    b: at % 2 === 0,
  }));

  test("read in a thread is what it is read in place", async () => {
    const csv = Buffer.from(csvOf(rows));
    expect(csv.length).toBeGreaterThan(128 * 1024);
    const options = { answers: ["s", "b", "nobody"] };
    for (const bytes of [csv, parquetOf(rows, 1000)]) {
      const [there, here] = [await loadBaseline(bytes, options), await readBaseline(bytes, options)];
      expect(there).toEqual({ ok: true, value: here });
      expect(here.answers).toMatchObject({ names: ["s", "b"], of: 5000 });
      expect(here.answers.rows).toHaveLength(5000);
    }
  });

  test("may be the statistics of a table: what a small one's sketch kept makes the same profiles", async () => {
    const small = rows.slice(0, 500).map((one) => ({ ...one, i: one.i === 7 ? null : one.i }));
    const table = await readBaseline(Buffer.from(linesOf(small)));
    for (const text of [JSON.stringify(table.statistics), JSON.stringify(table.statistics, null, 2)]) {
      const read = await readBaseline(Buffer.from(text));
      expect(read).toMatchObject({ from: "statistics", rows: 500 });
      for (const [at, profile] of read.profiles.entries()) {
        const direct = table.profiles[at];
        if (profile.kind === "category") expect(profile).toEqual(direct);
        else
          expect(profile).toMatchObject({
            isExact: true,
            rows: 500,
            missing: direct?.missing,
            edges: (direct as typeof profile).edges,
          });
      }
    }
  });

  test("of the statistics of a large table says by how much its ranks may be off", async () => {
    const many = [...Array(40_000).keys()].map((at) => `${Math.sin(at * 12.9898) * 43758.5453}`).join("\n");
    const { statistics, profiles } = await profileTable(bytesSource(Buffer.from(`x\n${many}`)));
    const [exact] = profiles;
    const [profile] = (await readBaseline(Buffer.from(JSON.stringify(statistics)))).profiles;
    if (profile?.kind !== "number" || exact?.kind !== "number") throw new Error("no profile of numbers");
    expect(profile.isExact).toBe(false);
    expect(profile.rankErrorMax).toBeGreaterThan(0);
    expect(profile.mean).toBeCloseTo(exact.mean ?? Number.NaN, 9);
    expect(profile.standardDeviation).toBeCloseTo(exact.standardDeviation ?? Number.NaN, 6);
    const middle = (edges: Float64Array) => edges[Math.floor(edges.length / 2)] ?? Number.NaN;
    const spread = (exact.max ?? 0) - (exact.min ?? 0);
    expect(Math.abs(middle(profile.edges) - middle(exact.edges)) / spread).toBeLessThan(0.02);
  });

  test("is told from a table of JSON Lines that has the same words", async () => {
    const line = '{"version":0,"dataset":1,"features":2}';
    expect(await readBaseline(Buffer.from(`${line}\n${line}`))).toMatchObject({ from: "table", rows: 2 });
  });

  test.each([
    ["no row", "a,b\n", "no row"],
    ["statistics of another shape", '{"version":0,"dataset":{},"features":[]}', "/dataset/item_count"],
    [
      "statistics without a sketch",
      '{"version":0,"dataset":{"item_count":1},"features":[{"name":"a","inferred_type":"Integral","numerical_statistics":{"common":{"num_present":1,"num_missing":0}}}]}',
      "/features/0/numerical_statistics/distribution/kll/sketch is missing",
    ],
    [
      "a sketch of no known kind",
      '{"version":0,"dataset":{"item_count":1},"features":[{"name":"a","inferred_type":"Integral","numerical_statistics":{"common":{"num_present":1,"num_missing":0},"distribution":{"kll":{"buckets":[],"sketch":{"parameters":{"c":0.1,"k":3},"data":[[1]]}}}}}]}',
      "/features/0/numerical_statistics/distribution/kll/sketch/parameters/c",
    ],
  ])("with %s is a problem that says where", async (_what, text, words) =>
    expect(await loadBaseline(Buffer.from(text))).toMatchObject({
      ok: false,
      problem: { message: expect.stringContaining(words) },
    }),
  );

  test("that takes too long is given up, and keeps nobody waiting", async () => {
    const csv = Buffer.from(csvOf(rows));
    expect(await loadBaseline(csv, { secondsMax: 0.001 })).toMatchObject({
      ok: false,
      problem: { message: "it cannot be read within 0 s" },
    });
    expect(await loadBaseline(csv, { rowsMax: 100 })).toMatchObject({
      ok: false,
      problem: { message: expect.stringContaining("100 rows") },
    });
  });

  test("that leads its reader in circles is given up as well", async () => {
    const answer = await loadBaseline(Buffer.from(CIRCLE, "base64"), { secondsMax: 1 });
    expect(answer.ok).toBe(false);
  });

  test("is given up in a file as well, however large it may be, and one that gets on is read", async () => {
    const folder = await mkdtemp(join(tmpdir(), "continuum-tables-"));
    try {
      const path = join(folder, "circle.parquet");
      await writeFile(path, Buffer.from(CIRCLE, "base64"));
      const answer = await profileFile(path, { onRead: () => undefined, silentSecondsMax: 2 });
      expect(answer).toEqual({
        ok: false,
        problem: { path: "", message: "it gets no further for 2 s: a part of it is damaged" },
      });
      const whole = join(folder, "whole.parquet");
      const columnData = [{ name: "x", data: [1.5, 2.5, 3.5], type: "DOUBLE" as const }];
      await writeFile(whole, Buffer.from(parquetWriteBuffer({ columnData })));
      const seen: number[] = [];
      const read = await profileFile(whole, { onRead: ({ readBytes }) => void seen.push(readBytes) });
      expect(read).toMatchObject({ ok: true, value: { rows: 3 } });
      expect(seen.length).toBeGreaterThan(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("of any bytes has an answer", async () => {
    const start = fc.constantFrom("", '{"version":0,"dataset":{"item_count":1},"features":[', "a,b\n1,");
    await fc.assert(
      fc.asyncProperty(start, fc.uint8Array({ maxLength: 60 }), async (head, noise) => {
        const read = await parsedTable(() => readBaseline(Buffer.concat([Buffer.from(head), noise])));
        expect(typeof read.ok).toBe("boolean");
      }),
    );
  });
});
