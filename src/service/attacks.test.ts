import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generateSigningKey } from "../core/evidence/signing-key.ts";
import { bootstrap } from "./bootstrap.ts";
import type { Principal } from "./principal.ts";
import { planOf, type ServiceFixture, serviceFixture, testEvidence } from "./testing/service-fixture.ts";

let on: ServiceFixture;
let admin: Principal;
let rival: Principal;
beforeAll(async () => {
  on = await serviceFixture();
  admin = await on.admin();
  const made = await bootstrap({ ...on.parts, database: on.database }, { tenant: "rival" });
  const known = await on.service.authenticate(made?.token ?? "");
  if (known === undefined) throw new Error("the second tenant has an admin");
  rival = known;
});
afterAll(() => on.close());

const digestOf = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const staging = (artifact: string, name: string) =>
  planOf({ artifact, name, environment: "staging", instanceCount: 3 });

describe("one's own plan", () => {
  test("is not approved by who proposed it through a service that they made", async () => {
    const artifact = await on.artifact("proposed by a program");
    const program = await on.principal("program", "service", ["proposer"]);
    expect(program.owner).toBe("admin");
    const { id, planDigest } = await on.call("plans.submit", program, {
      body: { plan: staging(artifact, "by-program") },
    });
    const approved = on.call("approvals.approve", admin, { params: { id }, body: { planDigest } });
    await expect(approved).rejects.toMatchObject({ code: "own-plan" });
  });
});

describe("another's rollout", () => {
  test("is not ended through a plan that replaces it by who may not abort it", async () => {
    const artifact = await on.artifact("replaced");
    const agent = await on.principal("pushy", "agent", ["proposer"]);
    const { id } = await on.call("plans.submit", admin, { body: { plan: staging(artifact, "held") } });
    await expect(on.call("rollouts.abort", agent, { params: { id } })).rejects.toMatchObject({ code: "forbidden" });
    const plan = planOf({ artifact, name: "held", environment: "staging", version: "2" });
    await expect(on.call("plans.submit", agent, { body: { plan, supersede: true } })).rejects.toMatchObject({
      code: "forbidden",
    });
    expect((await on.call("rollouts.get", admin, { params: { id } })).phase).toBe("AwaitingApproval");
  });
});

describe("evidence", () => {
  test("of one statement is one, however the bundle around it is varied", async () => {
    const key = generateSigningKey(randomBytes);
    await on.call("keys.import", admin, { body: { purpose: "tests", publicKey: key.publicKey.spkiPem } });
    const bundle = testEvidence(key, digestOf(Buffer.from("varied")), "FAILED");
    const material = bundle["verificationMaterial"] as Record<string, unknown>;
    const variants = [
      bundle,
      { ...bundle, verificationMaterial: { ...material, timestampVerificationData: { any: "thing" } } },
      { ...bundle, verificationMaterial: { publicKey: { hint: "somebody" } } },
      Object.fromEntries(Object.entries(bundle).toReversed()),
    ];
    const ids = new Set<string>();
    for (const variant of variants) ids.add((await on.call("evidence.add", admin, { body: { bundle: variant } })).id);
    expect(ids.size).toBe(1);
  });

  test("that was taken back by a later run does not count again when it is sent again", async () => {
    const key = generateSigningKey(randomBytes);
    await on.call("keys.import", admin, { body: { purpose: "tests", publicKey: key.publicKey.spkiPem } });
    const bytes = Buffer.from("taken back");
    const digest = digestOf(bytes);
    await on.call("artifacts.put", admin, { params: { digest }, body: bytes });
    const passed = testEvidence(key, digest, "PASSED");
    for (const bundle of [passed, testEvidence(key, digest, "FAILED"), passed]) {
      await on.call("evidence.add", admin, { body: { bundle } });
    }
    const plan = planOf({ artifact: `store:${digest}`, name: "taken-back" });
    const { obligations } = await on.call("plans.check", admin, { body: plan });
    expect(obligations.find((one) => one.kind === "evidence" && one.of === "tests")).toMatchObject({
      status: "missing",
    });
  });
});

describe("the audit log", () => {
  test("tells of an artifact that was stored while it could not be told", async () => {
    const bytes = Buffer.from("stored in silence");
    const digest = digestOf(bytes);
    await on.database.query("ALTER TABLE audit_entries RENAME TO mislaid");
    await expect(on.call("artifacts.put", admin, { params: { digest }, body: bytes })).rejects.toThrow();
    await on.database.query("ALTER TABLE mislaid RENAME TO audit_entries");
    expect(await on.artifacts.stat("default", digest)).toBeDefined();
    await on.call("artifacts.put", admin, { params: { digest }, body: bytes });
    await on.call("artifacts.put", admin, { params: { digest }, body: bytes });
    const { items } = await on.call("audit.list", admin, { query: { subject: digest } });
    expect(items.map(({ action }) => action)).toEqual(["artifact.import"]);
  });
});

describe("another tenant", () => {
  test("finds nothing of the first, by whatever name", async () => {
    const artifact = await on.artifact("of the first tenant");
    const digest = artifact.slice("store:".length);
    const plan = planOf({ artifact, name: "private" });
    const { id, planDigest } = await on.call("plans.submit", admin, { body: { plan } });
    const refused = (code: string) => expect.objectContaining({ code });
    const at = { environment: "development" as const, target: "local" as const, name: "private" };
    await expect(on.call("rollouts.get", rival, { params: { id } })).rejects.toEqual(refused("not-found"));
    await expect(on.call("rollouts.events", rival, { params: { id } })).rejects.toEqual(refused("not-found"));
    await expect(on.call("rollouts.abort", rival, { params: { id } })).rejects.toEqual(refused("not-found"));
    await expect(on.call("approvals.approve", rival, { params: { id }, body: { planDigest } })).rejects.toEqual(
      refused("not-found"),
    );
    await expect(on.call("endpoints.get", rival, { params: at })).rejects.toEqual(refused("not-found"));
    await expect(on.call("endpoints.delete", rival, { params: at })).rejects.toEqual(refused("not-found"));
    await expect(on.call("breakers.reset", rival, { params: at })).rejects.toEqual(refused("not-found"));
    await expect(on.call("tokens.revoke", rival, { params: { id: admin.tokenId } })).rejects.toEqual(
      refused("not-found"),
    );
    await expect(on.call("audit.prove", rival, { params: { subject: id } })).rejects.toEqual(refused("not-found"));
    for (const list of ["rollouts.list", "artifacts.list", "evidence.list", "keys.list", "endpoints.list"] as const) {
      expect([list, (await on.call(list, rival)).items]).toEqual([list, []]);
    }
    // The same plan is denied there as if the artifact did not exist, with the words for one that does not.
    const theirs = await on.call("plans.check", rival, { body: plan });
    const absent = `store:sha256:${"f".repeat(64)}`;
    const nowhere = await on.call("plans.check", rival, { body: planOf({ artifact: absent, name: "private" }) });
    const words = (findings: typeof theirs.findings) => JSON.stringify(findings).replaceAll(absent, artifact);
    expect(theirs.decision).toBe("deny");
    expect(words(theirs.findings)).toBe(words(nowhere.findings));
    expect(JSON.stringify(await on.call("audit.list", rival))).not.toContain(digest);
  });

  test("has idempotency keys of its own", async () => {
    const body = { principal: "same", kind: "human" as const, roles: ["viewer" as const] };
    const key = { idempotencyKey: "the-same-key" };
    const [ours, theirs] = [
      await on.call("tokens.create", admin, { body }, key),
      await on.call("tokens.create", rival, { body }, key),
    ];
    expect(theirs.id).not.toBe(ours.id);
    expect((await on.service.authenticate(theirs.secret))?.tenant).toBe("rival");
  });
});
