import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generateSigningKey } from "../core/evidence/signing-key.ts";
import type { Principal } from "./principal.ts";
import { planOf, type ServiceFixture, serviceFixture, type TestPlan, testEvidence } from "./testing/service-fixture.ts";

let on: ServiceFixture;
let ci: Principal;
let ann: Principal;
let admin: Principal;
beforeAll(async () => {
  on = await serviceFixture();
  admin = await on.admin();
  ci = await on.principal("ci", "service", ["proposer", "operator"]);
  ann = await on.principal("ann", "human", ["approver"]);
});
afterAll(() => on.close());

const submit = (plan: TestPlan) => on.call("plans.submit", ci, { body: { plan: planOf(plan) } });
const clauses = ({ refusals }: { refusals: { clause: string }[] }) => refusals.map(({ clause }) => clause);
const ended = async ({ id }: { id: string }) => on.until(id, ["Denied", "Succeeded", "Failed", "RolledBack"]);

/** Stands between the proposal and the worker that will look at it again. */
async function whileNobodyWorks<T>(work: () => Promise<T>): Promise<T> {
  const result = await work();
  const worker = await on.worker();
  try {
    await on.until((result as { id: string }).id, ["Denied", "Succeeded", "Failed", "RolledBack"]);
  } finally {
    await worker.stop(2000);
  }
  return result;
}

describe("the gates", () => {
  test("without test evidence a live rollout is refused, by name", async () => {
    const artifact = await on.artifact("untested", { evidence: false });
    const rollout = await whileNobodyWorks(() => submit({ artifact, name: "untested" }));
    expect(await ended(rollout)).toMatchObject({ phase: "Denied", refusals: [{ clause: "CP-5" }] });
  });

  test("evidence of tests that failed is evidence of nothing", async () => {
    const artifact = await on.artifact("failing", { result: "FAILED" });
    const rollout = await whileNobodyWorks(() => submit({ artifact, name: "failing" }));
    const refused = await ended(rollout);
    expect(clauses(refused)).toEqual(["CP-5"]);
    expect(refused.refusals[0]?.message).toContain("FAILED");
  });

  test("a later run that failed takes back what an earlier one vouched for, and one that passes gives it again", async () => {
    const key = generateSigningKey(randomBytes);
    await on.call("keys.import", admin, { body: { purpose: "tests", publicKey: key.publicKey.spkiPem } });
    const artifact = await on.artifact("flaky", { evidence: false });
    const digest = artifact.slice("store:".length);
    const told = (result: "PASSED" | "FAILED") =>
      on.call("evidence.add", ci, { body: { bundle: testEvidence(key, digest, result) } });
    await told("PASSED");
    await told("FAILED");
    const refused = await whileNobodyWorks(() => submit({ artifact, name: "flaky" }));
    expect(clauses(await ended(refused))).toEqual(["CP-5"]);
    await told("PASSED");
    const passes = await whileNobodyWorks(() => submit({ artifact, name: "flaky", version: "2" }));
    expect(await ended(passes)).toMatchObject({ phase: "Succeeded" });
  });

  test("a key that is not trusted any more takes its evidence with it", async () => {
    const key = generateSigningKey(randomBytes);
    const artifact = await on.artifact("revoked", { evidence: false });
    const digest = artifact.slice("store:".length);
    const bundle = testEvidence(key, digest, "PASSED");
    const early = on.call("evidence.add", ci, { body: { bundle } });
    await expect(early).rejects.toMatchObject({ code: "untrusted-evidence" });
    const imported = await on.call("keys.import", admin, {
      body: { purpose: "tests", publicKey: key.publicKey.spkiPem },
    });
    expect(await on.call("evidence.add", ci, { body: { bundle } })).toMatchObject({
      subjectDigest: digest,
      result: "PASSED",
    });
    const passes = await whileNobodyWorks(() => submit({ artifact, name: "trusted" }));
    expect(await ended(passes)).toMatchObject({ phase: "Succeeded" });
    await on.call("keys.revoke", admin, { params: { purpose: "tests", keyId: imported.keyId } });
    const refused = await whileNobodyWorks(() => submit({ artifact, name: "trusted", version: "2" }));
    expect(clauses(await ended(refused))).toEqual(["CP-5"]);
  });

  test("evidence about one artifact says nothing of another", async () => {
    await on.artifact("one");
    const artifact = await on.artifact("another", { evidence: false });
    const rollout = await whileNobodyWorks(() => submit({ artifact, name: "another" }));
    expect(clauses(await ended(rollout))).toEqual(["CP-5"]);
  });

  test("a plan that names an image waits for image signatures", async () => {
    const artifact = await on.artifact("in an image");
    const image = `registry.example/models/churn@sha256:${"1".repeat(64)}`;
    const rollout = await whileNobodyWorks(() => submit({ artifact, name: "image", image }));
    expect(clauses(await ended(rollout))).toEqual(["CP-6"]);
  });

  test("an artifact whose bytes changed in the store is refused", async () => {
    const artifact = await on.artifact("will be changed");
    const rollout = await whileNobodyWorks(async () => {
      const proposed = await submit({ artifact, name: "changed" });
      const object = on.artifacts.objects.get("default")?.get(artifact.slice("store:".length));
      if (object !== undefined) object.writeUInt8(object.readUInt8(object.length - 1) ^ 1, object.length - 1);
      return proposed;
    });
    const refused = await ended(rollout);
    expect(refused.phase).toBe("Denied");
    expect(clauses(refused)).toContain("AO-14");
  });

  test.each([
    ["the stored plan", "UPDATE plans SET bytes = $2 WHERE digest = $1"],
    [
      "the rollout's copy of it",
      `UPDATE rollouts SET state = jsonb_set(state, '{plan,spec,compute,instanceCount}', '9')
      WHERE plan_digest = $1 AND $2::bytea IS NOT NULL`,
    ],
  ])("whoever changes %s after it was decided is found (CP-8)", async (what, sql) => {
    const artifact = await on.artifact(`tampered ${what}`);
    const rollout = await whileNobodyWorks(async () => {
      const proposed = await submit({ artifact, name: "tampered", version: what });
      await on.database.query(sql, [proposed.planDigest, Buffer.from("{}")]);
      return proposed;
    });
    expect(clauses(await ended(rollout))).toEqual(["CP-8"]);
  });

  test("staging says everything that it still needs", async () => {
    const artifact = await on.artifact("for staging");
    const rollout = await whileNobodyWorks(() => submit({ artifact, name: "staged", environment: "staging" }));
    const refused = await ended(rollout);
    expect(refused.phase).toBe("Denied");
    expect(clauses(refused)).toEqual(["CP-1"]);
    expect(refused.refusals[0]?.message).toContain("manifest's signature");
  });

  test("an approver who lost the role since approves nothing", async () => {
    const artifact = await on.artifact("approved once");
    const plan = { artifact, name: "lost", environment: "staging" as const, instanceCount: 3 };
    const rollout = await whileNobodyWorks(async () => {
      const { id, planDigest } = await submit(plan);
      const approved = await on.call("approvals.approve", ann, { params: { id }, body: { planDigest } });
      await on.database.query("UPDATE principals SET roles = '{viewer}' WHERE id = 'ann'");
      return approved;
    });
    expect(clauses(await ended(rollout))).toContain("AO-3");
  });

  test("of a simulated plan nothing is asked, and it says so; its evidence is nobody else's", async () => {
    const artifact = `store:sha256:${"9".repeat(64)}`;
    const rollout = await whileNobodyWorks(() =>
      submit({ artifact, name: "pretended", target: "simulated", environment: "production", dryRun: false }),
    );
    const done = await ended(rollout);
    expect(done).toMatchObject({
      phase: "Succeeded",
      simulation: true,
      decision: { report: "COMPLIANT", simulation: true },
    });
    expect(done.decision.live).toMatchObject({ decision: "deny" });
    const events = await Array.fromAsync(await on.call("rollouts.events", ci, { params: { id: done.id } }));
    expect(events.every(({ simulation, report }) => simulation && report === "COMPLIANT")).toBe(true);
    // Mocks answer all that the same plan would owe, the encrypted artifact (AO-14) and the people among it.
    const due = done.decision.live?.obligations.flatMap(({ kind, of, role }) =>
      kind === "snapshot" ? [] : [`${kind}:${of ?? role}`],
    );
    expect(due).toEqual(expect.arrayContaining(["approval:approver", "evidence:encryption", "evidence:tests"]));
    for (const type of ["verified", "gate-passed"]) {
      expect(events.find((event) => event.type === type)?.details["mocks"]).toEqual(due);
    }
    const live = await submit({ artifact, name: "pretended" });
    expect(clauses(live)).toEqual(["P5"]);
  });
});
