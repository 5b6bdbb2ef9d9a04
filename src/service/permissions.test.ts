import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Operation, PRINCIPAL_KINDS, ROLE_PERMISSIONS, ROLES, type Role } from "../contract/operation.ts";
import { type OperationName, operations } from "../contract/operations.ts";
import { FOR_PEOPLE } from "./authorize.ts";
import type { Principal } from "./principal.ts";
import { type ServiceFixture, serviceFixture } from "./testing/service-fixture.ts";

let on: ServiceFixture;
beforeAll(async () => {
  on = await serviceFixture();
});
afterAll(() => on.close());

/** Straight from here, as no surface would: the service itself must hold. */
const principal = (kind: Principal["kind"], roles: Role[]): Principal => {
  const owner = kind === "human" ? {} : { owner: "admin" };
  return { tenant: "default", id: `some-${kind}`, kind, roles, ...owner, tokenId: "0", expiresAtMs: Date.now() + 1e6 };
};

/** The code that a call is refused with; anything else that happens to it is no refusal of permission. */
async function refusal(name: OperationName, by: Principal): Promise<string | undefined> {
  const params = { id: "none", subject: "none", digest: "none", purpose: "tests", keyId: "none" };
  const at = { environment: "development", target: "local", name: "none" };
  try {
    const answer = await on.call(name, by, { params: { ...params, ...at } } as never);
    if (typeof answer === "object" && Symbol.asyncIterator in answer) return undefined;
    return undefined;
  } catch (error) {
    const code = String((error as { code?: unknown }).code);
    return code === "forbidden" || code === "humans-only" ? code : undefined;
  }
}

const all = Object.entries(operations) as [OperationName, Operation][];

describe.each(all)("%s", (name, operation) => {
  test.each([...PRINCIPAL_KINDS])("asked by a principal of kind %s, each role is held to what it may", async (kind) => {
    for (const role of ROLES) {
      const forPeople = kind !== "human" && FOR_PEOPLE.includes(operation.permission);
      const permitted = ROLE_PERMISSIONS[role].includes(operation.permission) && !forPeople;
      const human = !operation.humansOnly || kind === "human";
      const expected = human ? (permitted ? undefined : "forbidden") : "humans-only";
      expect([role, await refusal(name, principal(kind, [role]))]).toEqual([role, expected]);
    }
  });

  test("a credential without a role may nothing", async () => {
    expect(await refusal(name, principal("human", []))).toBe("forbidden");
  });
});

test("everything that decides for people is for people only", () => {
  const humansOnly = all.filter(([, operation]) => operation.humansOnly).map(([name]) => name);
  expect(humansOnly).toEqual(
    expect.arrayContaining(["approvals.approve", "approvals.reject", "keys.import", "tokens.create", "breakers.reset"]),
  );
});

test("a refusal of permission stands in the audit log", async () => {
  await refusal("approvals.approve", principal("agent", ["admin"]));
  const { items } = await on.call("audit.list", await on.admin(), {
    query: { subject: "approvals.approve", limit: 200 },
  });
  expect(items.at(-1)).toMatchObject({
    actor: "some-agent",
    actorKind: "agent",
    action: "request.refuse",
    outcome: "refused",
    details: { operation: "approvals.approve", reason: "humans-only" },
  });
});
