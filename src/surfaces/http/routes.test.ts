import { createHash, randomBytes } from "node:crypto";
import { Secret, TOTP } from "otpauth";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Operation } from "../../contract/operation.ts";
import { type OperationName, operations } from "../../contract/operations.ts";
import { signPayload } from "../../core/approval/testing/consents.ts";
import { verifyExport } from "../../core/audit/export.ts";
import { parseVerifierKeys } from "../../core/audit/verifier-key.ts";
import { verifyRolloutProof } from "../../core/audit/verify-rollout-proof.ts";
import { generateSigningKey } from "../../core/evidence/signing-key.ts";
import { localSigstore } from "../../core/evidence/testing/local-sigstore.ts";
import { recordEvaluations } from "../../engine/alarms/record-evaluations.ts";
import { planOf, RELYING_PARTY, testEvidence } from "../../service/testing/service-fixture.ts";
import { signInByPasskey } from "./testing/browser-like.ts";
import { type Answer, type Ask, type HttpFixture, httpFixture } from "./testing/http-fixture.ts";

let on: HttpFixture;
const asked = new Set<OperationName>();
beforeAll(async () => {
  on = await httpFixture();
  await on.worker();
});
afterAll(() => on.close());

/** Performs an operation and checks that its answer is what the contract says it is. */
async function perform(
  name: OperationName,
  how: Ask & { params?: Record<string, string>; query?: string } = {},
): Promise<Answer> {
  asked.add(name);
  const operation: Operation = operations[name];
  const answer = await on.perform(name, how);
  expect([name, answer.status, answer.status < 400 ? "" : answer.text]).toEqual([name, operation.status ?? 200, ""]);
  if ((operation.produces ?? "json") === "json") {
    const checked = operation.output.safeParse(answer.body);
    expect([name, checked.success ? [] : checked.error.issues]).toEqual([name, []]);
  }
  return answer;
}

const at = (name: string) => ({ environment: "development", target: "local", name });
const idOf = (answer: Answer) => String(answer.body["id"]);
const listOf = (answer: Answer) => answer.body["items"] as Record<string, unknown>[];

test("the main job, over the network: import, trust, attest, propose, watch, roll back", async () => {
  const bytes = Buffer.from("a model");
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  expect((await perform("artifacts.put", { params: { digest }, body: bytes })).body).toMatchObject({
    digest,
    encrypted: true,
  });
  expect(listOf(await perform("artifacts.list"))).toHaveLength(1);
  const key = generateSigningKey(randomBytes);
  const imported = await perform("keys.import", { body: { purpose: "tests", publicKey: key.publicKey.spkiPem } });
  expect(listOf(await perform("keys.list"))).toHaveLength(1);
  await perform("evidence.add", { body: { bundle: testEvidence(key, digest, "PASSED") } });
  expect(listOf(await perform("evidence.list", { query: `subject=${digest}` }))).toHaveLength(1);

  const plan = planOf({ artifact: `store:${digest}`, name: "main" });
  expect((await perform("plans.check", { body: plan })).body).toMatchObject({ decision: "allow", source: "server" });
  expect((await perform("plans.diff", { body: plan })).body).toMatchObject({ liveRollout: null });
  const first = idOf(await perform("plans.submit", { body: { plan } }));
  await on.until(first, ["Succeeded"]);
  const events = (await perform("rollouts.events", { params: { id: first } })).text;
  expect(events).toContain("event: promoted");
  expect((await perform("rollouts.get", { params: { id: first } })).body).toMatchObject({ phase: "Succeeded" });
  expect(listOf(await perform("rollouts.list", { query: "name=main&limit=5" }))).toHaveLength(1);
  expect(listOf(await perform("endpoints.list"))).toHaveLength(1);
  expect((await perform("endpoints.get", { params: at("main") })).body).toMatchObject({ liveRollout: first });
  expect((await perform("endpoints.address", { params: at("main") })).body).toHaveProperty("invokeUrl");
  await perform("endpoints.scale", { params: at("main"), body: { instanceCount: 2 } });

  const next = { ...plan, spec: { ...plan.spec, model: { ...plan.spec.model, version: "2" } } };
  const second = idOf(await perform("plans.submit", { body: { plan: next, supersede: true } }));
  await on.until(second, ["Succeeded"]);
  const back = idOf(await perform("rollouts.rollback", { params: { id: second }, body: { comment: "as before" } }));
  await on.until(back, ["Succeeded"]);
  await perform("endpoints.delete", { params: at("main") });
  await perform("breakers.show", { params: at("main") });
  await perform("breakers.reset", { params: at("main"), body: {} });
  await perform("keys.revoke", { params: { purpose: "tests", keyId: String(imported.body["keyId"]) } });
});

test("what is measured, what alarms, and what people say to it", async () => {
  const plan = planOf({ artifact: `store:sha256:${"6".repeat(64)}`, target: "simulated", name: "alarming" });
  const rollout = await on.until(idOf(await perform("plans.submit", { body: { plan } })), ["Succeeded"]);
  const params = { environment: "development", target: "simulated", name: "alarming" };
  const figure = { subject: "age", measure: "psi", observed: 0.3, limit: 0.2, samples: 1500, breaching: true };
  const line = { ...figure, pValue: 0.001, adjustedPValue: 0.01, evidence: null, message: "age: psi 0.3 above 0.2" };
  const raised = { alarm: "DataDriftAlarm", state: "ALARM", atMs: Date.now(), reason: "age moved" } as const;
  await recordEvaluations(on.workerParts, {
    ...{ tenant: "default", endpoint: rollout.endpoint, variant: rollout.id },
    evaluations: [{ ...raised, figures: [line] }],
  });
  const query = "environment=development&target=simulated&name=alarming";
  expect(listOf(await perform("alarms.list", { query }))).toMatchObject([{ state: "ALARM", figures: [line] }]);
  expect(listOf(await perform("alarms.history", { params }))).toMatchObject([{ to: "ALARM" }]);
  const alarm = "DataDriftAlarm";
  await perform("alarms.acknowledge", { params, body: { alarm, comment: "seen" } });
  await perform("alarms.suppress", { params, body: { alarm, reason: "a feast day, known", seconds: 3600 } });
  expect((await perform("monitors.get", { params })).body).toMatchObject({
    versions: [{ variant: rollout.id, alarms: [{ acknowledgement: { comment: "seen" } }] }],
    suppressions: [{ alarm, reason: "a feast day, known" }],
  });
  expect((await perform("alarms.unsuppress", { params, body: { alarm } })).body).toEqual({ ended: true });
  const records = [{ inferenceId: "of-yesterday", label: 1 }];
  expect((await perform("truths.add", { params, body: { records } })).body).toMatchObject({ added: 1, refused: 0 });
  for (const seconds of [59, 7 * 86_400 + 1]) {
    const body = { alarm, reason: "a feast day, known", seconds };
    expect((await on.perform("alarms.suppress", { params, body })).status).toBe(400);
  }
});

test("what a person does with a rollout on its way", async () => {
  const baking = async (name: string) => {
    const plan = planOf({ artifact: `store:sha256:${"5".repeat(64)}`, target: "simulated", name });
    const slow = { ...plan, spec: { ...plan.spec, rollout: { bakeSeconds: 3600 } } };
    const id = idOf(await perform("plans.submit", { body: { plan: slow } }));
    await on.until(id, ["Baking"]);
    return id;
  };
  const id = await baking("slow");
  expect((await perform("rollouts.pause", { params: { id } })).body).toMatchObject({ phase: "Paused" });
  expect((await perform("rollouts.resume", { params: { id } })).body).toMatchObject({ phase: "Baking" });
  await perform("rollouts.promote", { params: { id } });
  await on.until(id, ["Succeeded"]);
  const stopped = await baking("stopped");
  await perform("rollouts.abort", { params: { id: stopped }, body: { comment: "enough" } });
  expect(await on.until(stopped, ["RolledBack"])).toMatchObject({ reason: { code: "aborted" } });
});

test("what waits for a person", async () => {
  const bytes = Buffer.from("a model for staging");
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  await perform("artifacts.put", { params: { digest }, body: bytes });
  const robot = await on.principal("robot", "agent", ["proposer"]);
  const ann = await on.principal("ann", "human", ["approver"]);
  for (const [index, verb] of (["approvals.approve", "approvals.reject"] as const).entries()) {
    const plan = planOf({
      artifact: `store:${digest}`,
      environment: "staging",
      instanceCount: 3,
      name: `asks-${index}`,
    });
    const waiting = await perform("plans.submit", { token: robot.token, body: { plan } });
    expect(listOf(await perform("approvals.list"))).toHaveLength(1);
    const params = { id: idOf(waiting) };
    await perform("approvals.show", { params });
    const body = verb === "approvals.approve" ? { planDigest: waiting.body["planDigest"] } : { comment: "no" };
    await perform(verb, { token: ann.token, params, body });
  }
});

test("what a person approves with, and a glass that was broken", async () => {
  const digest = `sha256:${createHash("sha256").update("a model for production").digest("hex")}`;
  await perform("artifacts.put", { params: { digest }, body: Buffer.from("a model for production") });
  const robot = await on.principal("robot", "agent", ["proposer"]);
  const { token } = await on.principal("gus", "human", ["break-glass"]);
  const totp = new TOTP({
    secret: Secret.fromBase32(String((await perform("me.totp.enroll", { token })).body["secret"])),
  });
  const code = () => {
    on.clock.offsetMs += 30_000;
    return totp.generate({ timestamp: Date.now() + on.clock.offsetMs });
  };
  expect((await perform("me.totp.confirm", { token, body: { code: code() } })).body).toMatchObject({
    totp: "confirmed",
  });
  const key = generateSigningKey(randomBytes);
  const bundleOf = ({ body }: Answer) => JSON.parse(signPayload(key, Buffer.from(String(body["payload"]), "base64")));
  const own = { publicKey: key.publicKey.spkiPem };
  const proof = (statement: Answer) => ({ bundle: bundleOf(statement), stepUp: { kind: "totp", code: code() } });
  const enrolling = await perform("me.keys.statement", { token, body: own });
  const enrolled = await perform("me.keys.enroll", { token, body: { ...own, ...proof(enrolling) } });
  expect(listOf(await perform("me.keys.list", { token }))).toEqual([enrolled.body]);

  const plan = planOf({ artifact: `store:${digest}`, environment: "production", dryRun: false, name: "signed" });
  const waiting = await perform("plans.submit", { token: robot.token, body: { plan } });
  const params = { id: idOf(waiting) };
  const asked = { role: "break-glass", reason: "nobody else can be reached" };
  const statement = await perform("approvals.statement", { token, params, body: asked });
  const body = { planDigest: waiting.body["planDigest"], ...proof(statement) };
  expect((await perform("approvals.approve", { token, params, body })).body).toMatchObject({
    approvals: [{ role: "break-glass", reason: asked.reason }],
  });
  expect(listOf(await perform("approvals.reviews"))).toHaveLength(1);
  const ann = await on.principal("ann", "human", ["approver"]);
  const review = { verdict: "justified", comment: "the pager log agrees" };
  await perform("approvals.review", { token: ann.token, params, body: review });
  await perform("me.keys.revoke", { token, params: { keyId: key.publicKey.keyId } });
  await perform("me.totp.remove", { token, body: { code: code() } });
  expect((await perform("me.mfa", { token })).body).toMatchObject({ totp: "none", keys: 0 });
});

test("who may, what is in force, and what was done", async () => {
  const made = await perform("tokens.create", { body: { principal: "eve", kind: "human", roles: ["viewer"] } });
  expect(String(made.body["secret"])).toMatch(/^ctm_/);
  expect((await perform("tokens.list")).text).not.toContain(String(made.body["secret"]));
  expect((await perform("principal.show", { token: String(made.body["secret"]) })).body).toMatchObject({ id: "eve" });
  await perform("tokens.revoke", { params: { id: idOf(made) } });
  const policies = (await perform("policy.list")).body["policies"] as unknown[];
  expect(policies.length).toBeGreaterThan(20);
  expect((await perform("prices.show")).body).toMatchObject({ region: "us-east-1" });
  const verified = await perform("audit.verify");
  expect(verified.body).toMatchObject({ ok: true });
  expect(listOf(await perform("audit.list", { query: "limit=3" }))).toHaveLength(3);
  const exported = await perform("audit.export");
  expect(exported.headers.get("content-type")).toBe("application/x-ndjson");
  expect(verifyExport(Buffer.from(exported.text))).toMatchObject({ ok: true });
  const subject = String(listOf(await perform("audit.list"))[0]?.["subject"]);
  await perform("audit.prove", { params: { subject } });
  const [rollout] = listOf(await perform("rollouts.list"));
  const id = String(rollout?.["id"]);
  const { proof } = (await perform("audit.prove-rollout", { params: { id } })).body as { proof: string };
  const { keys } = (await perform("audit.keys")).body as { keys: { vkey: string }[] };
  const trusted = parseVerifierKeys(keys.map(({ vkey }) => vkey).join("\n"));
  expect(verifyRolloutProof(Buffer.from(proof), trusted.ok ? trusted.value : [])).toMatchObject({
    ok: true,
    story: { rollout: id },
  });
  expect(listOf(await perform("audit.checkpoints")).length).toBeGreaterThan(0);
});

test("a policy that one person proposes and another one activates", async () => {
  const olga = (await on.principal("olga-p", "human", ["policy-admin"])).token;
  const ada = (await on.principal("ada-p", "human", ["policy-admin"])).token;
  const before = String((await perform("policy.list")).body["digest"]);
  const body = { files: [{ path: "prices.json", text: await pricesOf(before) }] };
  const proposed = await perform("policy.propose", { token: olga, body });
  const { digest } = proposed.body["version"] as { digest: string };
  const params = { digest };
  expect(listOf(await perform("policy.versions")).map((one) => one["state"])).toEqual(["proposed", "active"]);
  expect((await perform("policy.diff", { params })).body).toMatchObject({ before, after: digest, changes: [] });
  const statement = (await perform("policy.statement", { token: ada, params })).body;
  expect(statement["requires"]).toEqual({ mfa: true, signed: true });
  const path = `/v1/policy/versions/${digest}/activate`;
  const unsigned = await on.ask(path, { method: "POST", token: ada, body: { nonce: statement["nonce"] } });
  expect([unsigned.status, unsigned.body["code"]]).toEqual([403, "signature-required"]);
  const prove = await approverOf(ada);
  const signed = prove(await perform("policy.statement", { token: ada, params }));
  const activated = await perform("policy.activate", { token: ada, params, body: signed });
  expect(activated.body).toMatchObject({ digest, state: "active" });
  expect((await perform("policy.bundle")).body).toMatchObject({ policyDigest: digest, sequence: 2 });
  await perform("policy.propose", { token: ada, body: { digest: before } });
  await perform("policy.withdraw", { token: ada, params: { digest: before } });
});

/** Enrols a key and one-time codes for the person of a token; answers how they sign a statement. */
async function approverOf(token: string): Promise<(statement: Answer) => object> {
  const secret = String((await perform("me.totp.enroll", { token })).body["secret"]);
  const totp = new TOTP({ secret: Secret.fromBase32(secret) });
  const code = () => {
    on.clock.offsetMs += 30_000;
    return totp.generate({ timestamp: Date.now() + on.clock.offsetMs });
  };
  await perform("me.totp.confirm", { token, body: { code: code() } });
  const key = generateSigningKey(randomBytes);
  const prove = ({ body }: Answer) => ({
    bundle: JSON.parse(signPayload(key, Buffer.from(String(body["payload"]), "base64"))),
    stepUp: { kind: "totp", code: code() },
  });
  const own = { publicKey: key.publicKey.spkiPem };
  const enrolling = await perform("me.keys.statement", { token, body: own });
  await perform("me.keys.enroll", { token, body: { ...own, ...prove(enrolling) } });
  return prove;
}

/** The prices of a version with a space more: another policy that decides alike. */
async function pricesOf(digest: string): Promise<string> {
  const { files } = (await perform("policy.show", { params: { digest } })).body as {
    files: { path: string; text: string }[];
  };
  return `${files.find(({ path }) => path === "prices.json")?.text} `;
}

test("which pipelines are trusted", async () => {
  const claims = {
    repository: "acme/churn",
    ref: "refs/heads/main",
    job_workflow_ref: "acme/churn/x.yml@refs/heads/main",
  };
  const made = await perform("workloads.create", {
    body: { principal: "ci-churn", claims, roles: ["proposer@staging"] },
  });
  expect(made.body).toMatchObject({ principal: "ci-churn", claims, tokenSeconds: 900 });
  expect(listOf(await perform("workloads.list"))).toHaveLength(1);
  await perform("workloads.delete", { params: { id: idOf(made) } });
  const refused = await on.ask("/v1/tokens:exchange", { method: "POST", body: { token: "a.b.c" } });
  expect([refused.status, refused.body["code"]]).toEqual([401, "exchange-refused"]);
  const branches = await on.ask("/v1/workloads", {
    method: "POST",
    body: { principal: "ci", claims: { ...claims, ref: undefined } },
  });
  expect([branches.status, branches.body["code"]]).toEqual([400, "malformed-request"]);
});

test("people, and what is theirs", async () => {
  const made = await perform("people.invite", { body: { principal: "fay", roles: ["viewer"] } });
  expect(made.body).toMatchObject({ principal: "fay", code: expect.stringMatching(/^cte_/) });
  expect(listOf(await perform("people.list", { query: "limit=200" })).map(({ id }) => id)).toContain("fay");
  const signedIn = await signInByPasskey(on, String(made.body["code"]));
  const headers = { cookie: signedIn.cookie, origin: RELYING_PARTY.origin, "x-continuum-csrf": "1" };
  const asFay = { token: null, headers };
  expect((await perform("me.passkeys.list", asFay)).body).toMatchObject({ items: [{ label: "passkey" }] });
  const again = await perform("me.enroll", { ...asFay, body: {} });
  await signInByPasskey(on, String(again.body["code"]));
  const passkeys = listOf(await perform("me.passkeys.list", asFay));
  await perform("me.passkeys.remove", { ...asFay, params: { id: String(passkeys[1]?.["id"]) } });
  const sessions = listOf(await perform("me.sessions.list", asFay));
  expect(sessions).toHaveLength(2);
  const other = sessions.find(({ current }) => current === false);
  await perform("me.sessions.end", { ...asFay, params: { id: String(other?.["id"]) } });
  expect((await perform("people.reset", { params: { id: "fay" } })).body).toEqual({
    passkeys: 1,
    sessions: 1,
    totp: false,
  });
});

test("who is told of what happens", async () => {
  const body = { url: "https://127.0.0.1:9443/hooks", events: ["rollout.failed"], description: "on call" };
  const made = await perform("webhooks.create", { body });
  const params = { id: idOf(made) };
  expect(made.body).toMatchObject({ enabled: true, events: ["rollout.failed"] });
  expect((await perform("webhooks.list")).text).not.toContain("whsec_");
  await perform("webhooks.get", { params });
  await perform("webhooks.rotate", { params, body: { overlapSeconds: 60 } });
  const message = String((await perform("webhooks.test", { params })).body["message"]);
  expect(listOf(await perform("webhooks.deliveries", { params, query: "limit=5&state=pending" }))).toHaveLength(1);
  await perform("webhooks.replay", { params, body: { message } });
  expect((await perform("webhooks.update", { params, body: { enabled: false } })).body).toMatchObject({
    disabledReason: "operator",
  });
  await perform("webhooks.delete", { params });
  const wrong = await on.ask("/v1/webhooks", { method: "POST", body: { ...body, events: ["rollout.suceeded"] } });
  expect([wrong.status, wrong.body["pointer"]]).toEqual([400, "/events/0"]);
});

test("whom and what is trusted", async () => {
  const identity = { purpose: "provenance", issuer: "https://issuer.example", subject: "https://ci.example/build" };
  const params = { purpose: "provenance", id: idOf(await perform("identities.add", { body: identity })) };
  expect(listOf(await perform("identities.list"))).toMatchObject([identity]);
  await perform("identities.revoke", { params });
  await perform("trust.update", { body: { builders: ["https://ci.example/1"], maxAgeSeconds: { tests: 3600 } } });
  const pinned = await perform("trust.pin", { body: { trustedRoot: JSON.parse(localSigstore().trustedRoot) } });
  expect(pinned.body).toMatchObject({ builders: ["https://ci.example/1"], trustedRoot: { tlogs: 1 } });
  await perform("trust.unpin");
  expect((await perform("trust.show")).body).toMatchObject({ maxAgeSeconds: { tests: 3600 }, trustedRoot: null });
  const wrong = await on.ask("/v1/identities", { method: "POST", body: { ...identity, subject: "a\u0000" } });
  expect([wrong.status, wrong.body["pointer"]]).toEqual([400, "/subject"]);
  const key = generateSigningKey(randomBytes);
  await perform("keys.import", { body: { purpose: "tests", publicKey: key.publicKey.spkiPem } });
  const bundle = testEvidence(key, `sha256:${"a".repeat(64)}`, "PASSED");
  const id = idOf(await perform("evidence.add", { body: { bundle } }));
  expect(listOf(await perform("evidence.revoke", { params: { id }, body: { reason: "A trial." } }))).toHaveLength(1);
});

test("every operation of the contract was asked of a real server", () => {
  expect(Object.keys(operations).filter((name) => !asked.has(name as OperationName))).toEqual([]);
});
