import { describe, expect, test } from "vitest";
import { readPolicyFiles, shippedPolicyFolder } from "../../config/policy-files.ts";
import { checkPolicySet } from "./load-policy-set.ts";
import { policyNestingProblem, textNestingProblem } from "./nesting.ts";

const shipped = readPolicyFiles(shippedPolicyFolder());
const ground = shipped.filter(({ path }) => path === "schema.cedarschema" || path === "base.cedar");
const own = (condition: string) => {
  const head = '@id("OWN-1")\n@level("deny")\n@reason("r")\n@source("own#s")\n';
  const text = `${head}forbid (principal, action in Action::"deploy", resource) when { ${condition} };\n`;
  return checkPolicySet([...ground, { path: "own/rules.cedar", text }], "sha256:test");
};

describe("a Cedar text that its reader could not bear", () => {
  test.each([
    ["brackets", `${"(".repeat(300)}true${")".repeat(300)}`, /brackets nested deeper/],
    ["negations", `${"!".repeat(5000)}true`, /more than 500 operators/],
    ["conditionals", `${"if true then ".repeat(900)}true${" else false".repeat(900)}`, /more than 500 operators/],
    ["terms", `${"true && ".repeat(60)}true`, /too many operators/],
  ])("is refused with its line: %s", (_, condition, message) => {
    expect(own(condition).problems).toEqual([{ path: "own/rules.cedar", message: expect.stringMatching(message) }]);
    expect(own(condition).problems[0]?.message).toMatch(/^\d: /);
    // Cedar is whole: the next text is read as if nothing had been.
    expect(own("context.instanceCount > 4").problems).toEqual([]);
  });

  test("is none for what only looks like it", () => {
    expect(textNestingProblem(`"${"(".repeat(1000)}\\"${"!".repeat(1000)}" // ${"[".repeat(1000)}\n`)).toBeUndefined();
    expect(textNestingProblem("a == 1;\n".repeat(1000))).toBeUndefined();
    expect(own(`${"true && ".repeat(45)}true`).problems).toEqual([]);
    expect(own(`${"(".repeat(25)}true${")".repeat(25)}`).problems).toEqual([]);
  });

  test("ends where its text does", () => {
    expect(textNestingProblem('"never closed \\')).toBeUndefined();
    expect(textNestingProblem("// no line end")).toBeUndefined();
    expect(policyNestingProblem({ a: [1, null, "x"] })).toBeUndefined();
    expect(textNestingProblem(" ".repeat(300_000))?.message).toMatch(/several files/);
  });
});
