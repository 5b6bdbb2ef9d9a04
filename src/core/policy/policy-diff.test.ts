import { describe, expect, it } from "vitest";
import { readPolicyFiles, shippedPolicyFolder } from "../../config/policy-files.ts";
import { loadPolicySet } from "./load-policy-set.ts";
import type { PolicyFile, PolicySet } from "./policy.ts";
import { diffPolicySets } from "./policy-diff.ts";

const shipped = readPolicyFiles(shippedPolicyFolder());

function load(files: PolicyFile[], own: PolicyFile[] = []): PolicySet {
  const set = loadPolicySet(files, { own });
  if (!set.ok) throw new Error(set.problem.message);
  return set.value;
}

function edited(path: string, from: string, to: string): PolicyFile[] {
  return shipped.map((file) => (file.path === path ? { path, text: file.text.replaceAll(from, to) } : file));
}

describe("diffPolicySets", () => {
  it("finds nothing between a set and itself", () => {
    expect(diffPolicySets(load(shipped), load(shipped))).toMatchObject({ changes: [], witnesses: [], asked: 0 });
  });

  it("tells a new wording from a new meaning", () => {
    const reworded = load(edited("agentops/environments.cedar", "Production needs", "In production there are"));
    expect(diffPolicySets(load(shipped), reworded)).toMatchObject({
      changes: [{ id: "AO-4", clause: "AO-4", change: "reworded" }],
      witnesses: [],
    });
  });

  it("shows a plan that a raised cap newly lets in, at the very edge", () => {
    const raised = edited("agentops/budgets.cedar", "50000000", "60000000").map((file) => ({
      ...file,
      text: file.text.replaceAll("50.00", "60.00"),
    }));
    const diff = diffPolicySets(load(shipped), load(raised));
    expect(diff.changes.map(({ id }) => id).sort()).toEqual(["AO-6", "AO-6.peak"]);
    const [gravest] = diff.witnesses;
    expect(gravest).toMatchObject({ before: "deny", after: "allow", lost: expect.arrayContaining(["AO-6"]) });
    expect(gravest?.when["environment"]).toBe("production");
    expect(Number(gravest?.when["environmentUsdPerHour"])).toBeGreaterThan(50);
    expect(diff.asked).toBe(diff.possible);
  });

  it("shows what a user's own policy newly keeps out", () => {
    const text = `@id("ACME-1")\n@level("approval")\n@obligation("approval:approver")\n@reason("Agents ask")\n@source("acme#rules")
forbid (principal, action in Action::"deployUnattended", resource) when { context.instanceCount > 5 && !context.approved };`;
    const diff = diffPolicySets(load(shipped), load(shipped, [{ path: "a.cedar", text }]));
    expect(diff.changes).toEqual([{ id: "ACME-1", clause: "ACME-1", change: "added" }]);
    expect(diff.witnesses).toContainEqual({
      when: { approved: false, environment: "development", instanceCount: 6 },
      before: "allow",
      after: "needs-approval",
      gained: ["ACME-1"],
      lost: [],
    });
  });
});
