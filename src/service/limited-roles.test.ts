import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Operation, ROLE_PERMISSIONS } from "../contract/operation.ts";
import { environmentSourceOf } from "../contract/operation-environment.ts";
import { operations } from "../contract/operations.ts";
import type { LimitedRole } from "../core/tenancy/scoped-role.ts";
import type { Principal } from "./principal.ts";
import { planOf, type ServiceFixture, serviceFixture } from "./testing/service-fixture.ts";

let on: ServiceFixture;
let artifact: string;
beforeAll(async () => {
  on = await serviceFixture();
  artifact = await on.artifact("a model");
});
afterAll(() => on?.close());

async function limited(id: string, ...roles: (LimitedRole | "viewer")[]): Promise<Principal> {
  const body = { principal: id, kind: "human" as const, roles };
  const { secret } = await on.call("tokens.create", await on.admin(), { body });
  const principal = await on.service.authenticate(secret);
  if (principal === undefined) throw new Error("the token is not known");
  return principal;
}

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => "accepted",
    (error: { code?: unknown }) => String(error.code),
  );

describe("a role in one environment", () => {
  test("proposes there and nowhere else, and reads everywhere", async () => {
    const ada = await limited("ada", "proposer@staging");
    const check = (environment: "development" | "staging" | "production") =>
      codeOf(on.call("plans.check", ada, { body: planOf({ artifact, environment }) as never }));
    expect([await check("development"), await check("staging"), await check("production")]).toEqual([
      ...["forbidden", "accepted", "forbidden"],
    ]);
    const submit = (environment: "development" | "staging") =>
      codeOf(
        on.call("plans.submit", ada, { body: { plan: planOf({ artifact, environment, dryRun: true }) as never } }),
      );
    expect([await submit("development"), await submit("staging")]).toEqual(["forbidden", "accepted"]);
    expect(await codeOf(on.call("rollouts.list", ada))).toBe("accepted");
    expect((await on.call("principal.show", ada)).roles).toEqual(["proposer@staging"]);
  });

  test("gives a signal to a rollout there, and hears nothing else of one elsewhere than of one that is not", async () => {
    const olga = await limited("olga", "operator@staging");
    const admin = await on.admin();
    const made = await on.call("plans.submit", admin, {
      body: { plan: planOf({ artifact, name: "elsewhere" }) as never },
    });
    const pause = (id: string) =>
      on.call("rollouts.pause", olga, { params: { id }, body: {} }).then(
        () => ({}),
        ({ code, message }: { code: string; message: string }) => ({ code, message }),
      );
    const elsewhere = await pause(made.id);
    expect(elsewhere).toMatchObject({ code: "forbidden" });
    expect(await pause("r-none")).toEqual(elsewhere);
    expect(await codeOf(on.call("plans.check", olga, { body: planOf({ artifact }) as never }))).toBe("forbidden");
  });

  test("permits nothing that concerns the tenant as a whole", async () => {
    const all: LimitedRole[] = ["proposer@staging", "operator@staging", "approver@staging", "budget-owner@staging"];
    const zoe = await limited("zoe", ...all);
    const whole = (Object.entries(operations) as [keyof typeof operations, Operation][]).filter(
      ([, operation]) => environmentSourceOf(operation) === "none",
    );
    expect(whole.length).toBeGreaterThan(5);
    for (const [name] of whole) expect([name, await codeOf(on.call(name, zoe))]).toEqual([name, "forbidden"]);
  });

  test("is kept as it is in a token's list, and goes no further than its creator's", async () => {
    await limited("kim", "approver@production", "viewer");
    const { items } = await on.call("tokens.list", await on.admin(), { query: { limit: 200 } });
    expect(items.find(({ principal }) => principal.id === "kim")?.roles).toEqual(["viewer", "approver@production"]);
    const operator = await on.principal("oscar", "human", ["operator"]);
    expect(await codeOf(on.call("tokens.create", operator, { body: {} as never }))).toBe("forbidden");
  });
});

test("every operation that names a rollout or an environment is held to it, and nothing else that changes it is free", () => {
  for (const [name, operation] of Object.entries(operations) as [string, Operation][]) {
    const source = environmentSourceOf(operation);
    if (operation.permission !== "read" && operation.path.includes("{environment}"))
      expect([name, source]).toEqual([name, "path"]);
    if (["operate", "approve"].includes(operation.permission) && operation.path.includes("/{id}"))
      expect([name, ["rollout", "none"].includes(source)]).toEqual([name, true]);
    if (source === "any") expect([name, ["read", "propose"].includes(operation.permission)]).toEqual([name, true]);
  }
});

describe("a program's token", () => {
  test("never has what a person answers for, by whatever role", async () => {
    const admin = await on.admin();
    for (const kind of ["agent", "service"] as const)
      for (const role of Object.keys(ROLE_PERMISSIONS) as (keyof typeof ROLE_PERMISSIONS)[]) {
        const forPeople = ROLE_PERMISSIONS[role].some((one) => ["approve", "administer", "govern"].includes(one));
        const made = on.call("tokens.create", admin, { body: { principal: `${kind}-${role}`, kind, roles: [role] } });
        expect([kind, role, await codeOf(made)]).toEqual([kind, role, forPeople ? "humans-only" : "accepted"]);
      }
    const limited = { principal: "sly", kind: "agent" as const, roles: ["approver@production" as const] };
    expect(await codeOf(on.call("tokens.create", admin, { body: limited }))).toBe("humans-only");
  });

  test("that may change something lasts no longer than the setting says, and that of a caller of models may", async () => {
    const admin = await on.admin();
    const make = (role: "proposer" | "invoker", expiresInSeconds: number) =>
      codeOf(
        on.call("tokens.create", admin, {
          body: { principal: `ci-${role}`, kind: "service", roles: [role], expiresInSeconds },
        }),
      );
    expect(await make("proposer", 30 * 86_400)).toBe("accepted");
    expect(await make("proposer", 30 * 86_400 + 1)).toBe("malformed-request");
    expect(await make("invoker", 365 * 86_400)).toBe("accepted");
  });
});
