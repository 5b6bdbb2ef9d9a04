import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Consent, decodeConsent, encodeConsent } from "../../src/core/approval/statement.ts";
import { encodeRolloutProof, type RolloutProof } from "../../src/core/audit/rollout-proof.ts";
import { parseVerifierKeys } from "../../src/core/audit/verifier-key.ts";
import { verifyRolloutProof } from "../../src/core/audit/verify-rollout-proof.ts";
import { planDigest } from "../../src/core/plan/canonical.ts";
import { withDefaults } from "../../src/core/plan/defaults.ts";
import type { PlanInput } from "../../src/core/plan/schema.ts";
import { canonicalBytes } from "../../src/service/testing/evidence-kit.ts";
import { BROKEN, type ServiceFixture } from "../../src/service/testing/service-fixture.ts";
import { clauses, type SimulationKit, simulationKit } from "./testing/simulation-kit.ts";

// SIM: nothing made in simulation is evidence for anything live. Each test carries something over and is refused.

let kit: SimulationKit;
let on: ServiceFixture;
beforeAll(async () => {
  kit = await simulationKit();
  on = kit.on;
});
afterAll(() => on.close());
afterEach(() => on.behaviour.clear());

const totp = () => ({ kind: "totp" as const, code: kit.ann.code() });

describe("a simulated rollout", () => {
  test("leaves no evidence, no approval and no statement behind, of its subjects or of any", async () => {
    const { live, simulated } = await kit.twins({ environment: "production" });
    const count = async () =>
      (
        await on.database.query(
          "SELECT (SELECT count(*) FROM evidence) + (SELECT count(*) FROM approval_statements) AS n",
        )
      ).rows;
    const before = await count();
    const done = await kit.simulate(simulated);
    expect(done).toMatchObject({ phase: "Succeeded", approvals: [] });
    expect(await count()).toEqual(before);
    const refused = await kit.ending(() => kit.submit({ ...live, spec: { ...live.spec, environment: "development" } }));
    expect(clauses(refused)).toEqual(["CP-5"]);
  });

  test("tells of its mock approvals as requests that expire and decisions, and of no person", async () => {
    const { simulated } = await kit.twins({
      environment: "production",
      instanceType: "ml.g5.12xlarge",
      instanceCount: 5,
    });
    const done = await kit.simulate(simulated);
    const events = await Array.fromAsync(await on.call("rollouts.events", kit.ci, { params: { id: done.id } }));
    expect(events.every(({ simulation, report }) => simulation && report === "COMPLIANT")).toBe(true);
    const steps = events.find(({ type }) => type === "verified")?.details["mockApprovals"] as Record<string, string>[];
    const seen = steps.map(({ role, step, by, decision }) => [role, step, by, decision].filter(Boolean).join(" "));
    expect(seen).toEqual([
      "budget-owner requested",
      "budget-owner decided mock:budget-owner-1 approved",
      "approver requested",
      "approver decided mock:approver-1 approved",
    ]);
    expect(Date.parse(steps[0]?.["expiresAt"] ?? "") - Date.parse(steps[0]?.["at"] ?? "")).toBe(24 * 3600 * 1000);
  });

  test("says so in every answer about it, and nothing live does", async () => {
    const { live, simulated } = await kit.twins();
    await kit.evidence.giveEvidence(live);
    for (const [plan, simulation] of [
      [simulated, true],
      [live, false],
    ] as const) {
      const submitted = await kit.ending(() => kit.submit(plan));
      const { environment, target } = plan.spec;
      const params = { environment, target: target ?? "local", name: plan.metadata.name };
      const { id } = submitted;
      const answers = [
        submitted,
        submitted.decision,
        await on.call("plans.check", kit.ci, { body: plan }),
        await on.call("plans.diff", kit.ci, { body: plan }),
        ...(await on.call("rollouts.list", kit.ci, { query: { name: params.name } })).items.filter(
          ({ endpoint }) => endpoint.target === params.target,
        ),
        await on.call("endpoints.get", kit.ci, { params }),
        ...(await on.call("endpoints.list", kit.ci, { query: {} })).items.filter(
          ({ endpoint }) => endpoint.name === params.name && endpoint.target === params.target,
        ),
        await on.call("breakers.show", kit.ci, { params }),
        ...(await Array.fromAsync(await on.call("rollouts.events", kit.ci, { params: { id } }))),
      ];
      expect(answers.map((answer) => answer.simulation)).toEqual(answers.map(() => simulation));
      const { items } = await on.call("audit.list", kit.admin, { query: { subject: id } });
      expect(items.map(({ details }) => details["simulation"] ?? false)).toEqual(items.map(() => simulation));
    }
  });

  test("is nothing that a person could approve, and gives no nonce away", async () => {
    const { simulated } = await kit.twins({ environment: "production" });
    const done = await kit.simulate(simulated);
    await expect(kit.ann.statement(done.id)).rejects.toMatchObject({ code: "not-acceptable-now" });
    const approved = kit.ann.approve(done, { nonce: "A".repeat(43), stepUp: totp() });
    await expect(approved).rejects.toMatchObject({ code: "not-acceptable-now" });
  });

  test("does not take the place of a live one, nor of its statement: signed for one, it is refused for the other", async () => {
    const { live, simulated } = await kit.twins({ environment: "production" });
    await kit.evidence.giveEvidence(live);
    const waiting = await kit.submit(live);
    const statementOfLive = await kit.ann.statement(waiting.id);
    const pretended = await kit.simulate(simulated);
    const consent = decodeConsent(Buffer.from(statementOfLive.payload, "base64"));
    if (!consent.ok || consent.value.type !== "urn:continuum:approval:v1") throw new Error("an approval was asked for");
    const { endpoint, id, planDigest: digest } = pretended;
    const says = {
      ...consent.value.says,
      ...{ rollout: id, planDigest: digest, endpoint: `${endpoint.environment}/simulated/${endpoint.name}` },
    };
    const forged = { ...consent.value, says } as Consent;
    const bundle = kit.ann.sign({ ...statementOfLive, payload: encodeConsent(forged).toString("base64") });
    for (const rollout of [waiting, { id: waiting.id, planDigest: digest }, { id, planDigest: waiting.planDigest }]) {
      await expect(kit.ann.approve(rollout, { bundle, stepUp: totp() })).rejects.toMatchObject({
        code: expect.stringMatching(/signature-refused|digest-mismatch|not-acceptable-now/),
      });
    }
    const own = kit.ann.sign(statementOfLive);
    await expect(kit.ann.approve(pretended, { bundle: own, stepUp: totp() })).rejects.toMatchObject({
      code: "not-acceptable-now",
    });
    // None of it used the live statement up, or moved the live rollout.
    const { phase, approvals } = await on.call("rollouts.get", kit.admin, { params: { id: waiting.id } });
    expect({ phase, approvals }).toEqual({ phase: "AwaitingApproval", approvals: [] });
    await on.call("rollouts.abort", kit.admin, { params: { id: waiting.id }, body: {} });
  });

  test("is no dry run of the live plan, dry or not", async () => {
    const { live, simulated } = await kit.twins({ environment: "production" });
    await kit.evidence.giveEvidence(live);
    const dry = await kit.simulate({ ...simulated, spec: { ...simulated.spec, dryRun: true } });
    expect(dry.phase).toBe("DryRunCompleted");
    expect((await kit.simulate(simulated)).phase).toBe("Succeeded");
    const done = await kit.ending(async () => {
      const waiting = await kit.submit(live);
      await kit.ann.approveSigned(waiting);
      return waiting;
    });
    expect(done.phase).toBe("Denied");
    expect(clauses(done)).toEqual(["CP-1"]);
    expect(done.refusals[0]?.message).toContain("dry run");
  });

  test("gives no snapshot that a live endpoint goes back to", async () => {
    const { simulated } = await kit.twins();
    await kit.simulate(simulated);
    const second = { ...simulated, spec: { ...simulated.spec, model: { ...simulated.spec.model, version: "2" } } };
    const { id, endpoint } = await kit.simulate(second);
    const restored = await kit.ending(() => on.call("rollouts.rollback", kit.oscar, { params: { id }, body: {} }));
    expect(restored).toMatchObject({ phase: "Succeeded", simulation: true, endpoint: { target: "simulated" } });
    const live = { ...endpoint, target: "local" as const };
    expect(await kit.local.describe({ tenant: "default", endpoint: live })).toBeUndefined();
  });

  test("gives no snapshot either to a live rollout when the database puts it there", async () => {
    const { live, simulated } = await kit.twins({ environment: "staging" });
    await kit.evidence.giveEvidence(live);
    await kit.simulate(simulated);
    const second = { ...simulated, spec: { ...simulated.spec, model: { ...simulated.spec.model, version: "2" } } };
    const { id, snapshot } = await kit.simulate(second);
    expect(snapshot).toMatchObject({ empty: false });
    await on.database.query(
      `CREATE FUNCTION lend() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         SELECT sha256, bytes INTO NEW.sha256, NEW.bytes FROM snapshots WHERE rollout = '${id}'; RETURN NEW; END $$;
       CREATE TRIGGER lend BEFORE INSERT ON snapshots FOR EACH ROW EXECUTE FUNCTION lend()`,
    );
    const denied = await kit
      .ending(() => kit.submit(live))
      .finally(() => on.database.query("DROP TRIGGER lend ON snapshots"));
    expect(denied.phase).toBe("Denied");
    expect(clauses(denied)).toEqual(["CP-11"]);
    expect(await kit.local.describe({ tenant: "default", endpoint: denied.endpoint })).toBeUndefined();
  });

  test("has no say in the live endpoint's circuit breaker, neither by failing nor by succeeding nor by a reset", async () => {
    const { live, simulated } = await kit.twins();
    await kit.evidence.giveEvidence(live);
    const { name } = live.metadata;
    const failing = (plan: PlanInput, version: string) => {
      on.behaviour.set(version, BROKEN);
      return { ...plan, spec: { ...plan.spec, model: { ...plan.spec.model, version } } };
    };
    const at = (target: "local" | "simulated") => ({ params: { environment: "development" as const, target, name } });
    const state = async (target: "local" | "simulated") => (await on.call("breakers.show", kit.ci, at(target))).state;
    await kit.simulate(simulated);
    for (const version of ["bad-1", "bad-2", "bad-3"]) {
      expect((await kit.simulate(failing(simulated, version))).phase).toBe("RolledBack");
    }
    expect(await state("simulated")).toBe("open");
    expect((await kit.ending(() => kit.submit(live))).phase).toBe("Succeeded");
    expect(await state("local")).toBe("closed");
    for (const version of ["bad-4", "bad-5", "bad-6"]) {
      expect((await kit.ending(() => kit.submit(failing(live, version)))).phase).toBe("RolledBack");
    }
    await on.call("breakers.reset", kit.admin, { ...at("simulated"), body: {} });
    await kit.simulate({
      ...simulated,
      spec: { ...simulated.spec, model: { ...simulated.spec.model, version: "good" } },
    });
    expect([await state("simulated"), await state("local")]).toEqual(["closed", "open"]);
    const refused = await kit.submit({
      ...live,
      spec: { ...live.spec, model: { ...live.spec.model, version: "late" } },
    });
    expect(clauses(refused)).toContain("P7");
  });

  test("does not supersede a live one of the same name", async () => {
    const { live, simulated } = await kit.twins({ environment: "staging", instanceCount: 3 });
    await kit.evidence.giveEvidence(live);
    const waiting = await kit.submit(live);
    await kit.ending(() => on.call("plans.submit", kit.oscar, { body: { plan: simulated, supersede: true } }));
    expect((await on.call("rollouts.get", kit.admin, { params: { id: waiting.id } })).phase).toBe("AwaitingApproval");
    await on.call("rollouts.abort", kit.admin, { params: { id: waiting.id }, body: {} });
  });
});

describe("the audit proof of a simulated rollout", () => {
  test("says that it is one, and proves nothing of the live plan when that is put into it", async () => {
    const { live, simulated } = await kit.twins();
    const { id } = await kit.simulate(simulated);
    const { proof } = await on.call("audit.prove-rollout", kit.admin, { params: { id } });
    const keys = parseVerifierKeys((await on.call("audit.keys", kit.admin)).keys.map(({ vkey }) => vkey).join("\n"));
    if (!keys.ok) throw new Error(keys.problem.message);
    const verdict = verifyRolloutProof(Buffer.from(proof), keys.value);
    if (!verdict.ok) return expect.fail(`${verdict.at}: ${verdict.reason}`);
    expect(verdict.story.simulation).toBe(true);
    expect(verdict.story.notProved).toContainEqual(expect.stringContaining("this was a simulation"));
    expect(verdict.story.proved.join(" ")).not.toContain(planDigest(withDefaults(live)));
    const { format: _, seal: __, ...parts } = JSON.parse(proof) as RolloutProof;
    const forged = encodeRolloutProof({ ...parts, plan: canonicalBytes(live).toString("utf8") });
    expect(verifyRolloutProof(forged, keys.value)).toMatchObject({ ok: false, at: "/plan" });
  });
});
