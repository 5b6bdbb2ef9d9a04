import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readPolicyFiles, shippedPolicyFolder } from "../../config/policy-files.ts";
import type { Parsed } from "../error.ts";
import { parsePriceTable } from "../pricing/price-table.ts";
import { CLAUSES } from "./clause-list.ts";
import { isTableFile, parseTable } from "./decision-table.ts";
import { lintPolicies } from "./lint.ts";
import { listPolicies } from "./list.ts";
import { loadPolicySet } from "./load-policy-set.ts";
import { parseBases, runTable } from "./run-table.ts";
import { parseSettings } from "./settings.ts";

const files = readPolicyFiles(shippedPolicyFolder());
const text = (path: string) => files.find((file) => file.path === path)?.text ?? "";

function value<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(`${parsed.problem.path}: ${parsed.problem.message}`);
  return parsed.value;
}

const ground = {
  set: value(loadPolicySet(files)),
  settings: value(parseSettings(text("settings.json"))),
  prices: value(parsePriceTable(text("prices.json"))),
  bases: value(parseBases(text("bases.yaml"))),
};

describe.each(files.filter(isTableFile).map((file) => value(parseTable(file))))("$name", (table) => {
  it.each(runTable(ground, table))("$name", ({ problems, file, line }) => {
    expect(problems.map((problem) => `${file}:${line}: ${problem}`)).toEqual([]);
  });
});

describe("the shipped set", () => {
  it("is clean, and every clause has a case where it speaks and one where it does not", () => {
    expect(lintPolicies(files)).toEqual([]);
  });

  it("has a policy for every clause that a plan can be held to", () => {
    const enforced = new Set([...ground.set.policies.values()].map(({ clause }) => clause));
    // CP-7 is what evaluating is; P1, P4, GL and SIM are properties of the program and no plan can break them.
    const ofTheProgram = ["CP-7", "P1", "P4", "GL-1", "GL-2", "GL-3", "GL-4", "SIM"];
    expect([...CLAUSES].filter((clause) => !enforced.has(clause)).sort()).toEqual(ofTheProgram.sort());
  });

  it("lists every policy with when it is checked", () => {
    const rows = listPolicies(ground.set);
    expect(rows).toHaveLength(ground.set.policies.size);
    expect(rows.map(({ id }) => id)).toEqual(expect.arrayContaining(["AO-1", "CP-1.approval", "P7.trial"]));
    expect(rows.find(({ id }) => id === "AO-1")).toMatchObject({ level: "deny", source: "agentops#environments" });
    expect(rows.find(({ id }) => id === "CP-11.staging")?.gate).toBe("pre-provision");
    expect(rows.find(({ id }) => id === "P7")?.gate).toBe("propose");
  });

  it("has a price for every approved type", () => {
    const unpriced = ground.settings.approvedProductionTypes.filter((type) => !(type in ground.prices.usdPerHour));
    expect(unpriced).toEqual([]);
  });
});

describe("a user's table", () => {
  it("is run against the shipped set with the user's policies beside it", () => {
    const policy = `@id("ACME-1")\n@level("deny")\n@reason("No quick ones")\n@source("acme#rules")
forbid (principal, action in Action::"deploy", resource) when { context.strategy == Strategy::"all-at-once" };`;
    const table = `table: acme
cases:
  - { name: at once, environment: staging, spec: { rollout: { strategy: all-at-once } }, expect: { deny: [ACME-1] } }
  - { name: as a canary, environment: staging, expect: { deny: [] } }
  - { name: wrong, environment: production, expect: { deny: [ACME-1] } }
`;
    const set = value(loadPolicySet(files, { own: [{ path: "a.cedar", text: policy }] }));
    const results = runTable({ ...ground, set }, value(parseTable({ path: "tables/a.yaml", text: table })));
    expect(results.map(({ line, passed }) => [line, passed])).toEqual([
      [3, true],
      [4, true],
      [5, false],
    ]);
  });
});

describe("the guide beside the set", () => {
  const guide = readFileSync(join(shippedPolicyFolder(), "README.md"), "utf8");
  const block = (language: string) => guide.split(`\`\`\`${language}\n`)[1]?.split("```")[0] ?? "";

  it("shows a policy and a table that work", () => {
    const own = [
      { path: "a.cedar", text: block("cedar") },
      { path: "tables/a.yaml", text: block("yaml") },
    ];
    expect(lintPolicies(files, own)).toEqual([]);
    const set = value(loadPolicySet(files, { own }));
    const results = runTable({ ...ground, set }, value(parseTable({ path: "tables/a.yaml", text: block("yaml") })));
    expect(results.map(({ problems }) => problems)).toEqual([[], []]);
  });
});

describe("a table", () => {
  it("fails where the set says something else, and says what", () => {
    const [result] = runTable(ground, {
      name: "wrong",
      file: "tables/wrong.yaml",
      cases: [
        {
          name: "wrong",
          line: 3,
          environment: "production",
          spec: { compute: { instanceCount: 1 } },
          expect: { deny: [], fix: {} },
        },
      ],
    });
    expect(result?.passed).toBe(false);
    expect(result?.problems).toEqual([
      'deny: expected [], got ["AO-4"]',
      'fix: expected {}, got {"/spec/compute/instanceCount":2}',
    ]);
  });

  it("fails where its plan is malformed", () => {
    const [result] = runTable(ground, {
      name: "wrong",
      file: "tables/wrong.yaml",
      cases: [{ name: "wrong", line: 3, environment: "staging", spec: { compte: {} }, expect: {} }],
    });
    expect(result?.problems[0]).toContain('did you mean "compute"?');
  });

  it.each([
    ["table: x\ncases: []", "hold at least 1 items"],
    ["table: x\ncases:\n  - { name: a, environment: staging, expekt: {} }", 'did you mean "expect"?'],
    ["table: x\ncases:\n  - { name: a, environment: stage, expect: {} }", "must be one of"],
    ["table: [", "tables/x.yaml"],
  ])("is refused when malformed: %j", (wrong, message) => {
    const table = parseTable({ path: "tables/x.yaml", text: wrong });
    expect(table.ok ? "" : `${table.problem.path}:${table.problem.message}`).toContain(message);
  });
});
