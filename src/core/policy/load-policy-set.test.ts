import { describe, expect, it } from "vitest";
import { readPolicyFiles, shippedPolicyFolder } from "../../config/policy-files.ts";
import { lintPolicies } from "./lint.ts";
import { loadPolicySet } from "./load-policy-set.ts";

const shipped = readPolicyFiles(shippedPolicyFolder());

function own(text: string, path = "acme.cedar") {
  return loadPolicySet(shipped, { own: [{ path, text }] });
}

function annotated(notes: string, body: string): string {
  return `@id("ACME-1")\n@level("deny")\n@reason("No")\n@source("acme#rules")\n${notes}\n${body}`;
}

const forbid = (condition: string, action = "deploy") =>
  `forbid (principal, action in Action::"${action}", resource)\nwhen { ${condition} };`;

describe("loadPolicySet", () => {
  it("loads the shipped set once per digest", () => {
    const first = loadPolicySet(shipped);
    const second = loadPolicySet([...shipped].reverse());
    expect(first.ok && second.ok && first.value === second.value).toBe(true);
    expect(first.ok && first.value.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it("gives another digest when a deciding file changes, prices among them, and the same when a table does", () => {
    const digest = (files: typeof shipped) => {
      const set = loadPolicySet(files);
      return set.ok ? set.value.digest : set.problem.message;
    };
    const changed = (path: string) =>
      shipped.map((file) => (file.path === path ? { ...file, text: `${file.text}\n` } : file));
    expect(digest(changed("settings.json"))).not.toBe(digest(shipped));
    expect(digest(changed("prices.json"))).not.toBe(digest(shipped));
    expect(digest(changed("tables/cost.yaml"))).toBe(digest(shipped));
  });

  it("takes a user's forbid beside the shipped ones", () => {
    const set = own(annotated("", forbid('principal is Agent && context.environment == Environment::"production"')));
    expect(set.ok && set.value.policies.get("ACME-1")).toMatchObject({
      owner: "own",
      document: "own",
      section: "acme#rules",
    });
  });

  it.each([
    ["a permit", `@id("ACME-1")\npermit (principal, action, resource);`, "a permit is not taken"],
    [
      "a second base permit",
      `@id("BASE")\npermit (principal, action in Action::"deploy", resource);`,
      "a permit is not taken",
    ],
    [
      "an id that stands twice",
      annotated("", forbid("context.dryRun")) + annotated("", forbid("context.restore")),
      "stands twice",
    ],
    [
      "a shipped id",
      annotated("", forbid("context.dryRun")).replace("ACME-1", "AO-1"),
      "stands twice, also in agentops/environments.cedar:1",
    ],
    [
      "the base permit's id",
      annotated("", forbid("context.dryRun"))
        .replaceAll("ACME-1", "BASE")
        .replace("@level", '@clause("ACME-1")\n@level'),
      "base permit's",
    ],
    ["no id", annotated("", forbid("context.dryRun")).replace('@id("ACME-1")', ""), '@id("...") is missing'],
    ["no reason", annotated("", forbid("context.dryRun")).replace('@reason("No")', ""), '@reason("...") is missing'],
    [
      "no source",
      annotated("", forbid("context.dryRun")).replace('@source("acme#rules")', ""),
      '@source("...") is missing',
    ],
    ["no level", annotated("", forbid("context.dryRun")).replace('@level("deny")', ""), '@level("...") is missing'],
    ["a level that is not the action's", annotated("", forbid("context.dryRun", "deployClean")), "which is advise"],
    [
      "an unknown clause of a founding family",
      annotated('@clause("AO-99")', forbid("context.dryRun")),
      '"AO-99" is not known',
    ],
    ["an unknown annotation", annotated('@hint("x")', forbid("context.dryRun")), "@hint is not known"],
    ["an unknown fix", annotated('@fix("magic")', forbid("context.dryRun")), "@fix"],
    ["an obligation of a denial", annotated('@obligation("snapshot")', forbid("context.dryRun")), "has no @obligation"],
    [
      "a discharge of its own",
      annotated('@discharged("trust me")', forbid("context.dryRun")),
      "@discharged is for shipped policies",
    ],
    [
      "a limit that drifted",
      annotated('@observed("instanceCount")\n@limit("3")', forbid("context.instanceCount > 2")),
      "does not stand in the policy's condition",
    ],
    [
      "an unknown observation",
      annotated('@observed("instances")', forbid("context.dryRun")),
      "context.instances is not known",
    ],
    [
      "a number that JSON rounds",
      annotated("", forbid("context.instanceCount > 9007199254740993")),
      "beyond 9007199254740991",
    ],
    [
      "an action of no level",
      annotated("", "forbid (principal, action, resource) when { context.dryRun };"),
      "the action must be",
    ],
    ["a misspelt attribute", annotated("", forbid("context.instanceCuont > 2")), "instanceCuont"],
    ["a misspelt value", annotated("", forbid('context.environment == Environment::"prod"')), "prod"],
    ["a wrong type", annotated("", forbid('context.instanceCount > "2"')), "2:"],
    ["an unguarded optional", annotated("", forbid("context.costMicroUsdPerHour > 1")), "costMicroUsdPerHour"],
    ["an unknown action", annotated("", forbid("context.dryRun", "deployNow")), "the action must be"],
    [
      "a template",
      annotated("", 'forbid (principal == ?principal, action in Action::"deploy", resource);'),
      "template",
    ],
    ["a syntax error", "forbid (", "own/acme.cedar"],
    [
      "an always-false condition",
      annotated("", forbid('context.environment == Environment::"staging" && false')),
      "own/acme.cedar",
    ],
  ])("refuses %s", (_name, text, message) => {
    const set = own(text);
    if (set.ok) throw new Error("the set was taken");
    expect(`${set.problem.path}: 2:${set.problem.message}`).toContain(message);
    expect(set.problem.message).not.toContain("\n");
  });

  it("needs the schema and the base permit", () => {
    expect(loadPolicySet(shipped.filter(({ path }) => path !== "schema.cedarschema"))).toMatchObject({ ok: false });
    expect(loadPolicySet(shipped.filter(({ path }) => path !== "base.cedar"))).toMatchObject({ ok: false });
  });

  it("does not let a user replace the schema", () => {
    const schema = { path: "schema.cedarschema", text: "entity Nothing;" };
    const set = loadPolicySet(shipped, { own: [schema] });
    expect(set.ok).toBe(true);
  });
});

describe("lintPolicies", () => {
  it("names every problem with its file and line, and what no table tests", () => {
    const table = `table: acme\ncases:\n  - { name: a, environment: staging, expect: { deny: [ACME-2] } }\n`;
    const findings = lintPolicies(shipped, [
      { path: "a.cedar", text: `\n${annotated("", forbid("context.dryRun")).replace('@reason("No")', "")}` },
      { path: "b.cedar", text: "permit (principal, action, resource);" },
      { path: "tables/c.yaml", text: "table: x" },
      { path: "settings.json", text: "{" },
    ]);
    expect(findings.map(({ severity, file, line }) => [severity, file, line])).toEqual([
      ["error", "a.cedar", 2],
      ["error", "b.cedar", 1],
      ["error", "tables/c.yaml", 1],
      ["error", "settings.json", 1],
    ]);
    const untested = lintPolicies(shipped, [
      { path: "a.cedar", text: annotated("", forbid("context.dryRun")) },
      { path: "tables/t.yaml", text: table },
    ]);
    expect(untested).toMatchObject([{ severity: "warning", file: "a.cedar", line: 1 }]);
  });
});
