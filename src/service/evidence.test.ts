import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COSIGN_SIGN_TYPE } from "../core/evidence/image-signature.ts";
import { signMessage } from "../core/evidence/sign.ts";
import { generateSigningKey } from "../core/evidence/signing-key.ts";
import { TEST_RESULT_TYPE } from "../core/evidence/statement.ts";
import type { PlanInput } from "../core/plan/schema.ts";
import { supersedeOutdated } from "../engine/evidence-expiry.ts";
import type { Principal } from "./principal.ts";
import { malleated } from "./testing/ecdsa-twin.ts";
import {
  type Approver,
  BUILDER,
  canonicalBytes,
  type EvidenceKit,
  evidenceKit,
  planWith,
  provenanceOf,
  statement,
} from "./testing/evidence-kit.ts";
import { type ServiceFixture, serviceFixture, testEvidence } from "./testing/service-fixture.ts";

let on: ServiceFixture;
let kit: EvidenceKit;
let admin: Principal;
let ci: Principal;
let ann: Approver;
beforeAll(async () => {
  on = await serviceFixture();
  kit = await evidenceKit(on);
  admin = await on.admin();
  ci = await on.principal("ci", "service", ["proposer", "operator"]);
  ann = await kit.approver("ann");
});
afterAll(() => on.close());

const DAY_MS = 86_400_000;
const newKey = () => generateSigningKey(randomBytes);
let made = 0;
async function newDigest(): Promise<string> {
  made += 1;
  return (await kit.model(`evidence ${made}`)).slice("store:".length);
}

/** A staging plan of three instances, which waits for a person, with all its evidence. */
async function waiting(without: string[] = []): Promise<{ plan: PlanInput; id: string; planDigest: string }> {
  made += 1;
  const artifact = await kit.model(`waiting ${made}`);
  const plan = planWith({ artifact, name: `waiting-${made}`, environment: "staging", instanceCount: 3 });
  await kit.giveEvidence(plan, without);
  const { id, planDigest, phase } = await on.call("plans.submit", ci, { body: { plan } });
  expect(phase).toBe("AwaitingApproval");
  return { plan, id, planDigest };
}
const artifactOf = (plan: PlanInput) => plan.spec.model.artifact.slice("store:".length);
const rolloutNow = (id: string) => on.call("rollouts.get", admin, { params: { id } });
const piecesAbout = async (subject: string) => (await on.call("evidence.list", admin, { query: { subject } })).items;

describe("evidence on arrival", () => {
  test("is told apart by what was signed, and stored with who signed it", async () => {
    const digest = await newDigest();
    const plan = planWith({ artifact: `store:${digest}`, environment: "staging" });
    const bytes = canonicalBytes(plan);
    const manifest = bytes.toString("base64");
    const image = `sha256:${"5".repeat(64)}`;
    const pieces = [
      await kit.give(testEvidence(kit.keys.tests, digest, "FAILED")),
      await kit.give(provenanceOf(digest, { key: kit.keys.provenance, builder: "https://elsewhere.example" })),
      await kit.give(JSON.parse(signMessage(bytes, kit.keys.manifest)), { manifest }),
      await kit.give(statement(image, COSIGN_SIGN_TYPE, null, kit.keys.image)),
      await kit.give(statement(`sha256:${"6".repeat(64)}`, COSIGN_SIGN_TYPE, null, kit.keys.manifest)),
    ];
    expect(pieces).toMatchObject([
      { kind: "tests", result: "FAILED", subjectDigest: digest, keyId: kit.keys.tests.publicKey.keyId },
      { kind: "provenance", result: "SIGNED", keyId: kit.keys.provenance.publicKey.keyId, identity: null },
      { kind: "manifest-signature", predicateType: "cosign/sign-blob", revoked: null },
      { kind: "image-signature", subjectDigest: image },
      { kind: "manifest-signature", predicateType: COSIGN_SIGN_TYPE },
    ]);
    const listed = await on.call("evidence.list", admin, { query: { subject: digest, kind: "provenance" } });
    expect(listed.items.map(({ id }) => id)).toEqual([pieces[1]?.id]);
  });

  test("of a plan that was submitted needs nothing but the bundle", async () => {
    const { plan, planDigest } = await waiting();
    const again = await kit.give(JSON.parse(signMessage(canonicalBytes(plan), kit.keys.manifest)));
    expect(again).toMatchObject({ kind: "manifest-signature", subjectDigest: planDigest });
    const unknown = signMessage(Buffer.from("{}"), kit.keys.manifest);
    await expect(kit.give(JSON.parse(unknown))).rejects.toMatchObject({
      code: "untrusted-evidence",
      message: expect.stringContaining("no such plan is known here"),
    });
  });

  test.each<[string, (digest: string) => Record<string, unknown>, string]>([
    ["a stranger's key", (digest) => testEvidence(newKey(), digest, "PASSED"), "no trusted key"],
    [
      "a key for images about tests",
      (digest) => testEvidence(kit.keys.image, digest, "PASSED"),
      "not trusted for tests",
    ],
    [
      "a key for tests about provenance",
      (digest) => provenanceOf(digest, { key: kit.keys.tests, builder: BUILDER }),
      "not trusted for provenance",
    ],
    [
      "a key for tests about an image",
      (digest) => statement(digest, COSIGN_SIGN_TYPE, null, kit.keys.tests),
      "not trusted for image",
    ],
    [
      "a type that nobody knows",
      (digest) => statement(digest, `${TEST_RESULT_TYPE}x`, {}, kit.keys.tests),
      "one of the types",
    ],
  ])("is refused from %s", async (_what, make, words) => {
    await expect(kit.give(make(await newDigest()))).rejects.toMatchObject({
      code: "untrusted-evidence",
      message: expect.stringContaining(words),
    });
  });

  test("by somebody who may sign plans and images says by its kind which of them it is of", async () => {
    const key = newKey();
    for (const purpose of ["manifest", "image"] as const)
      await on.call("keys.import", admin, { body: { purpose, publicKey: key.publicKey.spkiPem } });
    const bundle = statement(`sha256:${"7".repeat(64)}`, COSIGN_SIGN_TYPE, null, key);
    await expect(kit.give(bundle)).rejects.toMatchObject({ message: expect.stringContaining("by the kind") });
    const stored = await on.call("evidence.add", ci, { body: { bundle, kind: "image-signature" } });
    expect(stored).toMatchObject({ kind: "image-signature" });
  });

  test("is refused when it was made in simulation, whatever it pretends to be about", async () => {
    const digest = await newDigest();
    for (const kind of ["tests", "manifest-signature", "image-signature", "provenance"] as const) {
      const mock = JSON.parse(Buffer.from(on.parts.signatures.simulated.make(kind, digest)).toString("utf8"));
      await expect(kit.give(mock)).rejects.toMatchObject({ code: "untrusted-evidence" });
    }
  });

  test("is refused when it is of another kind than whoever brings it says", async () => {
    const bundle = testEvidence(kit.keys.tests, await newDigest(), "PASSED");
    const add = on.call("evidence.add", ci, { body: { bundle, kind: "provenance" } });
    await expect(add).rejects.toMatchObject({
      code: "untrusted-evidence",
      message: expect.stringContaining("not prov"),
    });
  });

  test("is one piece however it is written: the twin of a signature is not a younger one", async () => {
    const digest = await newDigest();
    const bundle = testEvidence(kit.keys.tests, digest, "PASSED");
    const { id } = await kit.give(bundle);
    on.clock.offsetMs += 60_000;
    expect((await kit.give(malleated(bundle))).id).toBe(id);
    expect(await piecesAbout(digest)).toHaveLength(1);
  });
});

describe("the age of evidence", () => {
  test("is limited by kind, counts from our own acceptance, and the limit is a setting", async () => {
    const digest = await newDigest();
    const plan = planWith({ artifact: `store:${digest}`, name: "aging" });
    await kit.giveEvidence(plan, ["manifest-signature", "provenance"]);
    const status = async () => {
      const { obligations } = await on.call("plans.check", ci, { body: plan });
      return obligations.find(({ of }) => of === "tests")?.status;
    };
    expect(await status()).toBe("met");
    await on.call("trust.update", admin, { body: { maxAgeSeconds: { tests: 3600 } } });
    on.clock.offsetMs += 3_601_000;
    expect(await status()).toBe("missing");
    // The same bundle again is as old as it was.
    const [piece] = await piecesAbout(digest);
    expect(piece?.addedAt).toBe((await piecesAbout(digest))[0]?.addedAt);
    await on.call("trust.update", admin, { body: { maxAgeSeconds: { tests: 30 * 86_400 } } });
    expect(await status()).toBe("met");
  });
});

describe("what waits for an approval", () => {
  const taken: [string, (on: { plan: PlanInput; planDigest: string }) => Promise<unknown>][] = [
    ["a piece is revoked by a person", async ({ plan }) => revoke((await piecesAbout(artifactOf(plan)))[0]?.id ?? "")],
    ["a plan's signature is revoked", async ({ planDigest }) => revoke((await piecesAbout(planDigest))[0]?.id ?? "")],
    ["a later test run failed", ({ plan }) => kit.give(testEvidence(kit.keys.tests, artifactOf(plan), "FAILED"))],
    [
      "a newer piece replaces the one that was seen",
      ({ plan }) => kit.give(testEvidence(kit.keys.tests, artifactOf(plan), "PASSED")),
    ],
  ];
  const revoke = (id: string) =>
    on.call("evidence.revoke", admin, { params: { id }, body: { reason: "It was forged." } });

  test.each(taken)("is superseded when %s", async (_what, change) => {
    const one = await waiting();
    const other = await waiting();
    await change(one);
    expect(await rolloutNow(one.id)).toMatchObject({ phase: "Superseded", reason: { code: "superseded" } });
    expect((await rolloutNow(one.id)).reason?.message).toContain("Evidence that an approver saw");
    expect((await rolloutNow(other.id)).phase).toBe("AwaitingApproval");
  });

  test("is superseded when the key behind its evidence is revoked, and stays when another key is", async () => {
    const key = newKey();
    const { spkiPem: publicKey, keyId } = key.publicKey;
    await on.call("keys.import", admin, { body: { purpose: "tests", publicKey } });
    const { plan } = await waiting();
    await kit.give(testEvidence(key, artifactOf(plan), "PASSED"));
    const { id } = await on.call("plans.submit", ci, { body: { plan } });
    expect((await rolloutNow(id)).phase).toBe("AwaitingApproval");
    const other = await waiting();
    await on.call("keys.revoke", admin, { params: { purpose: "tests", keyId } });
    expect((await rolloutNow(id)).phase).toBe("Superseded");
    expect((await rolloutNow(other.id)).phase).toBe("AwaitingApproval");
  });

  test("is superseded when a limit of age leaves its evidence behind, and stays when only evidence is added", async () => {
    const { id, plan } = await waiting(["provenance"]);
    await kit.give(provenanceOf(artifactOf(plan), { key: kit.keys.provenance, builder: BUILDER }));
    on.clock.offsetMs += 120_000;
    await on.call("trust.update", admin, { body: { maxAgeSeconds: { provenance: DAY_MS / 1000 } } });
    expect((await rolloutNow(id)).phase).toBe("AwaitingApproval");
    await on.call("trust.update", admin, { body: { maxAgeSeconds: { tests: 60 } } });
    await on.call("trust.update", admin, { body: { maxAgeSeconds: { tests: 30 * 86_400 } } });
    expect((await rolloutNow(id)).phase).toBe("Superseded");
  });

  test("is superseded once evidence that an approver saw has become too old, and not before", async () => {
    made += 1;
    const artifact = await kit.model(`two ${made}`);
    const table = await kit.table("a,b,churned\n1,2,0\n");
    const compute = { instanceType: "ml.g5.12xlarge", instanceCount: 5 };
    const given = { artifact, name: `two-${made}`, environment: "production" as const, dryRun: false, ...compute };
    const plan = planWith(given, table);
    await kit.giveEvidence(plan);
    const waits = await on.call("plans.submit", ci, { body: { plan } });
    await ann.approve(waits);
    expect(await supersedeOutdated(on.workerParts)).toBe(0);
    expect(await rolloutNow(waits.id)).toMatchObject({ phase: "AwaitingApproval", approvals: [{ approver: "ann" }] });
    await on.database.query("UPDATE evidence SET added_at = added_at - interval '31 days' WHERE subject_digest = $1", [
      artifactOf(plan),
    ]);
    expect(await supersedeOutdated(on.workerParts)).toBe(1);
    expect(await rolloutNow(waits.id)).toMatchObject({ phase: "Superseded", reason: { code: "superseded" } });
    expect(await supersedeOutdated(on.workerParts)).toBe(0);
  });

  test("says already what it lacks, so that nobody approves what must be denied", async () => {
    const artifact = await kit.model("lacking");
    const plan = planWith({ artifact, name: "lacking", environment: "staging", instanceCount: 3 });
    await kit.giveEvidence(plan, ["manifest-signature"]);
    const proposed = await on.call("plans.submit", ci, { body: { plan } });
    const status = Object.fromEntries(proposed.decision.obligations.map((one) => [one.of ?? one.kind, one.status]));
    expect(status).toMatchObject({ tests: "met", "manifest-signature": "missing", "artifact-digest": "unchecked" });
    const lacks = [{ of: "manifest-signature", clauses: ["CP-1"], what: "The manifest's signature" }];
    expect(proposed.lacks).toEqual(lacks);
    expect((await rolloutNow(proposed.id)).lacks).toEqual(lacks);
  });
});

describe("revoking evidence", () => {
  test("is for people, with a reason, for good, and stands in the audit log without the reason's words", async () => {
    const digest = await newDigest();
    const bundle = testEvidence(kit.keys.tests, digest, "PASSED");
    const { id } = await kit.give(bundle);
    const revoke = (by: Principal, reason = "The runner was taken over.") =>
      on.call("evidence.revoke", by, { params: { id }, body: { reason } });
    await expect(revoke(ci)).rejects.toMatchObject({ code: "humans-only" });
    await expect(revoke(ann)).rejects.toMatchObject({ code: "forbidden" });
    const { items } = await revoke(admin);
    expect(items).toMatchObject([{ id, revoked: { by: admin.id, reason: "The runner was taken over." } }]);
    expect((await kit.give(malleated(bundle))).id).toBe(id);
    expect((await piecesAbout(digest))[0]?.revoked).not.toBeNull();
    const entries = await on.call("audit.list", admin, { query: { subject: digest, limit: 200 } });
    expect(entries.items.map(({ action }) => action)).toEqual(["artifact.import", "evidence.add", "evidence.revoke"]);
    expect(JSON.stringify(entries)).not.toContain("taken over");
    const unknown = on.call("evidence.revoke", admin, {
      params: { id: `sha256:${"0".repeat(64)}` },
      body: { reason: "x" },
    });
    await expect(unknown).rejects.toMatchObject({ code: "not-found" });
  });
});

describe("trust", () => {
  const identity = {
    purpose: "provenance" as const,
    issuer: "https://token.actions.githubusercontent.com",
    subject: "https://github.com/acme/churn/.github/workflows/build.yaml@refs/heads/main",
  };

  test("in an identity is exact, for one purpose, listed, and taken back", async () => {
    const added = await on.call("identities.add", admin, { body: identity });
    expect(added).toMatchObject({ ...identity, id: expect.stringMatching(/^identity:sha256:/), revokedAt: null });
    expect((await on.call("identities.list", ci, {})).items).toEqual([added]);
    const params = { purpose: "provenance", id: added.id };
    expect((await on.call("identities.revoke", admin, { params })).revokedAt).not.toBeNull();
    const wrong = on.call("identities.revoke", admin, { params: { ...params, purpose: "tests" } });
    await expect(wrong).rejects.toMatchObject({ code: "not-found" });
  });

  test("is changed by people who administer, and by nobody else", async () => {
    const robot = await on.principal("robot", "agent", ["admin"], "admin").catch((error: unknown) => error);
    const changes = [
      (by: Principal) => on.call("identities.add", by, { body: identity }),
      (by: Principal) => on.call("trust.update", by, { body: { builders: ["https://evil.example"] } }),
      (by: Principal) => on.call("trust.unpin", by, {}),
      (by: Principal) =>
        on.call("keys.import", by, { body: { purpose: "manifest", publicKey: newKey().publicKey.spkiPem } }),
    ];
    const askers = [ci, ann, ...(robot instanceof Error ? [] : [robot as Principal])];
    for (const by of askers) {
      for (const change of changes) {
        await expect(change(by)).rejects.toMatchObject({ code: expect.stringMatching(/^(humans-only|forbidden)$/) });
      }
    }
    expect((await on.call("trust.show", ci, {})).builders).toEqual([BUILDER]);
  });

  test("ends when it was said to, and not in the past", async () => {
    const key = newKey();
    const trusting = (notAfterMs: number) => {
      const notAfter = new Date(notAfterMs).toISOString();
      return on.call("keys.import", admin, { body: { purpose: "tests", publicKey: key.publicKey.spkiPem, notAfter } });
    };
    const past = { code: "malformed-request", details: { pointer: "/notAfter" } };
    await expect(trusting(on.parts.nowMs() - 1)).rejects.toMatchObject(past);
    await trusting(on.parts.nowMs() + 60_000);
    const digest = await newDigest();
    await kit.give(testEvidence(key, digest, "PASSED"));
    on.clock.offsetMs += 61_000;
    await expect(kit.give(testEvidence(key, digest, "FAILED"))).rejects.toMatchObject({
      message: expect.stringContaining("no longer trusted"),
    });
    const plan = planWith({ artifact: `store:${digest}`, name: "ended" });
    const { obligations } = await on.call("plans.check", ci, { body: plan });
    expect(obligations.find(({ of }) => of === "tests")?.status).toBe("missing");
  });

  test("takes no root that could judge nothing", async () => {
    const pin = (trustedRoot: Record<string, unknown>) => on.call("trust.pin", admin, { body: { trustedRoot } });
    for (const root of [{}, { mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1", tlogs: [] }]) {
      await expect(pin(root)).rejects.toMatchObject({
        code: "malformed-request",
        details: { pointer: "/trustedRoot" },
      });
    }
    expect((await on.call("trust.show", admin, {})).trustedRoot).toBeNull();
  });
});
