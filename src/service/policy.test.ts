import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Secret, TOTP } from "otpauth";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readPolicyFiles, shippedPolicyFolder } from "../config/policy-files.ts";
import type { OperationOutput } from "../contract/operations.ts";
import { decodeConsent, POLICY_APPROVAL_TYPE } from "../core/approval/statement.ts";
import { writeDsseBundle } from "../core/evidence/bundle.ts";
import { IN_TOTO_PAYLOAD_TYPE, signEnvelope } from "../core/evidence/dsse.ts";
import { parsePublicKey } from "../core/evidence/public-key.ts";
import { generateSigningKey, type SigningKey } from "../core/evidence/signing-key.ts";
import { sha256Digest } from "../core/plan/canonical.ts";
import type { PolicyFile } from "../core/policy/policy.ts";
import { openPolicyBundle } from "../core/policy/policy-bundle.ts";
import type { Principal } from "./principal.ts";
import { planOf, type ServiceFixture, serviceFixture } from "./testing/service-fixture.ts";

/** A person with a key of their own and one-time codes, as an approver's enrolment makes them. */
interface Approver {
  principal: Principal;
  key: SigningKey;
  /** The next one; after `waitMs`, since each counts once. */
  code(waitMs?: number): string;
}

let on: ServiceFixture;
let admin: Principal;
let olga: Principal;
let ada: Approver;
let bob: Approver;
let shipped: string;

beforeAll(async () => {
  on = await serviceFixture();
  admin = await on.admin();
  olga = await on.principal("olga", "human", ["policy-admin", "proposer"]);
  ada = await approver("ada");
  bob = await approver("bob");
  shipped = (await on.call("policy.list", olga)).digest;
});
afterAll(() => on.close());

async function approver(
  id: string,
  roles: Parameters<ServiceFixture["principal"]>[2] = ["policy-admin"],
): Promise<Approver> {
  const principal = await on.principal(id, "human", roles);
  const key = generateSigningKey(randomBytes);
  const own = { publicKey: key.publicKey.spkiPem, kind: "cosign" as const, label: "laptop" };
  const statement = await on.call("me.keys.statement", principal, { body: own });
  await on.call("me.keys.enroll", principal, { body: { ...own, bundle: signed(key, statement) } });
  const { secret } = await on.call("me.totp.enroll", principal);
  const code = (waitMs = 60_000) => {
    on.clock.offsetMs += waitMs;
    return new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: Date.now() + on.clock.offsetMs });
  };
  await on.call("me.totp.confirm", principal, { body: { code: code() } });
  return { principal, key, code };
}

type Statement = OperationOutput<"policy.statement">;

function signed(key: SigningKey, { payload }: Pick<Statement, "payload">): Record<string, unknown> {
  const envelope = { payloadType: IN_TOTO_PAYLOAD_TYPE, payload: Buffer.from(payload, "base64") };
  return JSON.parse(writeDsseBundle(key.publicKey, { ...envelope, signature: signEnvelope(key, envelope) }));
}

const statementOf = (by: Approver, digest: string) => on.call("policy.statement", by.principal, { params: { digest } });

async function activate(by: Approver, digest: string, given?: Statement, code = by.code()) {
  const statement = given ?? (await statementOf(by, digest));
  const body = { bundle: signed(by.key, statement), stepUp: { kind: "totp" as const, code } };
  return on.call("policy.activate", by.principal, { params: { digest }, body });
}

const propose = (files: PolicyFile[], by: Principal = olga, comment?: string) =>
  on.call("policy.propose", by, { body: { files, ...(comment === undefined ? {} : { comment }) } });

function own(count: number, name = "ACME-1"): PolicyFile[] {
  const text = `@id("${name}")
@level("deny")
@reason("At most {limit} instances; the plan asks for {observed}")
@source("acme#capacity")
@observed("instanceCount")
@limit("${count}")
forbid (principal, action in Action::"deploy", resource)
when { context.instanceCount > ${count} };
`;
  return [{ path: "acme.cedar", text }];
}

/** The shipped set as a tenant would copy it, with one edit. */
function edited(path: string, edit: (text: string) => string): PolicyFile[] {
  return readPolicyFiles(shippedPolicyFolder()).map((file) =>
    file.path === path ? { path, text: edit(file.text) } : file,
  );
}

const inForce = async () => (await on.call("policy.list", olga)).digest;

/** Back to the shipped set, as any other change. */
async function backToShipped() {
  if ((await inForce()) === shipped) return;
  await on.call("policy.propose", olga, { body: { digest: shipped } });
  await activate(ada, shipped);
}

describe("the first policy", () => {
  test("is the program's, as an act of the system", async () => {
    const shown = await on.call("policy.show", olga, { params: { digest: shipped } });
    expect(shown.version).toMatchObject({ digest: shipped, state: "active", baseDigest: shipped, proposal: null });
    expect(shown.activations).toMatchObject([{ sequence: 1, by: "system", replaced: null, approval: null }]);
    expect(shown.files.find(({ path }) => path === "base.cedar")?.text).toBe(
      readFileSync(join(shippedPolicyFolder(), "base.cedar"), "utf8"),
    );
    const { items } = await on.call("audit.list", olga, { query: { subject: shipped } });
    expect(items).toMatchObject([{ action: "policy.activate", actor: "system" }]);
  });
});

describe("proposing", () => {
  test("shows what changes, with plans that are decided differently, real ones among them", async () => {
    const plan = planOf({
      artifact: await on.artifact("a model"),
      name: "five",
      environment: "staging",
      instanceCount: 5,
    });
    const rollout = await on.call("plans.submit", olga, { body: { plan } });
    const { version, diff } = await propose(own(4), olga, "capacity is short");
    expect(version).toMatchObject({
      state: "proposed",
      baseDigest: shipped,
      proposal: { by: "olga", comment: "capacity is short" },
    });
    expect(diff).toMatchObject({ before: shipped, after: version.digest, data: [] });
    expect(diff.changes).toEqual([{ id: "ACME-1", clause: "ACME-1", change: "added" }]);
    expect(diff.witnesses).toContainEqual(
      expect.objectContaining({ before: "allow", after: "deny", gained: ["ACME-1"] }),
    );
    expect(diff.plans.looked).toBeGreaterThan(0);
    expect(diff.plans.changed).toEqual([
      expect.objectContaining({
        rollout: rollout.id,
        endpoint: "staging-five",
        before: "needs-approval",
        after: "deny",
        gained: ["ACME-1"],
      }),
    ]);
    expect(await on.call("policy.diff", olga, { params: { digest: version.digest } })).toEqual(diff);
    expect(await inForce()).toBe(shipped);
    await on.call("policy.withdraw", olga, { params: { digest: version.digest } });
    await on.call("rollouts.abort", admin, { params: { id: rollout.id }, body: {} });
  });

  test("tells settings and prices apart from policies", async () => {
    const settings = edited("settings.json", (text) => text.replace('"ml.g5.12xlarge"', '"ml.p4d.24xlarge"'));
    const { version, diff } = await propose(settings);
    expect(diff.changes).toEqual([]);
    expect(diff.data.map(({ name }) => name)).toEqual(["approvedProductionTypes"]);
    const dear = edited("prices.json", (text) => text.replace('"ml.m5.large": 0.115', '"ml.m5.large": 0.001'));
    const priced = await propose(dear);
    expect(priced.diff.data).toEqual([{ name: "price of ml.m5.large", before: 0.115, after: 0.001 }]);
    for (const { digest } of [version, priced.version]) await on.call("policy.withdraw", olga, { params: { digest } });
  });

  test.each([
    [
      "AO-4 is gone",
      "agentops/environments.cedar",
      (text: string) => text.slice(0, text.indexOf('@id("AO-4")')),
      "AO-4 is missing",
    ],
    [
      "AO-1 lets more types through",
      "agentops/environments.cedar",
      (text: string) =>
        text
          .replace('context.instanceType != "ml.m5.large"', 'context.instanceType == "ml.p4d.24xlarge"')
          .replace('@limit("ml.m5.large")', '@limit("ml.p4d.24xlarge")'),
      "AO-1 is changed",
    ],
    [
      "another tenant's names are let through",
      "continuum/compliance.cedar",
      (text: string) =>
        text.replace(
          "context.namesAreOwn && context.unknownNames.isEmpty()",
          "context.namesAreOwn || context.unknownNames.isEmpty()",
        ),
      "P5 is changed",
    ],
    ["the schema is another", "schema.cedarschema", (text: string) => `${text}\nentity Other;\n`, "schema.cedarschema"],
  ])("is refused when %s", async (_what, path, edit, words) => {
    await expect(propose(edited(path, edit))).rejects.toMatchObject({
      code: "policy-protected",
      message: expect.stringContaining(words),
    });
  });

  test.each([
    ["a permit", [{ path: "a.cedar", text: '@id("X-1") permit (principal, action, resource);' }], "permit"],
    ["what is not Cedar", [{ path: "a.cedar", text: "forbid everything" }], "a.cedar"],
    ["settings of another shape", [{ path: "settings.json", text: "{}" }], "settings.json"],
    ["a path that leads out", [{ path: "../a.cedar", text: "" }], "/files/0/path"],
    [
      "a path into what is the tenant's own",
      [
        { path: "a.cedar", text: "" },
        { path: "a.cedar", text: "" },
      ],
      "stands twice",
    ],
  ])("is refused as malformed: %s", async (_what, files, words) => {
    await expect(propose(files)).rejects.toMatchObject({
      code: "malformed-request",
      message: expect.stringContaining(words),
    });
  });

  test("needs the role, and one that is in force is no change", async () => {
    const viewer = await on.principal("vera", "human", ["viewer", "approver", "operator"]);
    await expect(propose(own(3), viewer)).rejects.toMatchObject({ code: "forbidden" });
    await expect(on.call("policy.propose", olga, { body: { program: true } })).rejects.toMatchObject({
      code: "not-acceptable-now",
    });
    const unknown = `sha256:${"0".repeat(64)}`;
    await expect(on.call("policy.propose", olga, { body: { digest: unknown } })).rejects.toMatchObject({
      code: "not-found",
    });
  });
});

describe("activating", () => {
  test("takes another person's signature and second factor, decides at once, and ends what waited under the old one", async () => {
    const plan = planOf({
      artifact: await on.artifact("a model"),
      name: "waits",
      environment: "staging",
      instanceCount: 5,
    });
    const waiting = await on.call("plans.submit", olga, { body: { plan } });
    expect(waiting).toMatchObject({ phase: "AwaitingApproval", policyDigest: shipped });
    const { digest } = (await propose(own(4))).version;
    const statement = await statementOf(ada, digest);
    const said = decodeConsent(Buffer.from(statement.payload, "base64"));
    expect(said).toMatchObject({
      ok: true,
      value: {
        type: POLICY_APPROVAL_TYPE,
        says: { approver: "ada", fromPolicyDigest: shipped, policyDigest: digest, effect: "activate" },
      },
    });
    expect(sha256Digest(Buffer.from(statement.subject ?? "", "base64"))).toBe(digest);
    const activated = await activate(ada, digest, statement);
    expect(activated).toMatchObject({ digest, state: "active", proposal: null });
    const check = await on.call("plans.check", olga, { body: plan });
    expect(check).toMatchObject({ decision: "deny", policyDigest: digest });
    expect(await on.call("rollouts.get", olga, { params: { id: waiting.id } })).toMatchObject({ phase: "Superseded" });
    const shown = await on.call("policy.show", olga, { params: { digest } });
    expect(shown.activations).toMatchObject([{ by: "ada", proposedBy: "olga", replaced: shipped }]);
    expect(JSON.parse(shown.activations[0]?.approval ?? "")).toMatchObject({
      dsseEnvelope: { payload: statement.payload },
    });
    expect((await on.call("policy.show", olga, { params: { digest: shipped } })).version.state).toBe("former");
    const { items } = await on.call("audit.list", olga, { query: { subject: digest } });
    expect(items.slice(-2)).toMatchObject([
      { action: "policy.propose", actor: "olga" },
      {
        action: "policy.activate",
        actor: "ada",
        details: { principal: "olga", fromPolicyDigest: shipped, mfa: true, signed: true },
      },
    ]);
    await backToShipped();
  });

  test("an earlier version comes back as it went: proposed by one, activated by another", async () => {
    const { digest } = (await propose(own(7))).version;
    await activate(ada, digest);
    await expect(statementOf(ada, shipped)).rejects.toMatchObject({ code: "not-acceptable-now" });
    await on.call("policy.propose", ada.principal, { body: { digest: shipped } });
    await expect(statementOf(ada, shipped)).rejects.toMatchObject({ code: "own-plan" });
    expect(await activate(bob, shipped)).toMatchObject({ digest: shipped, state: "active" });
    expect((await on.call("policy.show", olga, { params: { digest: shipped } })).activations).toHaveLength(
      (await on.database.query("SELECT FROM policy_activations WHERE digest = $1", [shipped])).rowCount,
    );
  });

  test("is refused to the proposer, the owner of the proposing program, programs, and whoever lacks the role", async () => {
    const robot: Principal = { ...olga, id: "gitops", kind: "service", roles: ["policy-admin"], owner: "ada" };
    await expect(propose(own(5), robot)).rejects.toMatchObject({ code: "humans-only" });
    const { digest } = (await propose(own(5))).version;
    await expect(on.call("policy.statement", olga, { params: { digest } })).rejects.toMatchObject({ code: "own-plan" });
    // As if a program could have proposed it.
    await on.database.query(
      "UPDATE policy_proposals SET proposed_by = 'gitops', proposer_owner = 'ada' WHERE digest = $1 AND ended_at IS NULL",
      [digest],
    );
    await expect(statementOf(ada, digest)).rejects.toMatchObject({ code: "own-plan" });
    await expect(on.call("policy.statement", robot, { params: { digest } })).rejects.toMatchObject({
      code: "humans-only",
    });
    const vera = await on.principal("vera-2", "human", ["approver", "operator"]);
    await expect(on.call("policy.statement", vera, { params: { digest } })).rejects.toMatchObject({
      code: "forbidden",
    });
    // Who asks again for what is asked for already becomes no proposer by it.
    await propose(own(5), bob.principal);
    expect((await activate(bob, digest)).state).toBe("active");
    await backToShipped();
  });

  test("is refused without a signature, without a second factor, with another's key, and for another version", async () => {
    const { digest } = (await propose(own(6))).version;
    const { digest: other } = (await propose(own(8))).version;
    const statement = await statementOf(ada, digest);
    const send = (body: object, to = digest, by = ada.principal) =>
      on.call("policy.activate", by, { params: { digest: to }, body });
    const stepUp = () => ({ kind: "totp" as const, code: ada.code() });
    await expect(send({ nonce: statement.nonce, stepUp: stepUp() })).rejects.toMatchObject({
      code: "signature-required",
    });
    await expect(send({ bundle: signed(ada.key, statement) })).rejects.toMatchObject({ code: "step-up-required" });
    await expect(send({ bundle: signed(bob.key, statement), stepUp: stepUp() })).rejects.toMatchObject({
      code: "signature-refused",
    });
    await expect(send({ bundle: signed(ada.key, statement), stepUp: stepUp() }, other)).rejects.toMatchObject({
      code: "statement-refused",
    });
    await expect(
      send({ bundle: signed(ada.key, statement), stepUp: { kind: "totp", code: bob.code() } }, digest, bob.principal),
    ).rejects.toMatchObject({ code: "statement-refused" });
    expect(await inForce()).toBe(shipped);
    await activate(ada, digest, statement);
    await expect(activate(ada, digest, statement)).rejects.toMatchObject({ code: "not-acceptable-now" });
    // Bob's statement would have been about the step from the shipped set, which is not in force any more.
    await on.call("policy.withdraw", olga, { params: { digest: other } });
    await backToShipped();
  });

  test("of two that replace the same policy at once, one does; the other must look again", async () => {
    const [a, b] = [(await propose(own(10))).version.digest, (await propose(own(11))).version.digest];
    const [toA, toB] = [await statementOf(ada, a), await statementOf(bob, b)];
    const codes = [ada.code(), bob.code(0)];
    const ends = await Promise.allSettled([activate(ada, a, toA, codes[0]), activate(bob, b, toB, codes[1])]);
    expect(ends.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(ends.find(({ status }) => status === "rejected")).toMatchObject({ reason: { code: "digest-mismatch" } });
    const loser = (await inForce()) === a ? b : a;
    expect((await on.call("policy.show", olga, { params: { digest: loser } })).version.state).toBe("proposed");
    await on.call("policy.withdraw", olga, { params: { digest: loser } });
    await backToShipped();
  });

  test("a withdrawn proposal cannot be activated, though its statement was signed", async () => {
    const { digest } = (await propose(own(12))).version;
    const statement = await statementOf(ada, digest);
    await on.call("policy.withdraw", olga, { params: { digest } });
    await expect(activate(ada, digest, statement)).rejects.toMatchObject({ code: "not-acceptable-now" });
    await expect(on.call("policy.withdraw", olga, { params: { digest } })).rejects.toMatchObject({
      code: "not-acceptable-now",
    });
  });

  test("decides by the new settings and prices", async () => {
    const files = edited("prices.json", (text) => text.replace('"ml.m5.large": 0.115', '"ml.m5.large": 0.5'));
    const { digest } = (await propose(files)).version;
    await activate(ada, digest);
    expect((await on.call("prices.show", olga)).usdPerHour["ml.m5.large"]).toBe(0.5);
    const plan = planOf({ artifact: await on.artifact("a model"), name: "priced" });
    expect((await on.call("plans.check", olga, { body: plan })).cost.usdPerHour).toBe(0.5);
    await backToShipped();
  });
});

describe("a policy that changes while rollouts are under way", () => {
  test("is what the gates decide by, and no rollout is admitted by the one before", async () => {
    const artifact = await on.artifact("a model");
    const submit = (name: string) =>
      on.call("plans.submit", olga, { body: { plan: planOf({ artifact, name, instanceCount: 3 }) } });
    // No worker runs: it stands before its first gate.
    const before = await submit("before");
    expect(before).toMatchObject({ phase: "Verifying", policyDigest: shipped });
    const { digest } = (await propose(own(2))).version;
    const statement = await statementOf(ada, digest);
    const [, ...during] = await Promise.all([
      activate(ada, digest, statement),
      ...Array.from({ length: 8 }, (_, index) => submit(`during-${index}`)),
    ]);
    const at = await on.database.query<{ since: Date }>("SELECT since FROM policy_active WHERE tenant = 'default'");
    expect(at.rowCount).toBe(1);
    for (const { phase, policyDigest } of during)
      expect([shipped, digest].indexOf(policyDigest)).toBe(phase === "Denied" ? 1 : 0);
    expect(await submit("after")).toMatchObject({ phase: "Denied", policyDigest: digest });
    await on.worker();
    const ended = await on.until(before.id, ["Denied", "Succeeded"]);
    expect(ended).toMatchObject({ phase: "Denied", refusals: [{ clause: "ACME-1" }] });
    await backToShipped();
  });
});

describe("a bundle", () => {
  test("holds what is in force, signed by the installation, and nothing of another key or time", async () => {
    const answer = await on.call("policy.bundle", olga);
    const key = parsePublicKey(answer.publicKey);
    if (!key.ok) throw new Error(key.problem.message);
    const open = (over: Partial<Parameters<typeof openPolicyBundle>[1]> = {}, text = answer.bundle) =>
      openPolicyBundle(text, {
        keys: [key.value],
        nowMs: Date.now() + on.clock.offsetMs,
        seen: () => undefined,
        ...over,
      });
    expect(open()).toMatchObject({
      ok: true,
      keyId: answer.keyId,
      bundle: { tenant: "default", policyDigest: shipped },
    });
    expect(open({ keys: [generateSigningKey(randomBytes).publicKey] })).toMatchObject({ ok: false, code: "wrong-key" });
    expect(open({ nowMs: Date.parse(answer.expiresAt) })).toMatchObject({ ok: false, code: "expired" });
    const seen = { tenant: "default", sequence: answer.sequence + 1, policyDigest: shipped };
    expect(open({ seen: () => seen })).toMatchObject({ ok: false, code: "older" });
    expect(open({ seen: () => ({ ...seen, sequence: answer.sequence }) })).toMatchObject({ ok: true });
    const other = { tenant: "default", sequence: answer.sequence, policyDigest: `sha256:${"0".repeat(64)}` };
    expect(open({ seen: () => other })).toMatchObject({ ok: false, code: "older" });
    const bundle = JSON.parse(answer.bundle) as { dsseEnvelope: { payload: string } };
    const payload = Buffer.from(bundle.dsseEnvelope.payload, "base64")
      .toString("utf8")
      .replace("ml.m5.large", "ml.m5.tiny");
    bundle.dsseEnvelope.payload = Buffer.from(payload).toString("base64");
    expect(open({}, JSON.stringify(bundle))).toMatchObject({ ok: false, code: "wrong-key" });
    expect(open({}, "{}")).toMatchObject({ ok: false, code: "malformed" });
  });
});

test("another tenant's versions are as unknown as none at all", async () => {
  await on.database.query("INSERT INTO tenants (tenant) VALUES ('other')");
  const stranger: Principal = { ...olga, tenant: "other", id: "mallory" };
  const { digest } = (await propose(own(9))).version;
  for (const name of ["policy.show", "policy.diff"] as const)
    await expect(on.call(name, stranger, { params: { digest } })).rejects.toMatchObject({ code: "not-found" });
  expect((await on.call("policy.versions", stranger)).items).toEqual([]);
  expect((await on.call("policy.list", stranger)).digest).toBe(shipped);
  expect((await on.call("policy.versions", stranger)).items).toMatchObject([{ digest: shipped, state: "active" }]);
});
