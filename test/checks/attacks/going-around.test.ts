import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PlanInput } from "../../../src/core/plan/schema.ts";
import type { Principal } from "../../../src/service/principal.ts";
import { type EvidenceKit, evidenceKit, planWith } from "../../../src/service/testing/evidence-kit.ts";
import { type ServiceFixture, serviceFixture } from "../../../src/service/testing/service-fixture.ts";

// Ways around evidence and other people that begin at an operation which is allowed.

let on: ServiceFixture;
let kit: EvidenceKit;
let admin: Principal;
beforeAll(async () => {
  on = await serviceFixture();
  kit = await evidenceKit(on);
  admin = await on.admin();
});
afterAll(() => on.close());

const ENDED = ["Denied", "Succeeded", "Failed", "RolledBack", "Superseded"];
const refused = (code: string) => expect.objectContaining({ code });

async function ending(work: () => Promise<{ id: string }>) {
  const { id } = await work();
  const worker = await on.worker();
  try {
    return await on.until(id, ENDED);
  } finally {
    await worker.stop(2000);
  }
}

describe("going back to a version that ran before", () => {
  test("is no way to bring back one whose evidence was revoked since", async () => {
    const name = "went-back";
    const by = await on.principal("operator", "human", ["operator"]);
    const plans: PlanInput[] = [];
    for (const version of ["1", "2"]) {
      const plan = planWith({ artifact: await kit.model(`${name} ${version}`), environment: "staging", name, version });
      await kit.giveEvidence(plan);
      plans.push(plan);
      const done = await ending(() => on.call("plans.submit", by, { body: { plan } }));
      expect([done.phase, done.refusals]).toEqual(["Succeeded", []]);
      on.clock.offsetMs += 1000;
    }
    const subject = plans[0]?.spec.model.artifact.slice("store:".length) ?? "";
    const { items } = await on.call("evidence.list", admin, { query: { subject } });
    const tests = items.find(({ kind }) => kind === "tests");
    await on.call("evidence.revoke", admin, {
      params: { id: tests?.id ?? "" },
      body: { reason: "the tests were wrong" },
    });
    const done = await on.call("rollouts.list", by, { query: { name, phase: "Succeeded" } });
    const back = await ending(() =>
      on.call("rollouts.rollback", by, { params: { id: done.items[0]?.id ?? "" }, body: {} }),
    );
    expect(back.phase).toBe("Denied");
    expect(back.refusals.map(({ clause }) => clause)).toContain("CP-5");
  });
});

describe("a program", () => {
  test("gets no way in as a person: no invitation, no code, no session, no second factor", async () => {
    const agent = await on.principal("bot", "agent", ["proposer"]);
    await expect(on.call("people.invite", admin, { body: { principal: "bot", roles: ["approver"] } })).rejects.toEqual(
      refused("malformed-request"),
    );
    for (const name of ["me.enroll", "me.totp.enroll", "me.mfa"] as const) {
      await expect(on.call(name, agent), name).rejects.toEqual(refused("humans-only"));
    }
    await expect(
      on.call("tokens.create", admin, { body: { principal: "bot", kind: "human", roles: ["approver"] } }),
    ).rejects.toEqual(refused("malformed-request"));
    expect((await on.service.authenticate(agent.token))?.kind).toBe("agent");
  });
});

describe("an approval", () => {
  test("of one's own plan is not given by having somebody else's program propose the same again", async () => {
    const artifact = await on.artifact("proposed twice");
    const plan = planWith({ artifact, environment: "staging", name: "twice", instanceCount: 3 });
    const carol = await on.principal("carol", "human", ["operator", "approver"]);
    const bot = await on.principal("other-bot", "agent", ["proposer"]);
    const first = await on.call("plans.submit", carol, { body: { plan } });
    const again = await on.call("plans.submit", bot, { body: { plan } });
    expect(again.id).toBe(first.id);
    const approve = (rollout: { id: string; planDigest: string }) =>
      on.call("approvals.approve", carol, { params: { id: rollout.id }, body: { planDigest: rollout.planDigest } });
    await expect(approve(first)).rejects.toEqual(refused("own-plan"));
    await expect(approve(again)).rejects.toEqual(refused("own-plan"));
  });
});
