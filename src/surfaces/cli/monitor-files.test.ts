import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runForTest } from "./testing/run-for-test.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "monitor-files-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string) => join(folder, name);
const run = (argv: string[], terminal = false) => runForTest(argv, { folder, terminal });
const table = (rows: number, line: (at: number) => string) =>
  `age,color,churned\n${Array.from({ length: rows }, (_, row) => line(row)).join("\n")}\n`;

const TRAIN = table(2000, (row) => `${20 + (row % 50)},${row % 3 ? "red" : "green"},${row % 2}`);

describe("monitor baseline", () => {
  test("writes both files to a folder that it makes, and overwrites nothing", async () => {
    writeFileSync(at("train.csv"), TRAIN);
    const first = await run(["monitor", "baseline", "-f", "train.csv", "--label", "churned", "-o", "base/line"]);
    expect(first).toMatchObject({ code: 0, err: "" });
    expect(first.out).toMatch(
      /^COLUMN +TYPE +MISSING\nage +Integral +0\ncolor +String +0\nwrote .*: 2000 rows, 2 columns\n$/,
    );
    const constraints = JSON.parse(readFileSync(at("base/line/constraints.json"), "utf8"));
    expect(constraints.features.map(({ name }: { name: string }) => name)).toEqual(["age", "color"]);
    const again = await run(["monitor", "baseline", "-f", "train.csv", "-o", "base/line"]);
    expect(again.code).toBe(64);
    expect(again.err).toContain("nothing is overwritten");
  });

  test("writes to the present folder without -o, and prints what it did as JSON", async () => {
    mkdirSync(at("here"));
    const { code, out } = await runForTest(["monitor", "baseline", "-f", "../train.csv", "-o", "json"], {
      folder: at("here"),
    });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      rows: 2000,
      files: { statistics: "statistics.json" },
      columns: [{ name: "age" }, {}, {}],
    });
    expect(existsSync(at("here/statistics.json"))).toBe(true);
  });

  test("tells on a terminal how far it is, and leaves nothing of that behind", async () => {
    writeFileSync(at("large.csv"), `${TRAIN}${TRAIN.split("\n").slice(1).join("\n").repeat(60)}`);
    const { code, err } = await run(["monitor", "baseline", "-f", "large.csv", "-o", "./large"], true);
    expect(code).toBe(0);
    expect(err).toMatch(/read \d+ % of \d+ MB/);
    expect(err.endsWith("\r\u001b[2K")).toBe(true);
  });

  test.each([
    ["no such file", ["-f", "nope.csv"], "no such file, -f nope.csv"],
    ["a folder", ["-f", "base"], "not an ordinary file, -f base"],
    ["a label that is no column", ["-f", "train.csv", "--label", "shoe"], 'no column "shoe" in train.csv, --label'],
    ["no table", ["-f", "bad.csv"], "line 3, row 2: it has 1 value and the header 2, -f bad.csv"],
    ["no row", ["-f", "empty.csv"], "the table has no row, -f empty.csv"],
  ])("says what is wrong with %s, and where", async (_what, argv, words) => {
    writeFileSync(at("bad.csv"), "a,b\n1,2\nsecret\n");
    writeFileSync(at("empty.csv"), "a,b\n");
    const { code, err } = await run(["monitor", "baseline", ...argv, "-o", "./other"]);
    expect(code).toBe(64);
    expect(err).toContain(words);
    expect(err).not.toContain("secret");
  });
});

describe("monitor check", () => {
  beforeAll(async () => {
    writeFileSync(at("train.csv"), TRAIN);
    await run(["monitor", "baseline", "-f", "train.csv", "--label", "churned", "-o", "./checked"]);
  });

  test("of the table itself finds nothing", async () => {
    const { code, out } = await run([
      "monitor",
      "check",
      "-f",
      "train.csv",
      "--label",
      "churned",
      "--baseline",
      "checked",
    ]);
    expect(out).toContain("NO VIOLATION  0 of 6 checks are violated by 2000 rows; wrote constraint_violations.json");
    expect(code).toBe(0);
    expect(JSON.parse(readFileSync(at("constraint_violations.json"), "utf8"))).toEqual({ violations: [] });
  });

  test("of another table ends with 2, and its report takes the place of the one before", async () => {
    writeFileSync(
      at("today.csv"),
      table(2000, (row) => `${40 + (row % 50)},${row % 3 ? "red" : "blue"},${row % 2}`),
    );
    for (const words of [
      "VIOLATIONS\nCOLUMN +CHECK +WHY\n",
      "age +baseline_drift_check +The distance",
      "churned +extra_column_check",
    ]) {
      const { code, out } = await run([
        "monitor",
        "check",
        "-f",
        "today.csv",
        "--baseline",
        "checked",
        "--report",
        "r.json",
      ]);
      expect(code).toBe(2);
      expect(out).toMatch(new RegExp(words));
    }
    const { violations } = JSON.parse(readFileSync(at("r.json"), "utf8"));
    expect(violations).toContainEqual({
      ...{ feature_name: "color", constraint_check_type: "categorical_values_check" },
      description: "66.7 % of 2000 values are among the 2 of the baseline, and at least 100 % have to be.",
    });
  });

  test("takes both files by their names, and gives every check with its numbers as JSON", async () => {
    const files = ["--baseline", "checked/statistics.json", "--constraints", "checked/constraints.json"];
    const { code, out } = await run(["monitor", "check", "-f", "train.csv", ...files, "-o", "json"]);
    expect(code).toBe(2);
    const { checks, violations, rows } = JSON.parse(out);
    expect(rows).toBe(2000);
    expect(checks[0]).toMatchObject({ column: "age", check: "data_type_check", observed: 1, limit: 1, holds: true });
    expect(violations).toMatchObject([{ feature_name: "churned", constraint_check_type: "extra_column_check" }]);
  });

  test.each([
    [
      "statistics alone",
      ["--baseline", "checked/statistics.json"],
      "no constraints, --baseline checked/statistics.json",
    ],
    ["a folder without the files", ["--baseline", "base"], "no such file, --baseline base/statistics.json"],
    [
      "the one file for the other",
      ["--baseline", "checked/constraints.json", "--constraints", "checked/constraints.json"],
      "it is not a statistics.json of a data set: /dataset",
    ],
  ])("says what is wrong with %s", async (_what, argv, words) => {
    const { code, err } = await run(["monitor", "check", "-f", "train.csv", ...argv]);
    expect(code).toBe(64);
    expect(err).toContain(words);
  });
});
