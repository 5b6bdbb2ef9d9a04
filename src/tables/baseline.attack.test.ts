import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, test } from "vitest";
import { loadBaseline } from "./load-baseline.ts";
import { readTable } from "./read-table.ts";
import { parsedTable } from "./table-error.ts";
import { bytesSource } from "./table-source.ts";

// A baseline is a stranger's file, and a worker, the API and the monitor of all tenants read it.

const problemOf = async (bytes: Uint8Array) => {
  const read = await loadBaseline(bytes);
  return read.ok ? undefined : read.problem.message;
};

describe("a baseline", () => {
  test("whose few bytes claim very many equal values is refused before a value is unpacked", async () => {
    const columnData = ["a", "b", "c"].map((name) => ({ name, data: new Int32Array(1000), type: "INT32" as const }));
    const bytes = new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 1000 }));
    // Pages that cannot be read at all: whoever gets as far has begun to unpack.
    bytes.fill(0xff, 4, 40);
    const refusal = async (limits: { rowsMax?: number; cellsMax?: number }) => {
      const read = await parsedTable(async () => {
        for await (const batch of readTable(bytesSource(bytes), limits)) expect(batch.rows).toBe(0);
      });
      return read.ok ? undefined : read.problem.message;
    };
    expect(await refusal({ cellsMax: 2999 })).toContain("more than 2999 values");
    expect(await refusal({ rowsMax: 999 })).toContain("more than 999 rows");
    expect(await refusal({ rowsMax: 1000, cellsMax: 3000 })).toContain("damaged");
  });

  test.each([
    ["JSON Lines", `{"a\\u0000b":1}\n{"a\\u0000b":2}`],
    ["JSON Lines with half of a pair", `{"\\ud800":1}\n{"\\ud800":2}`],
    ["CSV", "a\u0000b\n1\n2"],
    [
      "statistics",
      JSON.stringify({
        ...{ version: 0, dataset: { item_count: 1 } },
        features: [{ name: "\u0000", inferred_type: "String", string_statistics: { common: { num_present: 1 } } }],
      }),
    ],
  ])("with a column that no database could name is refused: %s", async (_form, text) => {
    expect(await problemOf(Buffer.from(text))).toMatch(/is no text|U\+0000/);
  });

  test("with very many columns is refused soon, and keeps its reader from nothing else meanwhile", async () => {
    const names = Array.from({ length: 20_000 }, (_, at) => `c${at}`);
    expect(await problemOf(Buffer.from(`${names.join(",")}\n${names.join(",")}`))).toContain("more than 10000 columns");
    // Each line brings another column: of few bytes come very many cells.
    const lines = Buffer.from(
      names
        .slice(0, 9000)
        .map((name) => `{"${name}":1}`)
        .join("\n"),
    );
    expect(lines.length).toBeLessThan(128 * 1024);
    const before = performance.eventLoopUtilization();
    const read = await loadBaseline(lines, { secondsMax: 1.5 });
    expect(read.ok ? undefined : read.problem.message).toContain("cannot be read within");
    expect(performance.eventLoopUtilization(before).utilization).toBeLessThan(0.9);
  });

  test("that nests lists deeply is refused and ends nothing", async () => {
    for (const deep of [`{"a":${"[".repeat(20_000)}`, `{"version":0,"dataset":{},"features":${"[".repeat(20_000)}`])
      expect(await problemOf(Buffer.from(deep))).toBeDefined();
  });
});
