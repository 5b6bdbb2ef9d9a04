import { describe, expect, test } from "vitest";
import { testPlan, testRollout } from "../rollout/testing/rollouts.ts";
import { consentProblem, type Present, rolloutConsent, termsOf } from "./rollout-consent.ts";
import { digestOf } from "./testing/consents.ts";

const rollout = testRollout(testPlan({ deadlineSeconds: 900 }));
const terms = termsOf(rollout, { runtime: "gpu", verification: "enhanced" });
const tests = { kind: "tests", subject: digestOf("1"), digest: digestOf("2") };
const AT = Date.parse("2026-11-23T12:00:00.000Z");
const present: Present = { terms, policyDigest: terms.policyDigest, evidence: [tests], nowMs: AT };
const says = rolloutConsent(terms, {
  ...{
    approver: "ann",
    role: "approver",
    issuedAtMs: AT,
    notAfterMs: AT + 1000,
    nonce: "n".repeat(43),
    evidence: [tests],
  },
});

test("a consent says what is stored of the rollout, and names a deadline only over ten minutes", () => {
  expect(says).toMatchObject({
    rollout: "r-1",
    tenant: "t-1",
    endpoint: "staging/simulated/churn",
    deadlineSeconds: 900,
  });
  expect(termsOf(testRollout(), { runtime: "gpu", verification: "basic" })).not.toHaveProperty("deadlineSeconds");
});

describe("a consent counts", () => {
  test("while everything is as it was, and when evidence came since", () => {
    expect(consentProblem(says, present)).toBeNull();
    const more = { kind: "provenance", subject: digestOf("1"), digest: digestOf("3") };
    expect(consentProblem(says, { ...present, evidence: [more, tests] })).toBeNull();
  });

  test.each<[string, string, Partial<Present>]>([
    ["another tenant's rollout", "other-rollout", { terms: { ...terms, tenant: "rival" } }],
    ["another rollout", "other-rollout", { terms: { ...terms, rollout: "r-2" } }],
    ["another endpoint", "other-rollout", { terms: { ...terms, endpoint: "production/local/churn" } }],
    ["another plan", "plan", { terms: { ...terms, planDigest: digestOf("9") } }],
    ["another runtime", "plan", { terms: { ...terms, runtime: "quantum" } }],
    ["another level", "plan", { terms: { ...terms, verification: "basic" } }],
    ["another deadline", "plan", { terms: { ...terms, deadlineSeconds: 1200 } }],
    ["a rollout decided under another policy", "policy", { terms: { ...terms, policyDigest: digestOf("9") } }],
    ["another policy in force", "policy", { policyDigest: digestOf("9") }],
    ["evidence that is gone", "evidence", { evidence: [] }],
    ["evidence that was replaced", "evidence", { evidence: [{ ...tests, digest: digestOf("3") }] }],
    ["evidence of something else", "evidence", { evidence: [{ ...tests, subject: digestOf("3") }] }],
    ["the moment it ends", "expired", { nowMs: AT + 1000 }],
  ])("not for %s", (_what, why, change) => {
    expect(consentProblem(says, { ...present, ...change })).toMatchObject({ why });
  });
});
