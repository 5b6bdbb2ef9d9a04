import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signPayload } from "../core/approval/testing/consents.ts";
import { IN_TOTO_PAYLOAD_TYPE, preAuthEncoding } from "../core/evidence/dsse.ts";
import { generateSigningKey } from "../core/evidence/signing-key.ts";
import type { Principal } from "./principal.ts";
import type { RegistrationOptions } from "./testing/people-fixture.ts";
import { planOf, RELYING_PARTY, type ServiceFixture, serviceFixture } from "./testing/service-fixture.ts";
import { type Ceremony, SoftwareAuthenticator } from "./testing/software-authenticator.ts";

/** The browser's way: a WebCrypto key signs the envelope, and a passkey answers to its hash. Both, or nothing. */
let on: ServiceFixture;
let robot: Principal;
let artifact: string;
const visitor = { address: "192.0.2.1" };

interface Person {
  principal: Principal;
  passkey: SoftwareAuthenticator;
  key: ReturnType<typeof generateSigningKey>;
}

beforeAll(async () => {
  on = await serviceFixture();
  robot = await on.principal("robot", "agent", ["proposer"]);
  artifact = await on.artifact("a model approved in a browser");
});
afterAll(() => on.close());

async function personWithPasskey(id: string): Promise<Person> {
  const { code } = await on.call("people.invite", await on.admin(), { body: { principal: id, roles: ["approver"] } });
  const passkey = new SoftwareAuthenticator(RELYING_PARTY.origin);
  const { options } = (await on.service.signIn.enrolmentOptions(visitor, code)) as { options: RegistrationOptions };
  const registration = passkey.register({ challenge: options.challenge }, options.user.id);
  await on.service.signIn.enrol(visitor, { code, registration, label: "laptop" });
  const principal = await on.principal(id, "human", ["approver"]);
  const person = { principal, passkey, key: generateSigningKey(randomBytes) };
  const body = { publicKey: person.key.publicKey.spkiPem, kind: "webcrypto" as const, label: "browser" };
  const statement = await on.call("me.keys.statement", principal, { body });
  // A first factor is there, so that the key needs it too.
  expect(statement.requires).toEqual({ mfa: true, signed: true });
  await on.call("me.keys.enroll", principal, { body: { ...body, ...proofOf(person, statement) } });
  return person;
}

const challengeOf = (payload: string) =>
  createHash("sha256")
    .update(preAuthEncoding(IN_TOTO_PAYLOAD_TYPE, Buffer.from(payload, "base64")))
    .digest();

function proofOf({ key, passkey }: Person, { payload }: { payload: string }, ceremony: Partial<Ceremony> = {}) {
  const response = passkey.answer({ challenge: challengeOf(payload).toString("base64url"), ...ceremony });
  return {
    bundle: JSON.parse(signPayload(key, Buffer.from(payload, "base64"))) as Record<string, unknown>,
    stepUp: { kind: "passkey" as const, response },
  };
}

let count = 0;
async function waiting() {
  count += 1;
  const plan = planOf({ artifact, name: `page-${count}`, environment: "production", dryRun: false });
  return on.call("plans.submit", robot, { body: { plan } });
}
const refused = (code: string) => expect.objectContaining({ code });

describe("an approval with a passkey", () => {
  let ann: Person;
  let bob: Person;
  beforeAll(async () => {
    ann = await personWithPasskey("ann");
    bob = await personWithPasskey("bob");
  });
  const statementFor = (rollout: { id: string }, by = ann) =>
    on.call("approvals.statement", by.principal, { params: { id: rollout.id }, body: {} });
  const approve = (rollout: { id: string; planDigest: string }, proof: ReturnType<typeof proofOf>, by = ann) =>
    on.call("approvals.approve", by.principal, {
      ...{ params: { id: rollout.id }, body: { planDigest: rollout.planDigest, ...proof } },
    });

  test("counts when key and passkey answer to the same envelope", async () => {
    const rollout = await waiting();
    const statement = await statementFor(rollout);
    expect(statement.challenge).toBe(`sha256:${challengeOf(statement.payload).toString("hex")}`);
    expect(await approve(rollout, proofOf(ann, statement))).toMatchObject({
      ...{ phase: "Verifying", approvals: [{ approver: "ann", mfa: true, signed: true }] },
    });
    const { rows } = await on.database.query("SELECT step_up FROM approval_statements WHERE about = $1", [rollout.id]);
    expect(rows).toEqual([{ step_up: "passkey" }]);
  });

  test.each<[string, Partial<Ceremony>]>([
    ["the user was not verified", { userVerified: false }],
    ["it was asked for at another origin", { origin: "https://continuum.example.evil" }],
    ["it is for another relying party", { rpId: "example" }],
    ["it was asked for inside another page", { crossOrigin: true }],
    ["it answers another challenge", { challenge: randomBytes(32).toString("base64url") }],
    ["it is a registration's", { type: "webauthn.create" }],
  ])("is refused when %s, and the statement is not used up by it", async (_what, ceremony) => {
    const rollout = await waiting();
    const statement = await statementFor(rollout);
    await expect(approve(rollout, proofOf(ann, statement, ceremony))).rejects.toEqual(refused("step-up-failed"));
    expect(await approve(rollout, proofOf(ann, statement))).toMatchObject({ phase: "Verifying" });
  });

  test("is refused with another person's passkey, and with an answer to another rollout", async () => {
    const [rollout, other] = [await waiting(), await waiting()];
    const statement = await statementFor(rollout);
    const mixed = { ...proofOf(ann, statement), stepUp: proofOf(bob, statement).stepUp };
    await expect(approve(rollout, mixed)).rejects.toEqual(refused("step-up-failed"));
    const ofOther = proofOf(ann, await statementFor(other)).stepUp;
    await expect(approve(rollout, { ...proofOf(ann, statement), stepUp: ofOther })).rejects.toEqual(
      refused("step-up-failed"),
    );
    const theirs = proofOf(bob, await statementFor(rollout, bob));
    await expect(approve(rollout, theirs)).rejects.toEqual(refused("statement-refused"));
  });

  test("cannot be replayed: the statement and the passkey's counter have moved on", async () => {
    const rollout = await waiting();
    const proof = proofOf(ann, await statementFor(rollout));
    const answers = await Promise.allSettled([approve(rollout, proof), approve(rollout, proof)]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    await expect(approve(rollout, proof)).rejects.toEqual(refused("not-acceptable-now"));
  });

  test("brings in one-time codes only by the passkey's answer to exactly that", async () => {
    const { secret, challenge } = await on.call("me.totp.enroll", ann.principal);
    const { Secret, TOTP } = await import("otpauth");
    const code = TOTP.generate({ secret: Secret.fromBase32(secret), timestamp: on.parts.nowMs() });
    const confirm = (stepUp?: ReturnType<typeof proofOf>["stepUp"]) =>
      on.call("me.totp.confirm", ann.principal, { body: { code, ...(stepUp === undefined ? {} : { stepUp }) } });
    await expect(confirm()).rejects.toEqual(refused("step-up-required"));
    const answer = (bytes: Buffer) =>
      ({ kind: "passkey", response: ann.passkey.answer({ challenge: bytes.toString("base64url") }) }) as const;
    await expect(confirm(answer(randomBytes(32)))).rejects.toEqual(refused("step-up-failed"));
    const right = answer(Buffer.from(challenge.slice("sha256:".length), "hex"));
    expect(await confirm(right)).toMatchObject({ totp: "confirmed", passkeys: 1, keys: 1 });
  });
});
