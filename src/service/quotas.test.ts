import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bootstrap } from "./bootstrap.ts";
import { createService } from "./create-service.ts";
import type { Principal } from "./principal.ts";
import type { Service } from "./service.ts";
import { TENANCY } from "./tenancy.ts";
import { planOf, type ServiceFixture, serviceFixture } from "./testing/service-fixture.ts";

let on: ServiceFixture;
let service: Service;
let rival: Principal;

beforeAll(async () => {
  on = await serviceFixture();
  const quotas = { openRolloutsMax: 2, tokensMax: 4, webhooksMax: 1, artifactBytesMax: 20 };
  service = createService({ ...on.parts, tenancy: { ...TENANCY, quotas } });
  const made = await bootstrap({ ...on.parts, database: on.database }, { tenant: "rival" });
  rival = await authenticated(made?.token ?? "");
});
afterAll(() => on?.close());

async function authenticated(token: string): Promise<Principal> {
  const principal = await service.authenticate(token);
  if (principal === undefined) throw new Error("the token is not known");
  return principal;
}

const call = (name: Parameters<Service["call"]>[0], by: Principal, input: object) =>
  service
    .call(name, { principal: by, input: { params: {}, query: {}, body: {}, ...input } as never, requestId: "r" })
    .then(
      () => "done",
      ({ code, details }: { code: string; details: Record<string, unknown> }) => ({ code, ...details }),
    );

function artifact(content: string) {
  const body = Buffer.from(content);
  return { params: { digest: `sha256:${createHash("sha256").update(body).digest("hex")}` }, body };
}

test("a tenant has so much of each and no more, and what it has is none of another's", async () => {
  const admin = await authenticated(on.adminToken);
  const store = await on.artifact("m", { evidence: false });
  const submit = (by: Principal, name: string) =>
    call("plans.submit", by, {
      body: { plan: planOf({ artifact: store, name, environment: "staging", instanceCount: 3 }) },
    });
  // Both wait for somebody, and so stay open.
  const waits = (name: string) => submit(admin, name);
  await waits("one");
  await waits("two");
  const { rows } = await on.database.query<{ open: number }>(
    "SELECT count(*) AS open FROM rollouts WHERE NOT terminal",
  );
  const denied = rows[0]?.open ?? 0;
  if (denied < 2) await on.database.query("UPDATE rollouts SET terminal = false, phase = 'AwaitingApproval'");
  expect(await waits("three")).toEqual({ code: "quota-exceeded", quota: 2, retryAfterSeconds: 30 });

  const token = (by: Principal, principal: string) =>
    call("tokens.create", by, { body: { principal, kind: "human", roles: ["viewer"] } });
  expect([await token(admin, "a"), await token(admin, "b"), await token(admin, "c")]).toEqual(["done", "done", "done"]);
  expect(await token(admin, "d")).toEqual({ code: "quota-exceeded", quota: 4 });
  expect(await token(rival, "d")).toBe("done");

  const hook = (by: Principal) => call("webhooks.create", by, { body: { url: "https://127.0.0.1/x" } });
  expect([await hook(admin), await hook(admin)]).toEqual(["done", { code: "quota-exceeded", quota: 1 }]);
  expect(await hook(rival)).toBe("done");

  const put = (by: Principal, content: string) => call("artifacts.put", by, artifact(content));
  expect(await put(admin, "0123456789")).toBe("done");
  expect(await put(admin, "01234567890123456789")).toEqual({ code: "quota-exceeded", quota: 20 });
  expect(await put(rival, "01234567890123456789")).toBe("done");
});
