import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canonicalText } from "../core/audit/entry.ts";
import { digestOf } from "../core/audit/event-record.ts";
import { encodeRolloutProof, type RolloutProof } from "../core/audit/rollout-proof.ts";
import { parseVerifierKeys, type VerifierKey } from "../core/audit/verifier-key.ts";
import { verifyRolloutProof } from "../core/audit/verify-rollout-proof.ts";
import { assert } from "../core/error.ts";
import { signMessage } from "../core/evidence/sign.ts";
import { generateSigningKey } from "../core/evidence/signing-key.ts";
import { canonicalPlan } from "../core/plan/canonical.ts";
import { withDefaults } from "../core/plan/defaults.ts";
import type { Principal } from "./principal.ts";
import { approverOn } from "./testing/approver.ts";
import { planOf, type ServiceFixture, serviceFixture } from "./testing/service-fixture.ts";

let on: ServiceFixture;
let admin: Principal;
let keys: VerifierKey[];
/** One that succeeded, and one in production that a person approved and a gate refused. */
let done: Buffer;
let approved: Buffer;

beforeAll(async () => {
  on = await serviceFixture();
  admin = await on.admin();
  await on.principal("olga", "human", ["proposer"]);
  const robot = await on.principal("robot", "agent", ["proposer"], "olga");
  const ann = await approverOn(on, "ann", ["approver"]);
  const artifact = await on.artifact("model");
  await on.worker();
  const live = await on.call("plans.submit", admin, { body: { plan: planOf({ artifact }) } });
  await on.until(live.id, ["Succeeded"]);
  done = await prove(live.id);
  const body = { plan: planOf({ artifact, name: "prod", environment: "production", dryRun: false }) };
  const release = generateSigningKey(randomBytes);
  await on.call("keys.import", admin, { body: { purpose: "manifest", publicKey: release.publicKey.spkiPem } });
  const manifest = canonicalPlan(withDefaults(body.plan));
  const bundle = JSON.parse(signMessage(manifest, release)) as Record<string, unknown>;
  await on.call("evidence.add", admin, { body: { bundle, manifest: Buffer.from(manifest).toString("base64") } });
  const waiting = await on.call("plans.submit", robot, { body });
  await ann.approveSigned(waiting);
  await on.until(waiting.id, ["Denied"]);
  approved = await prove(waiting.id);
  const parsed = parseVerifierKeys((await on.call("audit.keys", admin)).keys.map(({ vkey }) => vkey).join("\n"));
  assert(parsed.ok, "the keys are in the form that is read");
  keys = parsed.value;
});
afterAll(() => on.close());

async function prove(id: string): Promise<Buffer> {
  const { proof } = await on.call("audit.prove-rollout", admin, { params: { id } });
  return Buffer.from(proof);
}

const verify = (bytes: Buffer) => verifyRolloutProof(bytes, keys);
const read = (bytes: Buffer) => JSON.parse(bytes.toString("utf8")) as RolloutProof;

/** The file as somebody would write it who knows its form and has no key of the log. */
function forged(bytes: Buffer, change: (proof: RolloutProof) => void): Buffer {
  const { format: _, seal: __, ...proof } = structuredClone(read(bytes));
  change(proof as RolloutProof);
  return encodeRolloutProof(proof);
}

describe("the proof of a rollout", () => {
  test("tells its whole story to somebody who has the log's keys alone", () => {
    const verdict = verify(done);
    if (!verdict.ok) return expect.fail(`${verdict.at}: ${verdict.reason}`);
    const { story } = verdict;
    expect(story.steps.map(({ phase }) => phase)).toEqual(
      expect.arrayContaining(["Verifying", "Snapshotting", "Provisioning", "Succeeded"]),
    );
    expect(story.proved).toEqual([
      expect.stringMatching(/^\d+ entries stand in the log of \d+ that was signed$/),
      expect.stringMatching(/^the rollout took \d+ steps without a gap and stood in Succeeded after the last of them$/),
      "each event is the one that its entry was made of",
      expect.stringMatching(/^the plan sha256:[0-9a-f]{64} is what was proposed, decided and run in every step$/),
      "the decision, allow, is the one that was taken",
      expect.stringMatching(/^the text of the policy sha256:[0-9a-f]{64} is what decided$/),
      expect.stringMatching(/^evidence .* about sha256:[0-9a-f]{64}: PASSED, signed by sha256:/),
    ]);
    expect(story.notProved).toEqual([expect.stringContaining("a witness")]);
    expect(story.signedBy.map(({ type }) => type)).toEqual(["ed25519", "ml-dsa-65"]);
  });

  test("holds the plan's own signature, which is over the plan's bytes and has none in it", () => {
    const verdict = verify(approved);
    if (!verdict.ok) return expect.fail(`${verdict.at}: ${verdict.reason}`);
    expect(verdict.story.proved).toContainEqual(
      expect.stringMatching(/^evidence manifest-signature about sha256:[0-9a-f]{64}: SIGNED, signed by sha256:/),
    );
  });

  test("holds the approval as the person signed it", () => {
    const verdict = verify(approved);
    if (!verdict.ok) return expect.fail(`${verdict.at}: ${verdict.reason}`);
    expect(verdict.story.proved).toContainEqual(
      expect.stringMatching(/^ann approved exactly this plan as approver, signed by sha256:/),
    );
    expect(verdict.story.steps.at(-1)).toMatchObject({ phase: "Denied", outcome: "denied" });
  });

  test("and its approval are missed when somebody takes the signed bytes away", async () => {
    expect(await on.call("audit.verify", admin)).toMatchObject({ ok: true });
    const swap = (bytes: string) =>
      on.database.query(`UPDATE approval_statements SET bundle = ${bytes} WHERE bundle IS NOT NULL`);
    await swap("bundle || '\\x20'::bytea");
    expect(await on.call("audit.verify", admin)).toMatchObject({
      ok: false,
      problem: {
        message: expect.stringMatching(/^the signed approval sha256:.* of rollout r-.* is missing or was changed$/),
      },
    });
    await swap("substr(bundle, 1, length(bundle) - 1)");
    expect(await on.call("audit.verify", admin)).toMatchObject({ ok: true });
  });

  test("is refused when any byte was changed, with the place", () => {
    for (let at = 0; at < done.length; at += 509) {
      for (const bit of [1, 0x20]) {
        const changed = Buffer.from(done);
        changed[at] = (changed[at] ?? 0) ^ bit;
        expect(verify(changed), `byte ${at}`).toMatchObject({ ok: false, reason: expect.any(String) });
      }
    }
    expect(verify(done.subarray(0, -1))).toMatchObject({ ok: false });
    expect(verify(Buffer.concat([done, Buffer.from("\n")]))).toMatchObject({ ok: false });
    expect(verify(Buffer.alloc(0))).toMatchObject({ ok: false });
  });

  const first = <T>(list: T[]): T => {
    const [one] = list;
    assert(one !== undefined, "there is one");
    return one;
  };
  test.each<[string, string, (proof: RolloutProof) => void]>([
    ["another plan", "/plan", (proof) => (proof.plan = proof.plan.replace('"instanceCount":2', '"instanceCount":9'))],
    ["another decision", "/decision", (proof) => (proof.decision = { ...proof.decision, risk: "low" })],
    ["another policy", "/policies/0", (proof) => (proof.policies = [`${first(proof.policies)} `])],
    ["an event less", "/events", (proof) => proof.events.splice(2, 1)],
    ["an event with another actor", "/events/1", (proof) => Object.assign(proof.events[1] ?? {}, { actor: "mallory" })],
    ["an event with more in it", "/events/0", (proof) => Object.assign(first(proof.events).payload, { more: 1 })],
    ["the newest step left away", "/events", (proof) => proof.entries.pop()],
    ["a step left out", "/entries", (proof) => withoutStep(proof, 2)],
    ["two entries in each other's place", "/entries/1", (proof) => proof.entries.reverse()],
    ["an entry that says otherwise", "/entries/0", (proof) => reword(proof, "accepted", "refused")],
    ["evidence from elsewhere", "/evidence/0", (proof) => (first(proof.evidence).bundle += " ")],
    ["a key that did not sign", "/evidence/0/publicKey", (proof) => swapKeys(proof)],
    ["an approval that nobody gave", "/approvals/1", (proof) => proof.approvals.push(first(proof.evidence))],
    ["another rollout", "/entries", (proof) => (proof.rollout = "r-other")],
    ["another tenant", "/tenant", (proof) => (proof.tenant = "acme")],
    ["a longer log", "/checkpoint", (proof) => (proof.checkpoint = proof.checkpoint.replace(/\n\d+\n/, "\n99999\n"))],
  ])("forged with %s is refused at %s", (_what, at, change) => {
    const verdict = verify(forged(approved, change));
    expect(verdict).toMatchObject({ ok: false });
    if (!verdict.ok)
      expect(verdict.at === at || verdict.at.startsWith(`${at}/`), `${verdict.at}: ${verdict.reason}`).toBe(true);
  });

  test("of somebody else's keys proves nothing", () => {
    expect(verifyRolloutProof(done, [])).toMatchObject({ ok: false, at: "/checkpoint" });
    expect(verifyRolloutProof(done, keys.slice(1))).toMatchObject({ ok: true });
  });

  test("says what retention took, and keeps the rest", async () => {
    const { rollout } = read(done);
    await on.database.query("DELETE FROM rollout_events WHERE rollout = $1", [rollout]);
    const verdict = verify(await prove(rollout));
    expect(verdict).toMatchObject({
      ok: true,
      story: { notProved: [expect.stringContaining("events"), expect.anything()] },
    });
  });

  test("is there for one's own rollouts alone", async () => {
    await expect(prove("r-nobody")).rejects.toMatchObject({ code: "not-found" });
    await on.database.query("INSERT INTO tenants (tenant) VALUES ('elsewhere')");
    const stranger = { ...admin, tenant: "elsewhere" };
    const id = read(done).rollout;
    await expect(on.call("audit.prove-rollout", stranger, { params: { id } })).rejects.toMatchObject({
      code: "not-found",
    });
  });

  test("holds no word that a person wrote freely", () => {
    const text = canonicalText(read(approved).events);
    expect(text).not.toContain('"comment":');
    expect(digestOf(read(approved).plan)).toBe(
      JSON.parse(first(read(approved).entries.slice(-1)).entry).details.planDigest,
    );
  });
});

function withoutStep(proof: RolloutProof, sequence: number): void {
  proof.entries = proof.entries.filter(({ entry }) => JSON.parse(entry).details.sequence !== sequence);
}

function reword(proof: RolloutProof, from: string, to: string): void {
  const [entry] = proof.entries;
  if (entry !== undefined) entry.entry = entry.entry.replace(from, to);
}

function swapKeys(proof: RolloutProof): void {
  const [evidence] = proof.evidence;
  if (evidence !== undefined) evidence.publicKey = proof.approvals[0]?.publicKey ?? null;
}
