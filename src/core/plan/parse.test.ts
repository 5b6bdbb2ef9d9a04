import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJsonStrict, parsePlan, validatePlanInput } from "./parse.ts";

const valid = `apiVersion: continuum/v1
kind: DeploymentPlan
metadata: { name: churn }
spec:
  environment: staging
  model: { name: churn, version: 3.1.0, artifact: "file:./model.onnx" }
  compute: { instanceType: ml.m5.large }
`;

function refusal(text: string, fileName?: string): string {
  const parsed = parsePlan(text, fileName === undefined ? {} : { fileName });
  if (parsed.ok) throw new Error("the plan was taken");
  expect(parsed.problem.message).not.toContain("\n");
  return parsed.problem.message;
}

describe("parsePlan", () => {
  it("reads YAML, and the same plan from JSON", () => {
    const yaml = parsePlan(valid);
    if (!yaml.ok) throw new Error(yaml.problem.message);
    const text = JSON.stringify(yaml.value);
    expect(parsePlan(text, { fileName: "plan.json" })).toEqual(yaml);
    expect(parsePlan(text, { fileName: "plan.yaml" })).toEqual(yaml);
    expect(validatePlanInput(JSON.parse(text))).toEqual(yaml);
  });

  it.each([
    [
      "an unknown key",
      valid.replace("environment", "enviroment"),
      '5:3: /spec/enviroment: unknown key "enviroment"; did you mean "environment"?',
    ],
    [
      "an unknown key far from any",
      `${valid}zzzzqqqq: 1`,
      '8:1: /zzzzqqqq: unknown key "zzzzqqqq"; known here: apiVersion, kind, metadata, spec',
    ],
    ["a duplicate key", `${valid}kind: DeploymentPlan`, '8:1: key "kind" stands twice in this mapping; keep one'],
    ["an alias", `${valid}  rollback: { alarms: [&a x, *a] }`, "anchors (&name) are not taken"],
    ["an alias with no anchor", `${valid}  dryRun: *a`, "plan:8:11"],
    ["a tag", `${valid}  dryRun: !!bool true`, "tag"],
    ["a custom tag", `${valid}  dryRun: !js/function x`, "ag"],
    ["a merge key", `${valid}  <<: { dryRun: true }`, "merge keys"],
    ["a prototype key", `${valid}  __proto__: { dryRun: true }`, 'key "__proto__" is reserved'],
    ["a constructor key", `${valid}  monitor: { dataDrift: { constructor: 1 } }`, 'key "constructor" is reserved'],
    ["an infinite number", `${valid}  budget: { maxUsdPerHour: .inf }`, "not a finite number"],
    ["no number", `${valid}  budget: { maxUsdPerHour: .nan }`, "not a finite number"],
    ["a number that overflows", `${valid}  budget: { maxUsdPerHour: 1e999 }`, "not a finite number"],
    [
      "an integer that is not held",
      `${valid}  budget: { maxUsdPerHour: 9007199254740993 }`,
      "too large to be held exactly",
    ],
    ["a key that is no string", `${valid}  1: 2`, "put it in quotes"],
    ["a key that is a list", `${valid}  ? [a]\n  : 2`, "a key must be a string"],
    ["two documents", `${valid}---\n${valid}`, "a second document begins here"],
    ["a directive", `%YAML 1.1\n---\n${valid}`, "directives"],
    ["an empty text", "", "empty"],
    ["only a comment", "# later\n", "empty"],
    ["a NUL", `${valid}  labels: "\\0"`, "U+0000"],
    ["half a surrogate pair", `${valid}  labels: "\\ud800"`, "surrogate"],
    ["half a surrogate pair in the text", `${valid}#\ud800`, "not valid Unicode"],
    ["a syntax error", `${valid}  - {`, "plan:"],
    ["a list", "[]", "must be a mapping"],
    ["a scalar", "hello", "must be a mapping"],
    [
      "an unquoted version",
      valid.replace("3.1.0", "3.1"),
      '6:25: /spec/model/version: got the number 3.1; put it in quotes: "3.1"',
    ],
    [
      "a count that is no integer",
      valid.replace("ml.m5.large", "ml.m5.large, instanceCount: 1.5"),
      "must be an integer",
    ],
    ["a count under one", valid.replace("ml.m5.large", "ml.m5.large, instanceCount: 0"), "got 0; must be at least 1"],
    ["a bad name", valid.replace("{ name: churn }", "{ name: Churn_1 }"), "DNS label"],
    [
      "an image without a digest",
      valid.replace("{ name: churn, version", "{ image: a/b:1, name: churn, version"),
      "must name a digest",
    ],
    [
      "an unknown environment",
      valid.replace("staging", "stagng"),
      'must be one of "development", "staging", "production"',
    ],
    ["an empty section", `${valid}  rollout:`, "write {} for the defaults"],
    [
      "a missing section",
      valid.replace(/ {2}compute.*\n/, ""),
      "5:3: /spec/compute: missing; a mapping is due here".replace("5:3", "4:1"),
    ],
  ])("refuses %s in one line", (_name, text, expected) => {
    expect(refusal(text)).toContain(expected);
  });

  it("names the file, the line and the column", () => {
    expect(refusal(valid.replace("kind", "kimd"), "my/plan.yaml")).toBe(
      'my/plan.yaml:2:1: /kimd: unknown key "kimd"; did you mean "kind"?',
    );
    const json = `{"apiVersion": "continuum/v1",\n "kind": "x", "kind": "y"}`;
    expect(refusal(json, "p.json")).toBe('p.json:2:15: key "kind" stands twice in this mapping; keep one');
  });

  it("refuses what is too long or too deep, and quickly", () => {
    const attacks = [
      `#${"x".repeat(256 * 1024)}`,
      "[".repeat(200_000),
      "{a: ".repeat(60_000),
      "- ".repeat(120_000),
      `{"${"a b ".repeat(50_000)}`,
      `{"${"\\\\".repeat(100_000)}`,
      "? ".repeat(120_000),
      `a: ${"[".repeat(40)}${"]".repeat(40)}`,
      `${valid}  monitor: { dataDrift: ${"{a: ".repeat(40)}1${"}".repeat(40)} }`,
      Array.from({ length: 600 }, (_, indent) => `${" ".repeat(indent)}k:`).join("\n"),
      Array.from({ length: 5_000 }, (_, index) => `k${index}: 1`).join("\n"),
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]`,
    ];
    for (const attack of attacks) {
      const start = performance.now();
      refusal(attack);
      refusal(attack, "plan.json");
      expect(performance.now() - start).toBeLessThan(15_000);
    }
  });

  it("answers any text with a plan or with one printable line, and throws at none", () => {
    const pieces = fc.constantFrom(
      ...valid.split(/(?<=[\s:{}])/),
      "&a ",
      "*a",
      "!!x ",
      "- ",
      "? ",
      "[",
      "]",
      "{",
      "}",
      "|",
      ">",
      "'",
      '"',
      "#",
      "%",
      "@",
      "\t",
      "\n",
      "<<: ",
      "\u2028",
      "\u001b[31m",
      "\u0000",
      "\ud800",
      "\ufeff",
    );
    const mutated = fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: "binary" }), mutated),
        fc.constantFrom("a.yaml", "a.json"),
        (text, fileName) => {
          const parsed = parsePlan(text, { fileName });
          if (!parsed.ok) expect(parsed.problem.message).toMatch(/^a\.(yaml|json):[^\p{C}\p{Zl}\p{Zp}]+$/u);
        },
      ),
      { numRuns: 600 },
    );
  });

  it("escapes what a key would do to a terminal", () => {
    expect(refusal(`{"\\u001b[2J": 1}`, "p.json")).toContain("\\u001b[2J");
    expect(refusal(`${valid}"\\u2028": 1`)).toContain("\\u{2028}");
  });

  it("leaves Object.prototype alone", () => {
    refusal(`{"__proto__": {"polluted": true}}`, "plan.json");
    refusal(`__proto__: { polluted: true }`);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    const own = JSON.parse('{"spec": {"monitor": {"dataDrift": {"__proto__": 1}}}}');
    expect(validatePlanInput(own)).toMatchObject({ ok: false, problem: { path: "/spec/monitor/dataDrift/__proto__" } });
  });
});

describe("parseJsonStrict", () => {
  it.each([
    "{}",
    "[]",
    "null",
    "-0.5e+3",
    '"a\\u00e9\\n"',
    ' {"a": [1, {"b": null}], "c": true} ',
    '{"": 1, "a/b": {"~": 2}}',
  ])("reads %s as JSON.parse does", (text) =>
    expect(parseJsonStrict(text)).toEqual({ ok: true, value: JSON.parse(text) }),
  );

  it.each([
    "",
    " ",
    "{",
    "[1,]",
    "{,}",
    '{"a":1,}',
    "01",
    "+1",
    ".5",
    "1.",
    "NaN",
    "Infinity",
    "'a'",
    '"\t"',
    '"\\x"',
    '"a',
    "{a:1}",
    "1 2",
    "tru",
    "undefined",
    "[1 2]",
    '{"a" 1}',
    "// c\n1",
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    "1e400",
    '{"__proto__":1}',
    "\ufeff{}",
    "[".repeat(100_000),
    '"\\ud800"',
    '"\\u0000"',
  ])("refuses %j", (text) => {
    const parsed = parseJsonStrict(text);
    expect(parsed.ok).toBe(false);
    if (!parsed.ok) expect(parsed.problem.message).not.toContain("\n");
  });
});
