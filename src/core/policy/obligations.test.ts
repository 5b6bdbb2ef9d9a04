import { expect, test } from "vitest";
import { readPolicyFiles, shippedPolicyFolder } from "../../config/policy-files.ts";
import type { Parsed } from "../error.ts";
import { planDigest } from "../plan/canonical.ts";
import { withDefaults } from "../plan/defaults.ts";
import { parsePriceTable } from "../pricing/price-table.ts";
import { decide } from "./decide.ts";
import type { EvidenceKind, Facts } from "./decision.ts";
import { loadPolicySet } from "./load-policy-set.ts";
import { lacksOf } from "./obligations.ts";
import { parseSettings } from "./settings.ts";

function value<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(`${parsed.problem.path}: ${parsed.problem.message}`);
  return parsed.value;
}

const files = readPolicyFiles(shippedPolicyFolder());
const text = (path: string) => files.find((file) => file.path === path)?.text ?? "";
const set = value(loadPolicySet(files));
const settings = value(parseSettings(text("settings.json")));
const prices = value(parsePriceTable(text("prices.json")));

const plan = withDefaults({
  apiVersion: "continuum/v1",
  kind: "DeploymentPlan",
  metadata: { name: "churn" },
  spec: {
    environment: "production",
    model: { name: "churn", version: "1", artifact: `store:sha256:${"a".repeat(64)}` },
    compute: { instanceType: "ml.m5.large", instanceCount: 2 },
    rollback: { alarms: ["ModelMonitorAlarm", "DataDriftAlarm"] },
    monitor: { baseline: "s3://b", dataDrift: {}, modelQuality: { label: "y" }, bias: { facet: "g" } },
    dryRun: false,
  },
});

function decided(facts: Partial<Facts>) {
  const known: Facts = {
    ...{ gate: "propose", source: "server", principal: { kind: "human" }, namesAreOwn: true },
    ...{ environmentMicroUsdPerHour: 0, endpointMicroUsdPerHour: 0 },
    breaker: { state: "closed", failures: 0, limit: 3 },
    ...facts,
  };
  return decide(set, { plan, planDigest: planDigest(plan), facts: known, prices, settings });
}
const obligations = (facts: Partial<Facts>) => decided(facts).obligations;
const statusOf = (facts: Partial<Facts>, kind: EvidenceKind) =>
  obligations(facts).find((one) => one.kind === "evidence" && one.of === kind)?.status;

test("what nobody looked at is unchecked, what was looked for and is not there is missing", () => {
  const facts = {
    evidence: { tests: true } as const,
    evidenceUnread: ["artifact-digest", "baseline"] as EvidenceKind[],
  };
  expect(statusOf(facts, "tests")).toBe("met");
  expect(statusOf(facts, "provenance")).toBe("missing");
  expect(statusOf(facts, "artifact-digest")).toBe("unchecked");
  expect(statusOf(facts, "baseline")).toBe("unchecked");
  expect(statusOf({ ...facts, evidenceUnread: [] }, "baseline")).toBe("missing");
  expect(statusOf({ ...facts, source: "shipped" }, "tests")).toBe("unchecked");
});

test("a plan lacks what is missing, but for the signature that comes with its approval", () => {
  const facts = {
    evidence: { tests: true, encryption: true, "dry-run": true } as const,
    evidenceUnread: ["artifact-digest", "baseline"] as EvidenceKind[],
  };
  expect(lacksOf(obligations(facts))).toEqual([
    { of: "manifest-signature", clauses: ["P2"], what: "The manifest's signature" },
    { of: "provenance", clauses: ["CP-1"], what: "Build provenance" },
  ]);
  expect(lacksOf(obligations({ ...facts, source: "shipped" }))).toEqual([]);
});

test("whoever reads that evidence is due hears why what there is does not count", () => {
  const { findings } = decided({ evidenceProblems: { tests: "the signature is older than evidence may be" } });
  const messageOf = (clause: string) => findings.find((finding) => finding.clause === clause)?.message;
  expect(messageOf("CP-5")).toContain("(the signature is older than evidence may be)");
  expect(messageOf("P2")).not.toContain("(");
});
