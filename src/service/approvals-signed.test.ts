import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { verifyConsent } from "../core/approval/verify-consent.ts";
import { generateSigningKey } from "../core/evidence/signing-key.ts";
import { canonicalPlan } from "../core/plan/canonical.ts";
import type { Plan } from "../core/plan/schema.ts";
import { verifyStoredApprovals } from "../engine/approval-check.ts";
import { upsertPrincipal } from "../store/queries/principals.ts";
import { readRollout } from "../store/queries/rollouts.ts";
import { createTenant } from "../store/queries/tenants.ts";
import type { Principal } from "./principal.ts";
import { type Approver, approverOn, type WaitingRollout } from "./testing/approver.ts";
import { planOf, type ServiceFixture, serviceFixture, type TestPlan } from "./testing/service-fixture.ts";

let on: ServiceFixture;
let admin: Principal;
let robot: Principal;
let ann: Approver;
let bob: Approver;
let owen: Approver;
let artifact: string;

beforeAll(async () => {
  on = await serviceFixture();
  admin = await on.admin();
  await on.principal("olga", "human", ["proposer", "approver"]);
  robot = await on.principal("robot", "agent", ["proposer"], "olga");
  ann = await approverOn(on, "ann", ["approver"]);
  bob = await approverOn(on, "bob", ["approver"]);
  owen = await approverOn(on, "owen", ["budget-owner"]);
  artifact = await on.artifact("a model for production");
});
afterAll(() => on.close());

let count = 0;
const made: string[] = [];
/** A live production plan; `dear` ones cost more than $30 an hour, so that they need a budget owner too. */
async function waiting(plan: Partial<TestPlan> & { dear?: true } = {}) {
  count += 1;
  const dear = plan.dear === true ? { instanceType: "ml.g5.12xlarge", instanceCount: 5 } : {};
  const asked = {
    artifact,
    name: `live-${count}`,
    environment: "production" as const,
    dryRun: false,
    ...dear,
    ...plan,
  };
  const rollout = await on.call("plans.submit", robot, { body: { plan: planOf(asked) } });
  expect(rollout.phase).toBe("AwaitingApproval");
  made.push(rollout.id);
  return rollout;
}
/** What is admitted takes its room of the environment's sum. */
afterEach(async () => {
  for (const id of made.splice(0)) {
    const { terminal } = await on.call("rollouts.get", admin, { params: { id } });
    if (!terminal) await on.call("rollouts.abort", admin, { params: { id }, body: {} });
  }
});

const refused = (code: string, words = "") =>
  expect.objectContaining({ code, message: expect.stringContaining(words) });
const totp = (code: string) => ({ kind: "totp" as const, code });
const phaseOf = async ({ id }: WaitingRollout) => (await on.call("rollouts.get", admin, { params: { id } })).phase;
const checked = async ({ id }: WaitingRollout) => {
  const row = await readRollout(on.database, "default", id);
  if (row === undefined) throw new Error("the rollout is there");
  return verifyStoredApprovals(on.database, on.parts, row.state);
};

describe("an approval with MFA and a signature", () => {
  test("is given by the person's key over exactly the bytes that the server stored", async () => {
    const rollout = await waiting();
    const statement = await ann.statement(rollout.id);
    expect(statement.requires).toEqual({ mfa: true, signed: true });
    const { predicate, subject } = JSON.parse(Buffer.from(statement.payload, "base64").toString("utf8"));
    expect(predicate).toMatchObject({
      ...{ tenant: "default", rollout: rollout.id, environment: "production", effect: "live", approver: "ann" },
      ...{ endpoint: `production/local/live-${count}`, planDigest: rollout.planDigest, role: "approver" },
      ...{ policyDigest: rollout.policyDigest, verification: "full", runtime: "gpu" },
    });
    expect(`sha256:${subject[0].digest.sha256}`).toBe(rollout.planDigest);
    expect(Buffer.from(statement.subject ?? "", "base64")).toEqual(Buffer.from(canonicalPlan(rollout.plan as Plan)));

    const bundle = ann.sign(statement);
    const approved = await ann.approve(rollout, { bundle, stepUp: totp(ann.code()), comment: "read it" });
    expect(approved).toMatchObject({ phase: "Verifying", approvals: [{ approver: "ann", mfa: true, signed: true }] });
    const { rows } = await on.database.query<{ bundle: Buffer; statement: Buffer; step_up: string }>(
      "SELECT bundle, statement, step_up FROM approval_statements WHERE nonce = $1",
      [statement.nonce],
    );
    const [row] = rows;
    const { keyId, spkiPem } = ann.key.publicKey;
    expect(row?.step_up).toBe("totp");
    expect(
      verifyConsent(row?.bundle ?? "", { statement: row?.statement ?? Buffer.alloc(0), keys: [{ keyId, spkiPem }] }),
    ).toMatchObject({ ok: true });
    expect(await checked(rollout)).toEqual({
      approvals: [{ role: "approver", approver: "ann", mfa: true, signed: true }],
      ...{ approverSigned: true, problems: [] },
    });
    const { items } = await on.call("audit.list", admin, { query: { subject: rollout.id } });
    expect(items.find(({ action }) => action === "rollout.approved")?.details).toMatchObject({
      ...{ keyId, mfa: true, signed: true, role: "approver", bundleDigest: expect.stringMatching(/^sha256:/) },
    });
  });

  test("is refused without its signature, without its second factor, and with a wrong code; each refusal is told", async () => {
    const rollout = await waiting();
    const statement = await ann.statement(rollout.id);
    const bundle = ann.sign(statement);
    await expect(ann.approve(rollout)).rejects.toEqual(refused("signature-required"));
    await expect(ann.approve(rollout, { nonce: statement.nonce, stepUp: totp(ann.code()) })).rejects.toEqual(
      refused("signature-required"),
    );
    await expect(ann.approve(rollout, { bundle })).rejects.toEqual(refused("step-up-required"));
    await expect(ann.approve(rollout, { bundle, stepUp: totp("000000") })).rejects.toEqual(refused("step-up-failed"));
    expect(await phaseOf(rollout)).toBe("AwaitingApproval");
    const { items } = await on.call("audit.list", admin, { query: { subject: "approvals.approve", limit: 200 } });
    const about = items.filter(({ actor, details }) => actor === "ann" && details["rollout"] === rollout.id);
    const reasons = about.map(({ details }) => details["reason"]);
    expect(reasons).toEqual(expect.arrayContaining(["signature-required", "step-up-required", "step-up-failed"]));
    // None of it used the statement up.
    expect(await ann.approve(rollout, { bundle, stepUp: totp(ann.code()) })).toMatchObject({ phase: "Verifying" });
  });

  test("is refused from another's key, an unknown one, and over changed bytes", async () => {
    const rollout = await waiting();
    const statement = await ann.statement(rollout.id);
    const stepUp = () => totp(ann.code());
    for (const key of [bob.key, generateSigningKey(randomBytes)]) {
      const bundle = ann.sign(statement, key);
      await expect(ann.approve(rollout, { bundle, stepUp: stepUp() })).rejects.toEqual(refused("signature-refused"));
    }
    const longer = Buffer.from(statement.payload, "base64")
      .toString("utf8")
      .replace('"approver":"ann"', '"approver":"bob"');
    const changed = ann.sign({ ...statement, payload: Buffer.from(longer).toString("base64") });
    await expect(ann.approve(rollout, { bundle: changed, stepUp: stepUp() })).rejects.toEqual(
      refused("signature-refused", "another statement"),
    );
    await expect(ann.approve(rollout, { bundle: { not: "a bundle" }, stepUp: stepUp() })).rejects.toEqual(
      refused("signature-refused"),
    );
    expect(await phaseOf(rollout)).toBe("AwaitingApproval");
  });

  test("is refused with the statement of another rollout, person, or time", async () => {
    const [rollout, other] = [await waiting(), await waiting()];
    const ofOther = ann.sign(await ann.statement(other.id));
    await expect(ann.approve(rollout, { bundle: ofOther, stepUp: totp(ann.code()) })).rejects.toEqual(
      refused("statement-refused"),
    );
    const ofBob = await bob.statement(rollout.id);
    for (const bundle of [ann.sign(ofBob), bob.sign(ofBob)]) {
      await expect(ann.approve(rollout, { bundle, stepUp: totp(ann.code()) })).rejects.toEqual(
        refused("statement-refused"),
      );
    }
    const late = await ann.statement(rollout.id);
    on.clock.offsetMs += 16 * 60_000;
    await expect(ann.approve(rollout, { bundle: ann.sign(late), stepUp: totp(ann.code()) })).rejects.toEqual(
      refused("statement-refused"),
    );
    expect([await phaseOf(rollout), await phaseOf(other)]).toEqual(["AwaitingApproval", "AwaitingApproval"]);
  });

  test("takes a code once, for whichever rollout it came first", async () => {
    const [first, second] = [await waiting(), await waiting()];
    const bundles = [ann.sign(await ann.statement(first.id)), ann.sign(await ann.statement(second.id))];
    const code = ann.code();
    await ann.approve(first, { bundle: bundles[0], stepUp: totp(code) });
    await expect(ann.approve(second, { bundle: bundles[1], stepUp: totp(code) })).rejects.toEqual(
      refused("step-up-failed", "used already"),
    );
    expect(await phaseOf(second)).toBe("AwaitingApproval");
  });
});

describe("a quorum", () => {
  test("of approver and budget owner is two people, each in their own role", async () => {
    const rollout = await waiting({ dear: true });
    const both = await approverOn(on, "both", ["approver", "budget-owner"]);
    const one = await both.approveSigned(rollout, { role: "approver" });
    expect(one).toMatchObject({ phase: "AwaitingApproval", waitingFor: expect.stringContaining("budget owner") });
    const again = await both.statement(rollout.id, { role: "budget-owner" });
    await expect(both.approve(rollout, { nonce: again.nonce, stepUp: totp(both.code()) })).rejects.toEqual(
      refused("not-acceptable-now", "one person counts once"),
    );
    await expect(ann.statement(rollout.id)).rejects.toEqual(refused("forbidden"));
    // A budget owner owes a second factor and no signature: the statement is handed back by its nonce.
    const statement = await owen.statement(rollout.id);
    expect(statement.requires).toEqual({ mfa: true, signed: false });
    const done = await owen.approve(rollout, { nonce: statement.nonce, stepUp: totp(owen.code()) });
    expect(done).toMatchObject({
      phase: "Verifying",
      approvals: [{ approver: "both" }, { approver: "owen", mfa: true }],
    });
    expect((await checked(rollout)).approvals).toHaveLength(2);
    await on.call("rollouts.abort", admin, { params: { id: rollout.id }, body: {} });
  });

  test("is completed by one of two who come at once, and the other's statement stays unused", async () => {
    const rollout = await waiting();
    const [left, right] = [ann.sign(await ann.statement(rollout.id)), bob.sign(await bob.statement(rollout.id))];
    const codes = [ann.code(), bob.code()] as const;
    const answers = await Promise.allSettled([
      ann.approve(rollout, { bundle: left, stepUp: totp(codes[0]) }),
      bob.approve(rollout, { bundle: right, stepUp: totp(codes[1]) }),
    ]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    const { rows } = await on.database.query<{ used: number }>(
      "SELECT count(consumed_at) AS used FROM approval_statements WHERE about = $1",
      [rollout.id],
    );
    expect(rows[0]?.used).toBe(1);
  });

  test("takes a statement once, however often it is handed in at once", async () => {
    const rollout = await waiting({ dear: true });
    const bundle = ann.sign(await ann.statement(rollout.id));
    const codes = [ann.code(), ann.code(), ann.code()];
    // The clock stands after the last code: the earlier ones are a step or two old, and used or not they let one pass.
    const answers = await Promise.allSettled(codes.map((code) => ann.approve(rollout, { bundle, stepUp: totp(code) })));
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const { approvals } = await on.call("rollouts.get", admin, { params: { id: rollout.id } });
    expect(approvals).toHaveLength(1);
    await expect(ann.approve(rollout, { bundle, stepUp: totp(ann.code()) })).rejects.toEqual(
      refused("forbidden", "budget-owner"),
    );
  });
});

describe("what an approval was about changes", () => {
  test("the policy in force: nothing more is approved, and the rollout is superseded with its cause", async () => {
    const rollout = await waiting();
    const bundle = ann.sign(await ann.statement(rollout.id));
    const stepUp = totp(ann.code());
    await underAnotherPolicy(async () => {
      await expect(ann.approve(rollout, { bundle, stepUp })).rejects.toEqual(refused("statement-refused", "policy"));
    });
    const ended = await on.call("rollouts.get", admin, { params: { id: rollout.id } });
    expect(ended).toMatchObject({
      phase: "Superseded",
      reason: { code: "superseded", message: expect.stringContaining("policy") },
    });
    const { items } = await on.call("audit.list", admin, { query: { subject: rollout.id } });
    expect(items.at(-1)).toMatchObject({ action: "rollout.superseded", details: { cause: "policy" } });
  });

  test("an approval that was given counts no more under another policy", async () => {
    const rollout = await waiting({ dear: true });
    await ann.approveSigned(rollout);
    await underAnotherPolicy(async () => {
      expect(await checked(rollout)).toMatchObject({ approvals: [], problems: [{ superseding: "policy" }] });
    });
    expect((await checked(rollout)).approvals).toHaveLength(1);
  });

  test("evidence that the approver saw is taken back before it is handed in", async () => {
    const own = await on.artifact(`evidence ${count}`);
    const rollout = await waiting({ artifact: own });
    const bundle = ann.sign(await ann.statement(rollout.id));
    await on.database.query(
      "UPDATE evidence SET revoked_at = now(), revoked_by = 'admin', revoke_reason = 'wrong' WHERE subject_digest = $1",
      [own.slice("store:".length)],
    );
    await expect(ann.approve(rollout, { bundle, stepUp: totp(ann.code()) })).rejects.toEqual(
      refused("statement-refused", "Evidence"),
    );
    expect(await phaseOf(rollout)).toBe("Superseded");
  });
});

describe("a stored approval counts no more", () => {
  const approvedRollout = async () => {
    const rollout = await waiting({ dear: true });
    await ann.approveSigned(rollout);
    expect((await checked(rollout)).approvals).toHaveLength(1);
    return rollout;
  };
  const change = (sql: string, values: unknown[] = []) => on.database.query(sql, values);

  test("when the role was taken away", async () => {
    const rollout = await approvedRollout();
    await change("UPDATE principals SET roles = '{viewer}' WHERE id = 'ann'");
    expect(await checked(rollout)).toMatchObject({
      approvals: [],
      problems: [{ message: expect.stringContaining("no more") }],
    });
    await change("UPDATE principals SET roles = '{approver}' WHERE id = 'ann'");
  });

  test("when the key was withdrawn, even if it is the database that says it was not signed at all", async () => {
    const rollout = await approvedRollout();
    await change("UPDATE approver_keys SET revoked_at = now() WHERE principal = 'ann'");
    expect(await checked(rollout)).toMatchObject({ approvals: [], approverSigned: false });
    await change("UPDATE approver_keys SET revoked_at = NULL WHERE principal = 'ann'");
    await change("UPDATE approval_statements SET bundle = NULL WHERE about = $1", [rollout.id]);
    expect(await checked(rollout)).toMatchObject({ approvals: [], problems: [{ approver: "ann" }] });
  });

  test.each([
    [
      "its statement says something else",
      "UPDATE approval_statements SET statement = convert_to(replace(convert_from(statement, 'UTF8'), '\"gpu\"', '\"hybrid\"'), 'UTF8') WHERE about = $1",
    ],
    ["its statement is gone", "DELETE FROM approval_statements WHERE about = $1"],
    ["it was used for another rollout", "UPDATE approval_statements SET about = 'r-other' WHERE about = $1"],
    ["it was another person's", "UPDATE approval_statements SET principal = 'bob' WHERE about = $1"],
    ["it was never used", "UPDATE approval_statements SET consumed_at = NULL, bundle = NULL WHERE about = $1"],
    ["no second factor was shown", "UPDATE approval_statements SET step_up = NULL WHERE about = $1"],
    [
      "the rollout has another plan",
      "UPDATE rollouts SET state = jsonb_set(state, '{planDigest}', to_jsonb('sha256:' || repeat('9', 64))) WHERE id = $1",
    ],
  ])("when %s", async (_what, sql) => {
    const rollout = await approvedRollout();
    await change(sql, [rollout.id]);
    expect(await checked(rollout)).toMatchObject({
      approvals: [],
      approverSigned: false,
      problems: [{ approver: "ann" }],
    });
    await change("UPDATE rollouts SET state = jsonb_set(state, '{planDigest}', to_jsonb(plan_digest)) WHERE id = $1", [
      rollout.id,
    ]);
  });

  test("when its time is over", async () => {
    const rollout = await approvedRollout();
    on.clock.offsetMs += 24 * 3600 * 1000 + 1;
    expect(await checked(rollout)).toMatchObject({
      approvals: [],
      problems: [{ message: expect.stringContaining("until") }],
    });
    on.clock.offsetMs -= 24 * 3600 * 1000 + 1;
  });
});

test("another tenant's person finds neither the rollout nor its statement", async () => {
  const rollout = await waiting();
  const statement = await ann.statement(rollout.id);
  await on.database.transaction(async (tx) => {
    await createTenant(tx, "rival", Date.now());
    await upsertPrincipal(tx, { tenant: "rival", id: "ann", kind: "human", owner: null, roles: ["approver"] });
  });
  const rival = { ...ann.principal, tenant: "rival" };
  await expect(on.call("approvals.statement", rival, { params: { id: rollout.id } })).rejects.toEqual(
    refused("not-found"),
  );
  const body = { planDigest: rollout.planDigest, bundle: ann.sign(statement), stepUp: totp("123456") };
  await expect(on.call("approvals.approve", rival, { params: { id: rollout.id }, body })).rejects.toEqual(
    refused("not-found"),
  );
});

/** Another version is in force while `act` runs. */
async function underAnotherPolicy(act: () => Promise<void>): Promise<void> {
  const other = `sha256:${"7".repeat(64)}`;
  const { rows } = await on.database.query<{ digest: string }>(
    "SELECT digest FROM policy_active WHERE tenant = 'default'",
  );
  const before = rows[0]?.digest ?? on.parts.policySet.digest;
  await on.database.query(
    `INSERT INTO policy_versions (tenant, digest, base_digest, files, created_at)
     SELECT tenant, $1, base_digest, files, created_at FROM policy_versions WHERE tenant = 'default' AND digest = $2
     ON CONFLICT DO NOTHING`,
    [other, before],
  );
  await on.database.query("UPDATE policy_active SET digest = $1 WHERE tenant = 'default'", [other]);
  try {
    await act();
  } finally {
    await on.database.query("UPDATE policy_active SET digest = $1 WHERE tenant = 'default'", [before]);
  }
}
