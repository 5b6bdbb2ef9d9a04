import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readPolicyFiles, shippedPolicyFolder } from "../../src/config/policy-files.ts";
import type { Parsed } from "../../src/core/error.ts";
import { planDigest } from "../../src/core/plan/canonical.ts";
import { validatePlanInput } from "../../src/core/plan/parse.ts";
import { decide } from "../../src/core/policy/decide.ts";
import type { Decision, PatchOperation } from "../../src/core/policy/decision.ts";
import { loadPolicySet } from "../../src/core/policy/load-policy-set.ts";
import { parseSettings } from "../../src/core/policy/settings.ts";
import { randomDecision, seededRandom } from "../../src/core/policy/testing/random-decisions.ts";
import { parsePriceTable } from "../../src/core/pricing/price-table.ts";
import { runForTest } from "../../src/surfaces/cli/testing/run-for-test.ts";

// The public shapes, word for word as the contract has them: other programs are written against these. They are spelled
// out here once more, on purpose, and not taken from the schemas of the program.

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-contract-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const STORED = `store:sha256:${"a".repeat(64)}`;
const ALARMS = ["ModelMonitorAlarm", "DataDriftAlarm"];

type Json = Record<string, unknown>;

function planOf(environment: string, spec: Json = {}): Json {
  return {
    apiVersion: "continuum/v1",
    kind: "DeploymentPlan",
    metadata: { name: "churn" },
    spec: {
      environment,
      model: { name: "churn", version: "3.1.0", artifact: STORED },
      compute: { instanceType: "ml.m5.large" },
      rollback: { alarms: ALARMS },
      ...spec,
    },
  };
}

async function check(plan: Json | string): Promise<{ code: number; decision: Decision; err: string; out: string }> {
  const file = join(folder, "plan.yaml");
  writeFileSync(file, typeof plan === "string" ? plan : JSON.stringify(plan));
  const { code, out, err } = await runForTest(["plan", "check", "-o", "json", "-f", file], { folder });
  return { code, out, err, decision: out === "" ? ({} as Decision) : (JSON.parse(out) as Decision) };
}

const keysOf = (value: object) => Object.keys(value).toSorted();

describe("a decision", () => {
  it("has the contract's keys, and its cost, findings and obligations have theirs", async () => {
    const { decision } = await check(
      planOf("production", { compute: { instanceType: "ml.m5.large", instanceCount: 1 } }),
    );
    expect(keysOf(decision)).toEqual(
      ["cost", "decision", "findings", "fix", "obligations", "planDigest", "policyDigest", "risk", "runtime"].concat([
        "simulation",
        "source",
        "unchecked",
        "verification",
      ]),
    );
    expect(keysOf(decision.cost)).toEqual(["asOf", "notional", "peakUsdPerHour", "source", "usdPerHour"]);
    for (const finding of decision.findings)
      expect(keysOf(finding)).toEqual([
        "clause",
        "document",
        "level",
        "limit",
        "message",
        "observed",
        "path",
        "section",
      ]);
    const keysByKind = {
      approval: ["clauses", "count", "kind", "mfa", "role", "signed", "status"],
      evidence: ["clauses", "kind", "of", "status"],
      snapshot: ["clauses", "kind", "status"],
    };
    for (const obligation of decision.obligations) expect(keysOf(obligation)).toEqual(keysByKind[obligation.kind]);
  });

  it("is the contract's example for the contract's example", async () => {
    const { decision } = await check(
      planOf("production", { compute: { instanceType: "ml.m5.large", instanceCount: 1 } }),
    );
    expect(decision).toMatchObject({
      decision: "deny",
      simulation: false,
      risk: "high",
      verification: "full",
      runtime: "gpu",
      cost: { usdPerHour: 0.115, notional: true, asOf: "2026-11-01" },
      fix: [{ op: "replace", path: "/spec/compute/instanceCount", value: 2 }],
      source: "shipped",
      unchecked: ["AO-6: the environment's sum", "P5", "P7"],
    });
    expect(decision.planDigest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(decision.policyDigest).toMatch(/^sha256:[0-9a-f]{64}$/);
    const { message, ...finding } = decision.findings.find(({ clause }) => clause === "AO-4") ?? { message: "" };
    expect(message).toContain("Production needs at least 2 instances");
    expect(finding).toEqual({
      clause: "AO-4",
      level: "deny",
      observed: 1,
      limit: 2,
      path: "/spec/compute/instanceCount",
      document: "agentops",
      section: "environments",
    });
  });

  it("lists what is due by environment, each with the clauses that ask for it", async () => {
    const image = `registry/churn@sha256:${"b".repeat(64)}`;
    const model = { name: "churn", version: "1", artifact: STORED, image };
    const due = async (environment: string, spec: Json) =>
      (await check(planOf(environment, spec))).decision.obligations.map(({ status, ...rest }) => [status, rest]);
    const evidence = (of: string, clause: string) => ["unchecked", { kind: "evidence", of, clauses: [clause] }];
    const snapshot = ["unchecked", { kind: "snapshot", clauses: ["CP-11"] }];
    const approval = (role: string, clauses: string[], mfa: boolean, signed: boolean) => [
      "unchecked",
      { kind: "approval", role, count: 1, mfa, signed, clauses },
    ];
    const sorted = (list: unknown[]) => list.map((each) => JSON.stringify(each)).toSorted();
    const everywhere = [evidence("tests", "CP-5"), evidence("encryption", "AO-14")];

    expect(sorted(await due("development", {}))).toEqual(sorted(everywhere));
    const three = { instanceType: "ml.m5.large", instanceCount: 3 };
    const staging = [
      ...everywhere,
      evidence("manifest-signature", "CP-1"),
      evidence("artifact-digest", "CP-1"),
      snapshot,
    ];
    expect(sorted(await due("staging", { compute: three }))).toEqual(
      sorted([approval("approver", ["AO-3"], false, false), ...staging]),
    );
    const five = { instanceType: "ml.g5.12xlarge", instanceCount: 5 };
    expect(sorted((await due("production", { compute: five, model })).map(withSortedKeys))).toEqual(
      sorted(
        [
          ...everywhere,
          evidence("image-signature", "CP-6"),
          evidence("manifest-signature", "P2"),
          evidence("artifact-digest", "CP-1"),
          evidence("approver-signature", "CP-10"),
          evidence("provenance", "CP-1"),
          evidence("baseline", "CP-1"),
          evidence("dry-run", "CP-1"),
          snapshot,
          approval("approver", ["AO-7", "CP-1"], true, true),
          approval("budget-owner", ["AO-12"], true, false),
        ].map(withSortedKeys),
      ),
    );
  });

  it("names what cannot be checked offline", async () => {
    const unchecked = async (environment: string) => (await check(planOf(environment))).decision.unchecked;
    expect(await unchecked("development")).toEqual(["P5", "P7"]);
    expect(await unchecked("staging")).toEqual(["AO-5: the environment's sum", "P5", "P7"]);
    expect(await unchecked("production")).toEqual(["AO-6: the environment's sum", "P5", "P7"]);
  });

  it("says in simulation that all is compliant, and in `live` what it would be for real", async () => {
    const broken = { compute: { instanceType: "ml.g5.xlarge", instanceCount: 1 } };
    const simulated = await check(planOf("production", { ...broken, target: "simulated" }));
    const { decision: real } = await check(planOf("production", broken));
    expect(simulated.code).toBe(0);
    const { live, ...told } = simulated.decision;
    expect(told).toMatchObject({ decision: "allow", simulation: true, report: "COMPLIANT" });
    expect(live).toMatchObject({ decision: "deny", findings: real.findings, obligations: real.obligations });
    expect(told.findings.filter(({ level }) => level === "deny")).toEqual([]);
  });

  it("has null where nothing was there and where the price is unknown", async () => {
    const { decision } = await check(planOf("staging", { compute: { instanceType: "ml.nothing" }, rollback: {} }));
    expect(decision.cost).toMatchObject({ usdPerHour: null, peakUsdPerHour: null });
    expect(decision.findings.find(({ clause }) => clause === "AO-8")).toMatchObject({ observed: null, limit: ALARMS });
  });
});

function withSortedKeys(pair: unknown[]): unknown[] {
  const [status, obligation] = pair as [string, Json];
  return [status, Object.fromEntries(Object.entries(obligation).toSorted(([a], [b]) => (a < b ? -1 : 1)))];
}

describe("plan check's exit codes", () => {
  it.each([
    [0, "a plan that is allowed", planOf("development")],
    [2, "a plan that is denied", planOf("development", { compute: { instanceType: "ml.m5.xlarge" } })],
    [2, "a denied plan that would need approval too", planOf("production")],
    [
      3,
      "a plan that needs an approval",
      planOf("staging", { compute: { instanceType: "ml.m5.large", instanceCount: 3 } }),
    ],
  ])("is %i for %s", async (code, _what, plan) => {
    const checked = await check(plan);
    expect(checked.code).toBe(code);
    expect({ allow: 0, deny: 2, "needs-approval": 3 }[checked.decision.decision]).toBe(code);
  });

  it.each([
    [
      "a count under 1",
      planOf("staging", { compute: { instanceType: "ml.m5.large", instanceCount: 0 } }),
      "instanceCount",
    ],
    [
      "a count that is no integer",
      planOf("staging", { compute: { instanceType: "ml.m5.large", instanceCount: 1.5 } }),
      "instanceCount",
    ],
    ["a bad name", { ...planOf("staging"), metadata: { name: "Churn!" } }, "name"],
    ["a name of 41 characters", { ...planOf("staging"), metadata: { name: "a".repeat(41) } }, "name"],
    [
      "an image without a digest",
      planOf("staging", { model: { name: "c", version: "1", artifact: STORED, image: "r/c:latest" } }),
      "image",
    ],
    ["an unknown key", planOf("staging", { monitr: {} }), "monitor"],
    ["an unknown environment", planOf("prod"), "production"],
    ["a proposer in the file", { ...planOf("staging"), proposer: "ada" }, "proposer"],
  ])("is 64 and one line for %s", async (_what, plan, word) => {
    const { code, err, out } = await check(plan);
    expect([code, out]).toEqual([64, ""]);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
    expect(err).toContain(word);
  });
});

describe("the plan's digest", () => {
  const WITH_DEFAULTS = {
    apiVersion: "continuum/v1",
    kind: "DeploymentPlan",
    metadata: { name: "churn", labels: { a: "1", b: "2" } },
    spec: {
      environment: "production",
      target: "local",
      runtime: "auto",
      workload: { kind: "inference" },
      model: { name: "churn", version: "3.1.0", artifact: STORED },
      compute: { instanceType: "ml.m5.large", instanceCount: 2 },
      budget: { maxUsdPerHour: 15.5 },
      rollout: { strategy: "canary", stepPercent: 10, bakeSeconds: 60, deadlineSeconds: 600 },
      rollback: { alarms: ALARMS, onHealthCheckFailure: true },
    },
  };
  const DIGEST = `sha256:${createHash("sha256").update(sortedJson(WITH_DEFAULTS)).digest("hex")}`;
  const YAML = `
# a comment, other quotes and another order change nothing
spec:
  rollback: { alarms: [ModelMonitorAlarm, 'DataDriftAlarm'] }
  budget: { maxUsdPerHour: 1.55e1 }
  compute: { instanceType: "ml.m5.large" }
  model: { artifact: "${STORED}", version: 3.1.0, name: churn }
  environment: production
metadata: { labels: { b: "2", a: "1" }, name: churn }
kind: DeploymentPlan
apiVersion: continuum/v1
`;

  it.each([
    ["every default is spelled out", JSON.stringify(WITH_DEFAULTS)],
    ["keys stand in another order", JSON.stringify(reversed(WITH_DEFAULTS))],
    ["it is YAML and the defaults are left out", YAML],
    ["it says to be a dry run", YAML.replace("  environment:", "  dryRun: true\n  environment:")],
    ["it says to be live", YAML.replace("  environment:", "  dryRun: false\n  environment:")],
    ["it has line ends of another system", YAML.replaceAll("\n", "\r\n")],
  ])("is that of RFC 8785 over the plan with defaults when %s", async (_what, text) => {
    expect((await check(text)).decision.planDigest).toBe(DIGEST);
  });

  it.each([
    ["another label", YAML.replace('b: "2"', 'b: "3"')],
    [
      "alarms in another order",
      YAML.replace("[ModelMonitorAlarm, 'DataDriftAlarm']", "[DataDriftAlarm, ModelMonitorAlarm]"),
    ],
    ["a monitor", YAML.replace("  environment:", "  monitor: {}\n  environment:")],
    ["a count that is not the default", YAML.replace('large" }', 'large", instanceCount: 3 }')],
  ])("is another with %s", async (_what, text) => {
    const { decision } = await check(text);
    expect(decision.planDigest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(decision.planDigest).not.toBe(DIGEST);
  });
});

/** Enough of RFC 8785 for a plan of plain strings and short numbers, written again. */
function sortedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}:${sortedJson(each)}`).join(",")}}`;
}

function reversed(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).toReversed();
  return Object.fromEntries(entries.map(([key, each]) => [key, reversed(each)]));
}

function value<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(`${parsed.problem.path}: ${parsed.problem.message}`);
  return parsed.value;
}

/** A few hundred decisions of every kind, made once. */
function* decisions() {
  const files = readPolicyFiles(shippedPolicyFolder());
  const text = (path: string) => files.find((file) => file.path === path)?.text ?? "";
  const set = value(loadPolicySet(files));
  const ground = {
    prices: value(parsePriceTable(text("prices.json"))),
    settings: value(parseSettings(text("settings.json"))),
  };
  for (let seed = 1; seed <= 400; seed += 1) {
    const made = randomDecision(seededRandom(seed), ground);
    const decision = decide(set, { ...made, planDigest: planDigest(made.plan) });
    yield { plan: made.plan, told: { ...decision, ...decision.live } };
  }
}

const SECTIONS: [document: string, section: string, clauses: string[]][] = [
  ["agentops", "environments", ["AO-1", "AO-2", "AO-3", "AO-4"]],
  ["agentops", "budgets", ["AO-5", "AO-6"]],
  ["agentops", "safety", ["AO-7", "AO-8"]],
  ["agentops", "monitoring", ["AO-9"]],
  ["agentops", "cost", ["AO-10", "AO-11", "AO-12"]],
  ["agentops", "security", ["AO-13", "AO-14"]],
  ["continuum", "matrix", ["CP-1"]],
  ["continuum", "routing", ["CP-2", "CP-3", "CP-4"]],
  ["continuum", "pipeline", ["CP-5", "CP-6", "CP-8"]],
  ["continuum", "activation", ["CP-9", "CP-10", "CP-11", "CP-12"]],
  ["continuum", "compliance", ["P2", "P3", "P5", "P6", "P7"]],
];

describe("findings and fixes, over many plans", () => {
  it("carry the document and the section of their clause", () => {
    const places = new Set<string>();
    for (const { told } of decisions())
      for (const { clause, document, section } of told.findings) places.add(`${document} ${section} ${clause}`);
    const expected = SECTIONS.flatMap(([document, section, clauses]) =>
      clauses.map((each) => `${document} ${section} ${each}`),
    );
    expect([...places].toSorted()).toEqual(expected.toSorted());
  });

  it("hold the rule, and every clause of an obligation stands in the findings", () => {
    for (const { told } of decisions()) {
      const denied = told.findings.some(({ level }) => level === "deny");
      const approval = told.obligations.some(({ kind }) => kind === "approval");
      expect(told.decision).toBe(denied ? "deny" : approval ? "needs-approval" : "allow");
      const clauses = new Set(told.findings.map(({ clause }) => clause));
      expect(told.obligations.flatMap((each) => each.clauses).filter((clause) => !clauses.has(clause))).toEqual([]);
      if (!denied) expect(told.fix).toEqual([]);
    }
  });

  it("are patched by RFC 6902 into plans that are well formed", () => {
    let patches = 0;
    for (const { plan, told } of decisions()) {
      if (told.fix.length === 0) continue;
      patches += 1;
      expect(validatePlanInput(patchedStrictly(plan, told.fix)).ok).toBe(true);
    }
    expect(patches).toBeGreaterThan(50);
  });
});

/** RFC 6902, sections 4.1 and 4.3, for members of objects: *replace* and *remove* want the target, *add* its parent. */
function patchedStrictly(plan: unknown, operations: readonly PatchOperation[]): unknown {
  const document = structuredClone(plan);
  for (const operation of operations) {
    const keys = operation.path
      .slice(1)
      .split("/")
      .map((each) => each.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = keys.pop() ?? "";
    const parent = keys.reduce<unknown>((at, key) => (at as Json)[key], document) as Json;
    if (operation.op !== "add" && !Object.hasOwn(parent, last)) throw new Error(`nothing at ${operation.path}`);
    if (operation.op === "remove") delete parent[last];
    else parent[last] = operation.value;
  }
  return document;
}
