import * as cedar from "@cedar-policy/cedar-wasm/nodejs";
import { describe, expect, it } from "vitest";
import { readPolicyFiles, shippedPolicyFolder } from "../../config/policy-files.ts";
import type { Parsed } from "../error.ts";
import { parsePriceTable } from "../pricing/price-table.ts";
import {
  type Attributes,
  type ContextForm,
  FORMS,
  OPTIONAL_ATTRIBUTES,
  toCedarContext,
  wordsOf,
} from "./attributes.ts";
import { evaluate } from "./evaluate.ts";
import { gatherAttributes } from "./gather-attributes.ts";
import { loadPolicySet, type PolicyFile, type PolicySet, SCHEMA_FILE } from "./load-policy-set.ts";
import { parseSettings } from "./settings.ts";
import { randomDecision, seededRandom } from "./testing/random-decisions.ts";

const files = readPolicyFiles(shippedPolicyFolder());
const text = (path: string) => files.find((file) => file.path === path)?.text ?? "";
const schema = text(SCHEMA_FILE);

function value<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(`${parsed.problem.path}: ${parsed.problem.message}`);
  return parsed.value;
}

const ground = {
  prices: value(parsePriceTable(text("prices.json"))),
  settings: value(parseSettings(text("settings.json"))),
};

/** Points as plans give them, and with enumerations and counts that no plan of today has. */
function randomAttributes(seed: number): Attributes {
  const random = seededRandom(seed);
  const asking = (["listing", "all", "now"] as const)[seed % 3] ?? "listing";
  const made = randomDecision(random, ground);
  const attributes = gatherAttributes({ ...made, planDigest: "" }, asking);
  if (random() < 0.7) return attributes;
  const any = (name: keyof Attributes) => {
    const words = wordsOf(name) ?? [];
    return words[Math.floor(random() * words.length)] ?? "";
  };
  return { ...attributes, environment: any("environment"), runtime: any("runtime"), gate: any("gate") };
}

/** The set as its files have it, asked with every attribute and with Cedar's own comparison with the schema. */
function askAsWritten(set: PolicySet): (attributes: Attributes) => string {
  const name = `written/${set.digest}`;
  const staticPolicies = Object.fromEntries([...set.policies.values()].map(({ id, text }) => [id, text]));
  expect(cedar.preparseSchema(name, schema).type).toBe("success");
  expect(cedar.preparsePolicySet(name, { staticPolicies: { ...staticPolicies, BASE: text("base.cedar") } }).type).toBe(
    "success",
  );
  return (attributes) => {
    const answer = cedar.statefulIsAuthorized({
      principal: { type: "Agent", id: "proposer" },
      action: { type: "Action", id: "deployClean" },
      resource: { type: "Endpoint", id: "endpoint" },
      context: toCedarContext(attributes, { names: Object.keys(FORMS) as (keyof Attributes)[], form: "entities" }),
      preparsedSchemaName: name,
      preparsedPolicySetId: name,
      validateRequest: true,
      entities: [],
    });
    if (answer.type === "failure") return answer.errors.map(({ message }) => message).join();
    const { reason, errors } = answer.response.diagnostics;
    const known = (ids: string[]) => [...set.policies.keys()].filter((id) => ids.includes(id));
    return said(known(reason), known(errors.map(({ policyId }) => policyId)));
  };
}

const said = (forbidding: string[], failing: string[]) => `forbid ${forbidding.join()}; fail ${failing.join()}`;

function ask(set: PolicySet, attributes: Attributes): string {
  const { forbidding, failures } = evaluate(set, "agent", attributes);
  const ids = (list: { clause: string }[]) => list.map((each) => ("id" in each ? String(each.id) : each.clause));
  return said(ids(forbidding), ids(failures));
}

function own(...rules: [action: string, scope: string, condition: string][]): PolicyFile[] {
  const obligations: Record<string, string> = {
    deployUnattended: '@obligation("approval:approver")',
    deployProven: '@obligation("evidence:tests")',
  };
  const levels: Record<string, string> = {
    ...{ deploy: "deny", deployUnattended: "approval", deployProven: "require", deployClean: "advise" },
  };
  const policies = rules.map(
    ([action, principal, condition], index) =>
      `@id("ACME-${index + 1}") @level("${levels[action]}") ${obligations[action] ?? ""} @reason("No") @source("acme#rules")
forbid (${principal}, action in Action::"${action}", resource) ${condition};`,
  );
  return [{ path: "acme.cedar", text: policies.join("\n") }];
}

describe("a question to Cedar", () => {
  const overflow = "context.instanceCount * 9007199254740991 * 9007199254740991 > 0";
  const sets: [string, ContextForm, PolicyFile[]][] = [
    ["the shipped set", "words", []],
    [
      "own policies of every level",
      "words",
      own(
        ["deploy", "principal is Agent", 'when { context.modelName like "ch*" && context.dryRun }'],
        ["deployUnattended", "principal", 'unless { context.labels.contains("team=growth") }'],
        ["deployProven", "principal is Human", "when { context.restore }"],
        ["deployClean", "principal", 'when { [Target::"local", Target::"braket"].contains(context.target) }'],
        ["deploy", 'principal == Agent::"proposer"', 'when { context.strategy == Strategy::"linear" }'],
        [
          "deployClean",
          "principal",
          'when { context.verified.containsAny([Evidence::"tests"]) || context.monitorParts == [MonitorPart::"bias"] }',
        ],
        [
          "deployClean",
          "principal",
          'when { (if context.dryRun then Gate::"run" else context.gate) != Gate::"propose" && -context.stepPercent < 0 - 9 }',
        ],
      ),
    ],
    [
      "an own policy that looks for the environment in a list",
      "entities",
      own(["deployClean", "principal", 'when { context.environment in [Environment::"staging"] && context.dryRun }']),
    ],
    [
      "an own policy that compares the words of two enumerations",
      "entities",
      own(
        ["deploy", "principal", "when { context.runtime != context.workload && context.dryRun }"],
        ["deployClean", "principal", "unless { context.workload == context.runtime || context.restore }"],
      ),
    ],
    [
      "an own policy that chooses between two enumerations",
      "entities",
      own([
        "deploy",
        "principal",
        "when { (if context.dryRun then context.runtime else context.runtime) != context.workload && context.restore }",
      ]),
    ],
    [
      "an own policy that asks for the type of a word",
      "entities",
      own(["deploy", "principal", "when { context.strategy is Strategy && context.imageNamed }"]),
    ],
    [
      "an own policy that asks who proposes",
      "entities",
      own(["deploy", "principal", 'when { principal in Agent::"proposer" && context.dryRun }']),
    ],
    [
      "policies behind a test of the environment",
      "words",
      own(
        ["deploy", "principal", 'unless { context.environment != Environment::"staging" || context.stepPercent > 20 }'],
        ["deploy", "principal", 'when { Environment::"production" == context.environment && context.restore }'],
        [
          "deploy",
          "principal",
          'when { context.environment == Environment::"development" } when { context.imageNamed }',
        ],
        [
          "deploy",
          "principal",
          'when { (if context.environment == Environment::"staging" then context.modelVersion else "1") == "1" && context.dryRun }',
        ],
        [
          "deploy",
          "principal",
          'when { !(context.environment == Environment::"production") && context.workload == Workload::"mixed" }',
        ],
      ),
    ],
    [
      "policies that err",
      "words",
      own(
        ["deploy", "principal", `when { ${overflow} }`],
        ["deployClean", "principal", `when { context.environment == Environment::"staging" && ${overflow} }`],
      ),
    ],
  ];

  it.each(sets)("is answered as by the written policies with everything compared: %s", (_, form, rules) => {
    const set = value(loadPolicySet(files, { own: rules }));
    expect(set.form).toBe(form);
    const written = askAsWritten(set);
    for (let seed = 1; seed <= (rules.length === 0 ? 400 : 120); seed += 1) {
      const attributes = randomAttributes(seed);
      expect(ask(set, attributes), `seed ${seed}`).toBe(written(attributes));
    }
  });

  it.each<[keyof Attributes, unknown]>([
    ["environment", "prod"],
    ["environment", undefined],
    ["environment", "__proto__"],
    ["gate", "toString"],
    ["runtime", ["gpu"]],
    ["instanceCount", "2"],
    ["instanceCount", 2.5],
    ["instanceCount", 2 ** 53],
    ["instanceCount", null],
    ["dryRun", "false"],
    ["instanceType", 5],
    ["alarms", "ModelMonitorAlarm"],
    ["alarms", [1]],
    ["monitorParts", ["everything"]],
    ["verified", undefined],
  ])("is a denial when %s is %j", (name, wrong) => {
    const set = value(loadPolicySet(files));
    const input = { ...randomDecision(seededRandom(3), ground), planDigest: "" };
    const attributes = { ...gatherAttributes(input, "listing"), environment: "production", [name]: wrong };
    expect(evaluate(set, "human", attributes).failures).not.toEqual([]);
  });

  it("uses the schema's own types and words", () => {
    const parsed = cedar.schemaToJson(schema);
    if (parsed.type === "failure") throw new Error("the schema is Cedar");
    const { commonTypes, entityTypes } = parsed.json[""] ?? {};
    const plan = commonTypes?.["Plan"] as { attributes: Record<string, SchemaType> } | undefined;
    const members = plan?.attributes ?? {};
    expect(Object.fromEntries(Object.entries(members).map(([name, type]) => [name, nameOf(type)]))).toEqual(FORMS);
    const optional = Object.keys(members).filter((name) => members[name]?.required === false);
    expect(optional.sort()).toEqual([...OPTIONAL_ATTRIBUTES].sort());
    for (const name of Object.keys(FORMS) as (keyof Attributes)[]) {
      const type = FORMS[name].replace(/^Set<(.*)>$/, "$1");
      const entity = entityTypes?.[type] as { enum: string[] } | undefined;
      expect(wordsOf(name), name).toEqual(entity?.enum);
    }
  });
});

interface SchemaType {
  type: string;
  name?: string;
  element?: SchemaType;
  required?: boolean;
}

function nameOf({ type, name, element }: SchemaType): string {
  if (element !== undefined) return `Set<${nameOf(element)}>`;
  return { Boolean: "Bool" }[name ?? type] ?? name ?? type;
}
