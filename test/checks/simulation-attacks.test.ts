import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { operations } from "../../src/contract/operations.ts";
import { TEST_RESULT_TYPE } from "../../src/core/evidence/statement.ts";
import { planDigest } from "../../src/core/plan/canonical.ts";
import { withDefaults } from "../../src/core/plan/defaults.ts";
import type { MemoryImages } from "../../src/drivers/images/memory/memory-images.ts";
import { MOCK_KEY_ID, MOCK_MEDIA_TYPE, mockEvidence } from "../../src/drivers/signatures/mock/mock-signatures.ts";
import { SIGNED_KINDS } from "../../src/drivers/signatures/signatures.ts";
import { canonicalBytes, statement } from "../../src/service/testing/evidence-kit.ts";
import type { ServiceFixture } from "../../src/service/testing/service-fixture.ts";
import { artifactOf, clauses, mockOf, type SimulationKit, simulationKit } from "./testing/simulation-kit.ts";

// SIM: nothing made in simulation is evidence for anything live. Each test carries something over and is refused.

let kit: SimulationKit;
let on: ServiceFixture;
beforeAll(async () => {
  kit = await simulationKit();
  on = kit.on;
});
afterAll(() => on.close());

describe("mock keys", () => {
  test("are no trusted signers, for any purpose", async () => {
    for (const publicKey of [MOCK_KEY_ID, mockEvidence("tests", `sha256:${"1".repeat(64)}`)]) {
      for (const purpose of ["tests", "manifest", "image", "provenance"] as const) {
        const imported = on.call("keys.import", kit.admin, { body: { purpose, publicKey } });
        await expect(imported).rejects.toMatchObject({ code: "malformed-request" });
      }
    }
  });

  test("are no person's own key for approvals", async () => {
    const body = { publicKey: MOCK_KEY_ID, kind: "cosign" as const };
    await expect(on.call("me.keys.statement", kit.ann.principal, { body })).rejects.toMatchObject({
      code: "malformed-request",
    });
  });

  test("are no trusted root, which certificates would be verified against", async () => {
    const body = { trustedRoot: mockOf("tests", MOCK_KEY_ID) };
    await expect(on.call("trust.pin", kit.admin, { body: body as never })).rejects.toMatchObject({
      code: "malformed-request",
    });
  });

  test("are no identity: one that is called so vouches for no mock", async () => {
    const identity = { purpose: "tests" as const, issuer: "https://mock.example", subject: MOCK_KEY_ID };
    await on.call("identities.add", kit.admin, { body: identity });
    const { live } = await kit.twins();
    const added = on.call("evidence.add", kit.ci, { body: { bundle: mockOf("tests", artifactOf(live)) } });
    await expect(added).rejects.toMatchObject({ code: expect.stringMatching(/malformed-request|untrusted-evidence/) });
  });
});

describe("mock bundles", () => {
  test.each(SIGNED_KINDS)("are no evidence of %s", async (kind) => {
    const { live } = await kit.twins();
    const bundle = mockOf(kind, kind === "manifest-signature" ? planDigest(withDefaults(live)) : artifactOf(live));
    const manifest = Buffer.from(canonicalBytes(live)).toString("base64");
    for (const body of [{ bundle }, { bundle, kind }, { bundle, kind, manifest }]) {
      await expect(on.call("evidence.add", kit.ci, { body })).rejects.toMatchObject({
        code: expect.stringMatching(/malformed-request|untrusted-evidence/),
      });
    }
  });

  test("are none either when somebody trusted signs one", async () => {
    const { live } = await kit.twins();
    const subject = artifactOf(live);
    const mock = mockOf("tests", subject);
    for (const type of [TEST_RESULT_TYPE, MOCK_MEDIA_TYPE]) {
      const bundle = statement(subject, type, mock, kit.evidence.keys.tests);
      await expect(on.call("evidence.add", kit.ci, { body: { bundle } })).rejects.toMatchObject({
        code: expect.stringMatching(/malformed-request|untrusted-evidence/),
      });
    }
  });

  test("are none either when they were put into the database behind the program's back", async () => {
    const { live } = await kit.twins();
    const done = await kit.ending(async () => {
      await on.database.query(
        `INSERT INTO evidence (tenant, id, subject_digest, kind, predicate_type, key_id, result, bundle, added_by)
         VALUES ('default', $1, $2, 'tests', $3, $4, 'PASSED', $5, 'ci')`,
        [
          `sha256:${"e".repeat(64)}`,
          artifactOf(live),
          TEST_RESULT_TYPE,
          MOCK_KEY_ID,
          mockEvidence("tests", artifactOf(live)),
        ],
      );
      return kit.submit(live);
    });
    expect(done.phase).toBe("Denied");
    expect(clauses(done)).toEqual(["CP-5"]);
  });

  test("are no signature of an image, wherever its registry has them from", async () => {
    const digest = `sha256:${"7".repeat(64)}`;
    const image = `registry.example/mocks/churn@${digest}`;
    const { live } = await kit.twins({ image });
    await kit.evidence.giveEvidence(live, ["image-signature"]);
    const mock = Buffer.from(mockEvidence("image-signature", digest));
    (on.parts.images as MemoryImages).put(image, [
      { form: "simple-signing", payload: mock, signature: mock.toString("base64") },
      { form: "bundle", bundle: mock },
    ]);
    const done = await kit.ending(() => kit.submit(live));
    expect(clauses(done)).toEqual(["CP-6"]);
    expect(done.refusals[0]?.message).toContain("Of 2 signatures none counts");
  });
});

describe("a target that is changed after the approval", () => {
  const flips: [string, (id: string) => Promise<unknown>][] = [
    [
      "the flag alone",
      (id) =>
        on.database.query(
          `UPDATE rollouts SET simulation = true, state = jsonb_set(state, '{simulation}', 'true') WHERE id = $1`,
          [id],
        ),
    ],
    [
      "the plan's copy and the flag",
      (id) =>
        on.database.query(
          `UPDATE rollouts SET state = jsonb_set(jsonb_set(state, '{simulation}', 'true'), '{plan,spec,target}', '"simulated"') WHERE id = $1`,
          [id],
        ),
    ],
  ];

  test.each(flips)(
    "to a simulated one, to pass the gates unasked, stops the rollout under CP-8: %s",
    async (_what, flip) => {
      const { live } = await kit.twins();
      const denied = await kit.ending(async () => {
        const { id } = await kit.submit(live);
        await flip(id);
        return { id };
      });
      expect(denied.phase).toBe("Denied");
      expect(clauses(denied)).toEqual(["CP-8"]);
      expect(await kit.local.describe({ tenant: "default", endpoint: denied.endpoint })).toBeUndefined();
    },
  );

  test("from simulated to a real one stops the rollout under CP-8, and changes nothing there", async () => {
    const { simulated } = await kit.twins();
    const denied = await kit.ending(async () => {
      const { id } = await kit.submit(simulated);
      await on.database.query(
        `UPDATE rollouts SET simulation = false,
           state = jsonb_set(jsonb_set(state, '{simulation}', 'false'), '{endpoint,target}', '"local"') WHERE id = $1`,
        [id],
      );
      return { id };
    });
    expect(denied.phase).toBe("Denied");
    expect(clauses(denied)).toEqual(["CP-8"]);
    const endpoint = { environment: "development" as const, target: "local" as const, name: simulated.metadata.name };
    expect(await kit.local.describe({ tenant: "default", endpoint })).toBeUndefined();
  });

  test("is another plan, which the approval of the first says nothing of", async () => {
    const { live, simulated } = await kit.twins({ environment: "production" });
    await kit.evidence.giveEvidence(live);
    expect(planDigest(withDefaults(live))).not.toBe(planDigest(withDefaults(simulated)));
    const waiting = await kit.submit(live);
    await kit.ann.approveSigned(waiting);
    const other = await kit.submit(simulated);
    expect(other.approvals).toEqual([]);
    expect(other.planDigest).not.toBe(waiting.planDigest);
    await on.call("rollouts.abort", kit.admin, { params: { id: waiting.id }, body: {} });
  });
});

describe("simulated principals", () => {
  test("cannot be made: no id of a principal has a colon", async () => {
    for (const kind of ["human", "agent", "service"] as const) {
      const body = { principal: "mock:approver-1", kind, roles: ["viewer" as const] };
      // The surfaces hold every request against this schema before the service sees it.
      expect(operations["tokens.create"].body.safeParse(body).success).toBe(false);
      expect(
        operations["people.invite"].body.safeParse({ principal: "mock:approver-1", roles: ["approver"] }).success,
      ).toBe(false);
    }
  });

  test("approve nothing live, also when the database says that one did", async () => {
    const { live } = await kit.twins({ environment: "production" });
    await kit.evidence.giveEvidence(live);
    await kit.ending(() => kit.submit({ ...live, spec: { ...live.spec, dryRun: true } }));
    const denied = await kit.ending(async () => {
      const waiting = await kit.submit(live);
      const approved = await kit.ann.approveSigned(waiting);
      await on.database.query(
        `UPDATE rollouts SET state = jsonb_set(state, '{approvals,0,approver}', '"mock:approver-1"') WHERE id = $1`,
        [waiting.id],
      );
      return approved;
    });
    expect(denied.phase).toBe("Denied");
    expect(clauses(denied)).toEqual(expect.arrayContaining(["AO-7", "CP-1", "CP-10"]));
  });
});
