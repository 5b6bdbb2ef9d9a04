import { execFile, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generateSigningKey } from "../../src/core/evidence/signing-key.ts";
import { approverOn } from "../../src/service/testing/approver.ts";
import { planOf, type ServiceFixture, serviceFixture } from "../../src/service/testing/service-fixture.ts";

/**
 * An approval as it lies in the database, verified by a real cosign without any network: whoever has the approver's public
 * key and the plan needs nothing of ours. The binary is the one that `COSIGN` or the path names.
 */
const COSIGN = process.env["COSIGN"] ?? "cosign";
const IS_HERE = spawnSync(COSIGN, ["version"], { stdio: "ignore" }).status === 0;
const WHY_SKIPPED = IS_HERE ? "" : " (skipped: no cosign in COSIGN or on the path)";
const APPROVAL = "urn:continuum:approval:v1";

let on: ServiceFixture;
let folder: string;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  if (!IS_HERE) return;
  folder = mkdtempSync(join(tmpdir(), "continuum-cosign-approval-"));
  mkdirSync(at("home"));
  on = await serviceFixture();
});
afterAll(async () => {
  await on?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

function cosign(...args: string[]): Promise<{ code: number; said: string }> {
  const env = { PATH: process.env["PATH"], HOME: at("home"), COSIGN_PASSWORD: "" };
  return new Promise((resolve) => {
    execFile(COSIGN, args, { cwd: folder, env, timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, said: `${stdout}${stderr}` });
    });
  });
}

const verify = (key: string, bundle: string, type: string, blob: string) =>
  cosign(
    ...["verify-blob-attestation", "--key", key, "--bundle", bundle, "--type", type, "--insecure-ignore-tlog"],
    blob,
  );

describe.skipIf(!IS_HERE)(`a real cosign${WHY_SKIPPED}`, () => {
  test("verifies the approval that is stored, of exactly this plan, by exactly this person", async () => {
    const robot = await on.principal("robot", "agent", ["proposer"], "admin");
    const ann = await approverOn(on, "ann", ["approver"]);
    const artifact = await on.artifact("a model that cosign hears of");
    const plan = planOf({ artifact, environment: "production", dryRun: false });
    const rollout = await on.call("plans.submit", robot, { body: { plan } });
    const statement = await ann.statement(rollout.id);
    const stepUp = { kind: "totp" as const, code: ann.code() };
    await ann.approve(rollout, { bundle: ann.sign(statement), stepUp });
    const { rows } = await on.database.query<{ bundle: Buffer }>(
      "SELECT bundle FROM approval_statements WHERE about = $1",
      [rollout.id],
    );
    writeFileSync(at("approval.bundle"), rows[0]?.bundle ?? "");
    writeFileSync(at("plan.json"), Buffer.from(statement.subject ?? "", "base64"));
    writeFileSync(at("other.json"), "{}");
    writeFileSync(at("ann.pub"), ann.key.publicKey.spkiPem);
    writeFileSync(at("stranger.pub"), generateSigningKey(randomBytes).publicKey.spkiPem);

    expect(await verify("ann.pub", "approval.bundle", APPROVAL, "plan.json")).toMatchObject({ code: 0 });
    expect((await verify("stranger.pub", "approval.bundle", APPROVAL, "plan.json")).code).toBe(1);
    expect((await verify("ann.pub", "approval.bundle", APPROVAL, "other.json")).code).toBe(1);
    const policy = "urn:continuum:policy-approval:v1";
    expect((await verify("ann.pub", "approval.bundle", policy, "plan.json")).code).toBe(1);
  });

  test("signs for a person who has nothing else: registering its own key, and the approval", async () => {
    expect((await cosign("generate-key-pair")).code).toBe(0);
    const publicKey = readFileSync(at("cosign.pub"), "utf8");
    const bob = await approverOn(on, "bob", ["approver"]);
    const signed = async (payload: string) => {
      writeFileSync(at("statement.json"), Buffer.from(payload, "base64"));
      const offline = ["--tlog-upload=false", "--use-signing-config=false", "--yes"];
      const args = ["--key", "cosign.key", "--statement", "statement.json", "--bundle", "theirs.bundle", ...offline];
      expect((await cosign("attest-blob", ...args)).code).toBe(0);
      return JSON.parse(readFileSync(at("theirs.bundle"), "utf8")) as Record<string, unknown>;
    };
    const stepUp = () => ({ kind: "totp" as const, code: bob.code() });
    const own = { publicKey, kind: "cosign" as const };
    const enrolment = await on.call("me.keys.statement", bob.principal, { body: own });
    const body = { ...own, bundle: await signed(enrolment.payload), stepUp: stepUp() };
    const { keyId } = await on.call("me.keys.enroll", bob.principal, { body });

    const robot = await on.principal("robot", "agent", ["proposer"]);
    const artifact = await on.artifact("a model that cosign approves");
    const plan = planOf({ artifact, environment: "production", dryRun: false, name: "by-cosign" });
    const rollout = await on.call("plans.submit", robot, { body: { plan } });
    const statement = await bob.statement(rollout.id);
    const approved = await bob.approve(rollout, { bundle: await signed(statement.payload), stepUp: stepUp() });
    expect(approved).toMatchObject({ phase: "Verifying", approvals: [{ approver: "bob", signed: true, mfa: true }] });
    const { items } = await on.call("audit.list", await on.admin(), { query: { subject: rollout.id } });
    expect(items.find(({ action }) => action === "rollout.approved")?.details).toMatchObject({ keyId });
  });
});
