import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

// docs/threat-model.md promises a test for each threat. A promise about a test that was renamed or taken away is none.

const root = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");

interface Threat {
  id: string;
  words: string[];
  tests: { path: string; name: string }[];
}

const cells = (line: string) => line.split("|").map((cell) => cell.trim());
const threats: Threat[] = read("docs/threat-model.md")
  .split("\n")
  .filter((line) => /^\| [A-Z]\d+ \|/.test(line))
  .map((line) => {
    const [, id = "", threat = "", control = "", tests = ""] = cells(line);
    const named = [...tests.matchAll(/`([^`]+?) › ([^`]+)`/g)];
    return { id, words: [threat, control], tests: named.map(([, path = "", name = ""]) => ({ path, name })) };
  });
const named = threats.flatMap(({ id, tests }) => tests.map((one) => ({ id, ...one })));

/** Titles of tests in a source: a literal between `test(`, or a table's `)(`, and a function. */
function titlesIn(source: string): { title: string; isSkipped: boolean }[] {
  const titles =
    /(?:\b(?:test|it)(?:\.\w+)*|\))\(\s*(?:"((?:[^"\\]|\\.)*)"|`([^`]*)`),\s*(?:async\b|function\b|\(|\w+ =>)/g;
  return [...source.matchAll(titles)].map(([whole, quoted, template]) => ({
    title: quoted === undefined ? (template ?? "") : (JSON.parse(`"${quoted}"`) as string),
    isSkipped: /^\w+(?:\.\w+)*\.(?:skip|todo)\(/.test(whole),
  }));
}

/** Attacks that stand beside what they attack, apart from those of test/checks/attacks. */
const ATTACKS = [
  "src/service/attacks.test.ts",
  "src/surfaces/http/attacks.test.ts",
  "test/checks/simulation-attacks.test.ts",
  "test/checks/simulation-rollouts.test.ts",
];

/** What `npm test` runs on every machine, unlike the peers and the package. */
const runsAlways = (path: string) => /^(src|policies|test\/(checks|faults|e2e))\//.test(path);

describe("the threat model", () => {
  test("has threats, each under an id of its own, with a control and a test that every run holds", () => {
    expect(threats.length).toBeGreaterThan(50);
    expect(new Set(threats.map(({ id }) => id)).size).toBe(threats.length);
    for (const { id, words, tests } of threats) {
      for (const text of words) expect([id, text.length > 10]).toEqual([id, true]);
      expect([id, tests.some(({ path }) => runsAlways(path))]).toEqual([id, true]);
    }
  });

  test.each(named)("names for $id a test that is there: $path › $name", ({ path, name }) => {
    expect(existsSync(new URL(path, root)), `${path} is not there`).toBe(true);
    expect(path).toMatch(/\.(test|conformance)\.ts$/);
    const found = titlesIn(read(path)).filter(({ title }) => title === name);
    expect(found, `${path} has no test of that name`).not.toEqual([]);
    expect(found.some(({ isSkipped }) => isSkipped)).toBe(false);
  });

  test("names every attack", () => {
    const files = readdirSync(new URL("test/checks/attacks/", root)).filter((name) => name.endsWith(".test.ts"));
    const attacks = [...files.map((name) => `test/checks/attacks/${name}`), ...ATTACKS].flatMap((path) =>
      titlesIn(read(path)).map(({ title }) => `${path} › ${title}`),
    );
    const known = new Set(named.map(({ path, name }) => `${path} › ${name}`));
    expect(attacks.length).toBeGreaterThan(0);
    expect(attacks.filter((attack) => !known.has(attack))).toEqual([]);
  });
});

describe("the reader of titles", () => {
  test("finds a test that is run and one that is skipped, and takes no other text for one", () => {
    const source = `test("is \\"run\\"", async () => {}); test.skip("is not", () => {});
      // "is only told of" here, and expect(x, "a word").toBe(1)
      test.each([1])("is run %s", (n) => {}); log("said", 3);
      describe("a group", () => {}); ask("/v1/x", { method }); wait("so long", () => 1);`;
    expect(titlesIn(source)).toEqual([
      { title: 'is "run"', isSkipped: false },
      { title: "is not", isSkipped: true },
      { title: "is run %s", isSkipped: false },
    ]);
  });
});
