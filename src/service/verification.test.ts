import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PlanInput } from "../core/plan/schema.ts";
import type { Target } from "../drivers/target/target.ts";
import type { Principal } from "./principal.ts";
import { type Approver, canonicalBytes, type EvidenceKit, evidenceKit, planWith } from "./testing/evidence-kit.ts";
import { type ServiceFixture, serviceFixture, type TestPlan } from "./testing/service-fixture.ts";

// Levels basic, enhanced and full with everything there, and with each thing missing in turn.

let on: ServiceFixture;
let kit: EvidenceKit;
let ci: Principal;
let ann: Approver;
beforeAll(async () => {
  on = await serviceFixture();
  kit = await evidenceKit(on);
  ci = await on.principal("ci", "service", ["proposer", "operator"]);
  ann = await kit.approver("ann");
});
afterAll(() => on.close());

const BASELINE = "a,b,churned,gender\n1,2,0,f\n3,4.5,1,m\n";
const IMAGE = `registry.example/models/churn@sha256:${"1".repeat(64)}`;
const ENDED = ["Denied", "Succeeded", "Failed", "RolledBack", "DryRunCompleted", "Superseded"];
let made = 0;

type Rollout = Awaited<ReturnType<ServiceFixture["until"]>>;

async function planOf(plan: Partial<TestPlan>, baseline = BASELINE): Promise<PlanInput> {
  made += 1;
  const artifact = await kit.model(`model ${made}`);
  const table = plan.environment === "production" ? await kit.table(baseline) : undefined;
  return planWith({ artifact, name: `plan-${made}`, ...plan }, table);
}

const submit = (plan: PlanInput) => on.call("plans.submit", ci, { body: { plan } });
const clauses = ({ refusals }: Rollout) => refusals.map(({ clause }) => clause);

/** Does something while no worker is there, then lets one bring the rollout to its end. */
async function ending(work: () => Promise<{ id: string }>): Promise<Rollout> {
  const { id } = await work();
  const worker = await on.worker();
  try {
    return await on.until(id, ENDED);
  } finally {
    await worker.stop(2000);
  }
}

async function baselineAnswer(table: string) {
  const plan = await planOf({ environment: "production", dryRun: false }, table);
  const checked = await on.call("plans.check", ci, { body: plan });
  const submitted = await submit(plan);
  const advice = checked.findings.filter(({ path, level }) => path === "/spec/monitor/baseline" && level === "advise");
  return { advice, checked, submitted };
}

async function dryRun(plan: PlanInput): Promise<Rollout> {
  return ending(() => submit({ ...plan, spec: { ...plan.spec, dryRun: true } }));
}

/** A production plan with everything but what is named, approved, and what happens between the approval and the gates. */
async function production(
  how: {
    without?: string[];
    plan?: Partial<TestPlan>;
    baseline?: string;
    between?: (plan: PlanInput) => Promise<unknown>;
  } = {},
): Promise<Rollout> {
  const { without = [] } = how;
  const plan = await planOf({ environment: "production", dryRun: false, ...how.plan }, how.baseline);
  await kit.giveEvidence(plan, without);
  if (!without.includes("dry-run")) expect((await dryRun(plan)).phase).toBe("DryRunCompleted");
  return ending(async () => {
    const waiting = await submit(plan);
    expect(waiting.phase).toBe("AwaitingApproval");
    await ann.approve(waiting);
    await how.between?.(plan);
    return waiting;
  });
}

describe("staging, the enhanced level", () => {
  test("with everything there it succeeds, with an image that is signed as well", async () => {
    for (const more of [{}, { image: IMAGE }]) {
      const plan = await planOf({ environment: "staging", ...more });
      await kit.giveEvidence(plan);
      const done = await ending(() => submit(plan));
      expect(done, JSON.stringify(done.refusals)).toMatchObject({ phase: "Succeeded", snapshot: { empty: true } });
    }
  });

  test.each([
    ["tests", "CP-5", "Test evidence is missing"],
    ["manifest-signature", "CP-1", "The manifest's signature is missing"],
    ["image-signature", "CP-6", "The image's signature is missing"],
  ])("without %s it is denied under %s", async (missing, clause, words) => {
    const plan = await planOf({ environment: "staging", image: IMAGE });
    // The image's registry knows nothing of it, and what was handed in for another plan is about the same image.
    const plain = missing === "image-signature" ? `${IMAGE.slice(0, -1)}2` : IMAGE;
    const named = { ...plan, spec: { ...plan.spec, model: { ...plan.spec.model, image: plain } } };
    await kit.giveEvidence(named, [missing]);
    const denied = await ending(() => submit(named));
    expect(denied.phase).toBe("Denied");
    expect(clauses(denied)).toEqual([clause]);
    expect(denied.refusals[0]?.message).toContain(words);
  });

  test("a signature of another plan, or of this plan with one more instance, is none of it", async () => {
    const plan = await planOf({ environment: "staging" });
    const larger = { ...plan, spec: { ...plan.spec, compute: { instanceType: "ml.m5.large", instanceCount: 2 } } };
    await kit.giveEvidence(larger);
    expect(clauses(await ending(() => submit(plan)))).toEqual(["CP-1"]);
  });
});

describe("production, the full level", () => {
  test("with everything there it succeeds", async () => {
    const done = await production();
    expect(done, JSON.stringify(done.refusals)).toMatchObject({ phase: "Succeeded" });
    expect(done.decision.verification).toBe("full");
  });

  test.each([
    ["tests", "CP-5"],
    ["manifest-signature", "P2"],
    ["provenance", "CP-1"],
    ["dry-run", "CP-1"],
  ])("without %s it is denied under %s alone", async (missing, clause) => {
    const denied = await production({ without: [missing] });
    expect(denied.phase).toBe("Denied");
    expect(clauses(denied)).toEqual([clause]);
  });

  test("without an image signature it is denied under CP-6", async () => {
    const image = `registry.example/models/churn@sha256:${"3".repeat(64)}`;
    expect(clauses(await production({ without: ["image-signature"], plan: { image } }))).toEqual(["CP-6"]);
  });

  test("a baseline that does not fit the model is advised against at once, and the decision stays what it is", async () => {
    const [wrong, right] = await Promise.all(["a,b,c,churned\n1,2,3,0\n", BASELINE].map(baselineAnswer));
    expect(wrong?.advice).toMatchObject([
      {
        clause: "AO-9",
        path: "/spec/monitor/baseline",
        message: expect.stringContaining("The model takes 2 values in a row, and the baseline has 3"),
      },
    ]);
    expect(right?.advice).toEqual([]);
    expect(wrong?.checked.decision).toBe(right?.checked.decision);
    expect(wrong?.submitted.decision?.findings).toContainEqual(wrong?.advice[0]);
  });

  test("a baseline that does not fit the model is none, and the refusal says what does not fit", async () => {
    const denied = await production({ baseline: "a,b,c,churned\n1,2,3,0\n" });
    expect(clauses(denied)).toEqual(["CP-1"]);
    expect(denied.refusals[0]?.message).toContain("The model takes 2 values in a row, and the baseline has 3");
  });

  test("provenance of another builder is none", async () => {
    const admin = await on.admin();
    const denied = await production({
      between: () => on.call("trust.update", admin, { body: { builders: ["https://ci.example/builders/10"] } }),
    });
    await on.call("trust.update", admin, { body: { builders: ["https://ci.example/builders/1"] } });
    expect(clauses(denied)).toContain("CP-1");
    expect(denied.refusals.map(({ message }) => message).join(" ")).toContain("builder");
  });

  test("a dry run of more than 24 hours ago is none", async () => {
    const plan = await planOf({ environment: "production", dryRun: false });
    await kit.giveEvidence(plan);
    await dryRun(plan);
    on.clock.offsetMs += 24 * 3600 * 1000 + 1000;
    const fresh = await kit.approver("ann-later");
    const denied = await ending(async () => {
      const waiting = await submit(plan);
      await fresh.approve(waiting);
      return waiting;
    });
    expect(clauses(denied)).toEqual(["CP-1"]);
    expect(denied.refusals[0]?.message).toContain("dry run");
  });

  test("an approver's key that is revoked after the approval takes the signature with it (CP-10)", async () => {
    const denied = await production({
      between: async () => {
        const { items } = await on.call("me.keys.list", ann);
        await on.database.query("UPDATE approver_keys SET revoked_at = now() WHERE key_id = $1", [items[0]?.keyId]);
      },
    });
    await on.database.query("UPDATE approver_keys SET revoked_at = NULL");
    expect(clauses(denied)).toEqual(expect.arrayContaining(["AO-7", "CP-1", "CP-10"]));
  });
});

describe("what changes between the approval and the execution", () => {
  test.each<[string, string, (plan: PlanInput) => Promise<unknown>]>([
    ["the artifact's bytes", "CP-1", (plan) => flip(plan.spec.model.artifact)],
    ["the baseline's bytes", "CP-1", (plan) => flip(plan.spec.monitor?.baseline ?? "")],
    [
      "the stored plan",
      "CP-8",
      (plan) => on.database.query("UPDATE plans SET bytes = '{}' WHERE bytes = $1", [canonicalBytes(plan)]),
    ],
    [
      "a stored signature",
      "P2",
      () => on.database.query("UPDATE evidence SET bundle = 'x' WHERE kind = 'manifest-signature'"),
    ],
    [
      "the statement that was approved",
      "AO-7",
      () => on.database.query("UPDATE approval_statements SET statement = '{}' WHERE consumed_at IS NOT NULL"),
    ],
  ])("%s: the rollout stops under %s", async (_what, clause, between) => {
    const denied = await production({ between });
    expect(denied.phase).toBe("Denied");
    expect(clauses(denied)).toContain(clause);
  });
});

describe("what changes after the plan was verified, just before the first effect", () => {
  test.each<[string, string, (plan: PlanInput) => Promise<unknown>]>([
    ["the artifact's bytes", "CP-1", (plan) => flip(plan.spec.model.artifact)],
    ["the baseline's bytes", "CP-1", (plan) => flip(plan.spec.monitor?.baseline ?? "")],
    [
      "the stored plan",
      "CP-8",
      (plan) => on.database.query("UPDATE plans SET bytes = '{}' WHERE bytes = $1", [canonicalBytes(plan)]),
    ],
    [
      "the rollout's own copy of it",
      "CP-8",
      (plan) =>
        on.database.query(
          `UPDATE rollouts SET state = jsonb_set(state, '{plan,spec,compute,instanceCount}', '9')
           WHERE name = $1 AND NOT dry_run`,
          [plan.metadata.name],
        ),
    ],
    [
      "a piece of evidence, which is revoked",
      "CP-5",
      async (plan) => {
        const subject = plan.spec.model.artifact.slice("store:".length);
        const admin = await on.admin();
        const { items } = await on.call("evidence.list", admin, { query: { subject, kind: "tests" } });
        await on.call("evidence.revoke", admin, { params: { id: items[0]?.id ?? "" }, body: { reason: "A trial." } });
      },
    ],
    [
      "the approver's role",
      "AO-7",
      () => on.database.query("UPDATE principals SET roles = '{viewer}' WHERE id = 'ann'"),
    ],
  ])("%s: the rollout stops under %s, and nothing was changed", async (_what, clause, change) => {
    const local = localTarget();
    const snapshot = local.snapshot.bind(local);
    let changed: PlanInput | undefined;
    try {
      const denied = await production({
        between: async (plan) => {
          local.snapshot = async (at) => {
            await change(plan);
            changed = plan;
            return snapshot(at);
          };
        },
      });
      expect(changed).toBeDefined();
      expect(denied.phase).toBe("Denied");
      expect(clauses(denied)).toContain(clause);
      expect(await serves(denied)).toBe(false);
    } finally {
      local.snapshot = snapshot;
      await on.database.query(`UPDATE principals SET roles = '{approver}' WHERE id = 'ann'`);
    }
  });

  test("the snapshot: the rollout stops under CP-11", async () => {
    await on.database.query(
      `CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.bytes := 'x'; RETURN NEW; END $$;
       CREATE TRIGGER forge BEFORE INSERT ON snapshots FOR EACH ROW EXECUTE FUNCTION forge()`,
    );
    try {
      const denied = await production();
      expect(clauses(denied)).toEqual(["CP-11"]);
      expect(await serves(denied)).toBe(false);
    } finally {
      await on.database.query("DROP TRIGGER forge ON snapshots");
    }
  });
});

describe("an approval and a revocation at the same moment", () => {
  test("never let the rollout succeed, whichever comes first", async () => {
    const admin = await on.admin();
    for (let round = 0; round < 4; round += 1) {
      const plan = await planOf({ environment: "staging", instanceCount: 3 });
      await kit.giveEvidence(plan);
      const subject = plan.spec.model.artifact.slice("store:".length);
      const { items } = await on.call("evidence.list", admin, { query: { subject, kind: "tests" } });
      const ended = await ending(async () => {
        const waits = await submit(plan);
        const acts = [
          () => on.call("approvals.approve", ann, { params: { id: waits.id }, body: { planDigest: waits.planDigest } }),
          () => on.call("evidence.revoke", admin, { params: { id: items[0]?.id ?? "" }, body: { reason: "A race." } }),
        ];
        await Promise.allSettled((round % 2 === 0 ? acts : acts.toReversed()).map((act) => act()));
        return waits;
      });
      expect(["Superseded", "Denied"]).toContain(ended.phase);
    }
  });
});

describe("a version that ran before", () => {
  test("is restored on evidence of any age, while a new deployment of it needs fresh evidence", async () => {
    const name = "restored";
    const first = await planOf({ environment: "staging", name, version: "1" });
    const second = await planOf({ environment: "staging", name, version: "2" });
    for (const plan of [first, second]) {
      await kit.giveEvidence(plan);
      expect((await ending(() => submit(plan))).phase).toBe("Succeeded");
      on.clock.offsetMs += 1000;
    }
    const oscar = await on.principal("oscar", "human", ["operator"]);
    const admin = await on.admin();
    const limit = (seconds: number) =>
      on.call("trust.update", admin, {
        body: { maxAgeSeconds: { tests: seconds, "manifest-signature": seconds } },
      });
    await limit(3600);
    on.clock.offsetMs += 3_700_000;
    expect(clauses(await ending(() => submit(first)))).toEqual(expect.arrayContaining(["CP-1", "CP-5"]));
    const { items } = await on.call("rollouts.list", oscar, { query: { name, phase: "Succeeded" } });
    const restored = await ending(() =>
      on.call("rollouts.rollback", oscar, { params: { id: items[0]?.id ?? "" }, body: {} }),
    );
    expect(restored, JSON.stringify(restored.refusals)).toMatchObject({
      phase: "Succeeded",
      model: { version: "1" },
      restores: items[0]?.id,
    });
    await limit(30 * 86_400);
  });
});

function localTarget() {
  const local = on.parts.targets.get("local");
  if (local === undefined) throw new Error("the fixture has a local target");
  return local;
}

async function serves({ endpoint }: Rollout): Promise<boolean> {
  const at = { tenant: "default", endpoint };
  return (await localTarget().describe(at as Parameters<Target["describe"]>[0]))?.variants.some(Boolean) ?? false;
}

/** Changes the last byte of what lies in the store. */
async function flip(reference: string): Promise<void> {
  const object = on.artifacts.objects.get("default")?.get(reference.slice("store:".length));
  if (object === undefined) throw new Error(`${reference} is not in the store`);
  object.writeUInt8(object.readUInt8(object.length - 1) ^ 1, object.length - 1);
}
