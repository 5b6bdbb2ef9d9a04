import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, test } from "vitest";
import type { Cell } from "../core/monitor/dataset/table-batch.ts";
import { readTable, type TableLimits } from "./read-table.ts";
import { parsedTable } from "./table-error.ts";
import { bytesSource, fileSource, type TableSource, watchedSource } from "./table-source.ts";

interface Whole {
  names: readonly string[];
  rows: Cell[][];
}

async function whole(source: TableSource, limits?: TableLimits): Promise<Whole> {
  const rows: Cell[][] = [];
  let names: readonly string[] = [];
  for await (const batch of readTable(source, limits)) {
    names = batch.names;
    for (let at = 0; at < batch.rows; at += 1) rows.push(batch.columns.map((column) => column[at] ?? null));
  }
  return { names, rows };
}

const ofText = (text: string) => whole(bytesSource(Buffer.from(text)));
const problemOf = async (bytes: Uint8Array, limits?: TableLimits) => {
  const read = await parsedTable(() => whole(bytesSource(bytes), limits));
  return read.ok ? undefined : read.problem.message;
};

/** The same bytes in pieces of a few, as a slow disk or an unlucky cut would give them. */
function crumbs(bytes: Uint8Array, size: number): TableSource {
  return {
    ...bytesSource(bytes),
    async *stream() {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    },
  };
}

describe("CSV", () => {
  test.each([
    ["plain lines", "a,b\n1,x\n2,y\n"],
    ["another system's line ends, a mark and no last line end", "\ufeffa,b\r\n1,x\r\n2,y"],
    ["quotes and empty lines", '"a","b"\n\n"1","x"\n\n2,"y"\n'],
    ["spaces around", "a , b\n 1,x \n2 , y\n"],
  ])("is read with %s", async (_what, text) =>
    expect(await ofText(text)).toEqual({
      names: ["a", "b"],
      rows: [
        ["1", "x"],
        ["2", "y"],
      ],
    }),
  );

  test("an empty value is missing, and a quoted one may hold commas, quotes and lines", async () => {
    const read = await ofText('a,b\n,"x, ""y""\r\nz"\n"",5" pipe\n');
    expect(read.rows).toEqual([
      [null, 'x, "y"\r\nz'],
      [null, '5" pipe'],
    ]);
  });

  test.each([
    ["a row too short", "a,b\n1,2\n\nsecret\n", "line 4, row 2: it has 1 value and the header 2"],
    ["a row too long, after one of three lines", 'a,b\n"1\n\n2",3\n1,2,3\n', "line 5, row 2: it has 3 values"],
    ["a quote that does not end", 'a,b\n1,"secret\n2,3\n', "line 2: a quoted value (the 2. of its row) does not end"],
    ["text after a quote", 'a,b\n"1"secret,2\n', "line 2: there is text after a quoted value (the 1. of its row)"],
    ["nothing", "", "no header"],
    ["an empty header", ",\n1,2\n", "no header"],
    ["a column without a name", "a,\n1,2\n", "column 2 of the table has no name"],
    ["one name twice", "a,a\n1,2\n", 'two columns have the same name, "a"'],
  ])("with %s is refused with its place and without its content", async (_what, text, words) => {
    const problem = await problemOf(Buffer.from(text));
    expect(problem).toContain(words);
    expect(problem).not.toContain("secret");
  });

  test("a quote that never ends does not gather the whole file", async () => {
    const text = Buffer.concat([Buffer.from('a\n"'), Buffer.alloc(12_000_000, "x\n")]);
    expect(await problemOf(text)).toContain("does a quoted value not end?");
  });

  test("cells come back as a writer meant them, however the bytes are cut", async () => {
    const cell = fc.string({ unit: "grapheme", maxLength: 8 }).map((text) => text.trim());
    const rows = fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 6 });
    const lineEnd = fc.constantFrom("\n", "\r\n");
    await fc.assert(
      fc.asyncProperty(
        rows,
        lineEnd,
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        async (cells, end, size, always) => {
          const quoted = (text: string) => (always || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
          const text = [["a", "b", "c"], ...cells].map((row) => row.map(quoted).join(",") + end).join("");
          const expected = cells.map((row) => row.map((one) => (one === "" ? null : one)));
          const read = await whole(crumbs(Buffer.from(text), size));
          expect(read.rows).toEqual(expected);
        },
      ),
    );
  });
});

describe("JSON Lines", () => {
  test("a column may come later, and a line may lack one", async () => {
    expect(await ofText('{"a":1}\n\n{"b":"x","a":2.5}\r\n{"b":null,"c":true}')).toEqual({
      names: ["a", "b", "c"],
      rows: [
        [1, null, null],
        [2.5, "x", null],
        [null, null, true],
      ],
    });
  });

  test.each([
    ["a line that is none", '{"a":1}\n{"a":secret}\n', "line 2: it is no JSON"],
    ["a list", '{"a":1}\n["secret"]\n', "line 2: it is no JSON object"],
    ["a list as a value", '{"a":1}\n{"a":["secret"]}\n', 'line 2, column "a": a list or an object'],
    ["a column without a name", '{"":1}\n', "column 1 of the table has no name"],
  ])("with %s is refused with its place", async (_what, text, words) => {
    const problem = await problemOf(Buffer.from(text));
    expect(problem).toContain(words);
    expect(problem).not.toContain("secret");
  });
});

describe("Parquet", () => {
  const write = (data: Parameters<typeof parquetWriteBuffer>[0]["columnData"], rowGroupSize = 2) =>
    new Uint8Array(parquetWriteBuffer({ columnData: data, rowGroupSize }));

  test("types are kept, missing values are missing, and row groups follow one another", async () => {
    const bytes = write([
      { name: "n", data: [1.5, Number.NaN, 3], type: "DOUBLE" },
      { name: "i", data: [1n, 2n, -3n], type: "INT64" },
      { name: "s", data: ["x", null, " "], type: "STRING", nullable: true },
      { name: "b", data: [true, false, true], type: "BOOLEAN" },
      { name: "t", data: [new Date(0), new Date(1), new Date(2)], type: "TIMESTAMP" },
    ]);
    expect(await whole(bytesSource(bytes))).toEqual({
      names: ["n", "i", "s", "b", "t"],
      rows: [
        [1.5, 1, "x", true, "1970-01-01T00:00:00.000Z"],
        [null, 2, null, false, "1970-01-01T00:00:00.001Z"],
        [3, -3, null, true, "1970-01-01T00:00:00.002Z"],
      ],
    });
  });

  test("a damaged file is refused in our words, wherever it is damaged", async () => {
    const bytes = write([{ name: "secret", data: ["secret", "other", "third"], type: "STRING" }], 3);
    expect(await problemOf(bytes.subarray(0, 20))).toContain("no Parquet file");
    for (let at = 4; at < bytes.length; at += 1) {
      const damaged = Uint8Array.from(bytes, (byte, index) => (index === at ? byte ^ 0xff : byte));
      const problem = await problemOf(damaged);
      if (problem !== undefined) expect(problem.replace('column "secret"', "")).not.toContain("secret");
    }
  });

  test("nested columns are refused by name", async () => {
    const bytes = write([{ name: "list", data: [[1, 2], [3]] }]);
    expect(await problemOf(bytes)).toContain('"list"');
  });
});

test("gzip is looked through, and its bombs are refused", async () => {
  const packed = gzipSync("a,b\n1,2\n");
  expect((await whole(bytesSource(packed))).rows).toEqual([["1", "2"]]);
  expect((await whole(bytesSource(gzipSync('{"a":1}\n')))).rows).toEqual([[1]]);
  expect(await problemOf(packed.subarray(0, packed.length - 9))).toContain("damaged or cut short");
  const bomb = gzipSync(Buffer.alloc(10_000_000, "1\n"));
  expect(await problemOf(bomb, { unpackedBytesMax: 1_000_000 })).toContain("unpacks to more than 1000000 bytes");
});

test("what is text of no kind, and more than was asked for, is refused", async () => {
  expect(await problemOf(Buffer.from([0xff, 0xfe, 0x00]))).toContain("neither Parquet nor text in UTF-8");
  expect(await problemOf(Buffer.from(`a,b\n${"1,2\n".repeat(11)}`), { rowsMax: 10 })).toContain("more than 10 rows");
  expect(await problemOf(Buffer.from(`a,b\n${"1,2\n".repeat(11)}`), { cellsMax: 20 })).toContain("20 values");
});

test("a file is read like its bytes, and tells how far it is", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tables-"));
  try {
    const bytes = Buffer.from(`a,b\n${"1,x\n".repeat(200_000)}`);
    await writeFile(join(folder, "t.csv"), bytes);
    const seen: number[] = [];
    const source = await fileSource(join(folder, "t.csv"));
    let rows = 0;
    for await (const batch of readTable(watchedSource(source, ({ readBytes }) => seen.push(readBytes))))
      rows += batch.rows;
    await source.close();
    expect(rows).toBe(200_000);
    expect(seen.length).toBeGreaterThan(2);
    expect(seen.at(-1)).toBe(bytes.length);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("any bytes have an answer", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 100 }),
      fc.constantFrom("", "PAR1", '{"a":', 'a,b\n"', "\x1f"),
      async (noise, start) => {
        const read = await parsedTable(() => whole(bytesSource(Buffer.concat([Buffer.from(start), noise]))));
        expect(typeof read.ok).toBe("boolean");
      },
    ),
  );
});
