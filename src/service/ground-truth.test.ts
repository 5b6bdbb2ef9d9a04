import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { captureTenantKey, inferencePseudonym } from "../core/monitor/capture/pseudonym.ts";
import type { Principal } from "./principal.ts";
import { planOf, type ServiceFixture, serviceFixture } from "./testing/service-fixture.ts";

let on: ServiceFixture;
let olga: Principal;
const at = { environment: "development", target: "local", name: "churn" } as const;
beforeAll(async () => {
  on = await serviceFixture();
  olga = await on.principal("olga", "human", ["operator"]);
  const artifact = await on.artifact("a model whose truth comes later");
  await on.worker();
  const { id } = await on.call("plans.submit", olga, { body: { plan: planOf({ artifact, name: at.name }) } });
  await on.until(id, ["Succeeded"]);
});
afterAll(() => on?.close());

const add = (
  records: unknown[],
  by = olga,
  params = at as { environment: "development"; target: "local"; name: string },
) => on.call("truths.add", by, { params, body: { records } as never });

const KEY = captureTenantKey(Buffer.alloc(32, 7), "default");
const stored = async (id: string) =>
  (
    await on.database.query<Record<string, unknown>>(
      `SELECT row_number AS row, label, facet, comparison_group AS group FROM ground_truths
       WHERE inference = $1 ORDER BY row_number`,
      [inferencePseudonym(KEY, id)],
    )
  ).rows;

describe("truth of earlier answers", () => {
  it("is taken in our shape and in SageMaker's, by the pseudonym of its id alone", async () => {
    const records = [
      { inferenceId: "one", label: true, facet: "f", group: 7, at: "2026-11-23T10:00:00Z" },
      { inferenceId: "many", labels: [1, null, "2.0"] },
      { groundTruthData: { data: "0,1", encoding: "CSV" }, eventMetadata: { eventId: "aws" }, eventVersion: "0" },
    ];
    expect(await add(records)).toEqual({ added: 5, replaced: 0, unchanged: 0, refused: 0 });
    expect(await stored("one")).toEqual([{ row: 0, label: "true", facet: "f", group: "7" }]);
    expect((await stored("many")).map(({ row, label }) => [row, label])).toEqual([
      [0, "1"],
      [2, "2"],
    ]);
    expect((await stored("aws")).map(({ label }) => label)).toEqual(["0", "1"]);
    const { rows } = await on.database.query("SELECT * FROM ground_truths");
    expect(JSON.stringify(rows)).not.toMatch(/"(one|many|aws)"/);
  });

  it("may be told again, and the last label of an id counts", async () => {
    const first = [
      { inferenceId: "again", label: 1 },
      { inferenceId: "again", label: 0 },
    ];
    expect(await add(first)).toEqual({ added: 1, replaced: 0, unchanged: 0, refused: 0 });
    expect(await add([{ inferenceId: "again", label: 0 }])).toMatchObject({ unchanged: 1 });
    expect(await add([{ inferenceId: "again", label: 1 }])).toMatchObject({ replaced: 1 });
    expect(await stored("again")).toMatchObject([{ label: "1" }]);
  });

  it("stands in the audit log with how many, and no id of a caller", async () => {
    await add([{ inferenceId: "audited-id", label: 1 }]);
    const { items } = await on.call("audit.list", await on.admin(), { query: { limit: 200 } });
    const entry = items.filter(({ action }) => action === "ground-truth.add").at(-1);
    expect(entry).toMatchObject({ actor: "olga", details: { endpoint: "development/local/churn", count: 1 } });
    expect(JSON.stringify(items)).not.toContain("audited-id");
  });

  it("is refused of endpoints that are not there, and from whoever may only look or invoke", async () => {
    const records = [{ inferenceId: "x", label: 1 }];
    await expect(add(records, olga, { ...at, name: "nowhere" })).rejects.toMatchObject({ code: "not-found" });
    for (const role of ["viewer", "invoker", "proposer"] as const) {
      const other = await on.principal(`only-${role}`, "service", [role]);
      await expect(add(records, other)).rejects.toMatchObject({ code: "forbidden" });
    }
  });

  it("is refused when so many labels came that more than memory should hold would follow", async () => {
    const labels = Array.from({ length: 1000 }, () => 1);
    const records = Array.from({ length: 21 }, (_, i) => ({ inferenceId: `big-${i}`, labels }));
    await expect(add(records)).rejects.toMatchObject({ code: "too-large" });
    expect(await stored("big-0")).toEqual([]);
  });
});
