import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Principal } from "../../../src/service/principal.ts";
import { type ServiceFixture, serviceFixture } from "../../../src/service/testing/service-fixture.ts";

// Policies are parsed, compared and asked by the process that answers every tenant. One tenant must not keep it busy.

let on: ServiceFixture;
let author: Principal;
beforeAll(async () => {
  on = await serviceFixture();
  author = await on.principal("author", "human", ["policy-admin"]);
});
afterAll(() => on.close());

function policies(count: number): string {
  const one = (index: number) => `@id("ACME-${index}")
@level("deny")
@reason("no")
@source("acme#one")
forbid (principal, action in Action::"deploy", resource)
when { context.instanceCount > ${index + 2} && context.stepPercent > ${index % 90} };
`;
  return Array.from({ length: count }, (_, index) => one(index)).join("");
}

async function processorTimeOf<Answer>(act: () => Promise<Answer>): Promise<{ answer: Answer; milliseconds: number }> {
  const before = process.cpuUsage();
  const answer = await act();
  const { user, system } = process.cpuUsage(before);
  return { answer, milliseconds: (user + system) / 1000 };
}

const propose = (text: string) =>
  on.call("policy.propose", author, { body: { files: [{ path: "acme.cedar", text }] } });

describe("a version of the policy", () => {
  test("has no more policies than a process compares while others wait", async () => {
    await expect(propose(policies(400))).rejects.toMatchObject({ code: "malformed-request" });
  });

  test("is compared with another once, however often somebody who may only read asks", async () => {
    const reader = await on.principal("reader", "agent", ["viewer"]);
    const first = await processorTimeOf(() => propose(policies(5)));
    const { version, diff } = first.answer;
    const again = await processorTimeOf(async () => {
      for (let count = 0; count < 30; count += 1) {
        const { asked } = await on.call("policy.diff", reader, { params: { digest: version.digest } });
        expect(asked).toBe(diff.asked);
      }
    });
    expect(again.milliseconds).toBeLessThan(first.milliseconds * 2);
  });
});
