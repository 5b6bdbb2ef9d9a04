import { afterAll, beforeAll, expect, test } from "vitest";
import type { EndpointRef } from "../core/rollout/rollout.ts";
import type { Target } from "../drivers/target/target.ts";
import { createReconciler, type InvokeCredential } from "./reconcile.ts";
import { type EngineFixture, engineFixture, ROBOT, TENANT } from "./testing/engine-fixture.ts";

let on: EngineFixture;

beforeAll(async () => {
  on = await engineFixture();
  await on.worker();
});
afterAll(() => on.close());

const target = () => {
  const found = on.parts.targets.get("simulated");
  if (found === undefined) throw new Error("the fixture has a simulated target");
  return found;
};

const reconciler = () => createReconciler({ parts: on.parts, host: "here", targets: ["simulated"] });

async function deployed(name: string): Promise<EndpointRef> {
  const { id } = await on.propose({ name });
  return (await on.ended(id)).endpoint;
}

async function variants(endpoint: EndpointRef) {
  return (await target().describe({ tenant: TENANT, endpoint }))?.variants.map(({ role, percent, replicas }) => ({
    role,
    percent,
    wanted: replicas.wanted,
  }));
}

/** What a serving process that lost its state directory comes back with. */
async function forget(endpoint: EndpointRef): Promise<void> {
  const key = JSON.stringify([TENANT, endpoint.environment, endpoint.name]);
  await on.database.query("DELETE FROM simulated_state WHERE key = $1", [key]);
}

test("a target that lost an endpoint gets it back at the second look", async () => {
  const endpoint = await deployed("lost");
  const reconcile = reconciler();
  await forget(endpoint);
  await reconcile();
  expect(await variants(endpoint)).toBeUndefined();
  await reconcile();
  expect(await variants(endpoint)).toEqual([{ role: "stable", percent: 100, wanted: 1 }]);
});

test("a scale whose effect never came is brought about", async () => {
  const endpoint = await deployed("small");
  await on.database.query(
    "UPDATE endpoints SET desired = jsonb_set(desired, '{version,instanceCount}', '3') WHERE name = 'small'",
  );
  const reconcile = reconciler();
  await reconcile();
  await reconcile();
  expect(await variants(endpoint)).toEqual([{ role: "stable", percent: 100, wanted: 3 }]);
});

test("what was deleted and still serves is removed", async () => {
  const endpoint = await deployed("gone");
  await on.database.query("UPDATE endpoints SET desired = NULL, live_rollout = NULL WHERE name = 'gone'");
  const reconcile = reconciler();
  await reconcile();
  await reconcile();
  expect(await variants(endpoint)).toBeUndefined();
});

test("what was deployed after the backup that the database came from is not undone, until somebody deploys again", async () => {
  const endpoint = await deployed("ahead");
  const status = await target().describe({ tenant: TENANT, endpoint });
  const generation = status?.generation ?? 0;
  await on.database.query("INSERT INTO restores VALUES (now(), $1, $2)", [generation - 1, generation + 1]);
  await on.database.query(
    `UPDATE endpoints SET desired = jsonb_set(desired, '{version,variant}', '"r-before"') WHERE name = 'ahead'`,
  );
  const reconcile = reconciler();
  for (let look = 0; look < 3; look += 1) await reconcile();
  expect(await target().describe({ tenant: TENANT, endpoint })).toEqual(status);
  const said = on.logged.filter(({ event }) => event === "endpoint-ahead-of-backup");
  expect(said).toMatchObject([{ facts: { endpoint: "development-ahead", generation } }]);

  await on.ended((await on.propose({ name: "ahead", version: "2.0.0" })).id);
  await on.database.query(
    "UPDATE endpoints SET desired = jsonb_set(desired, '{version,instanceCount}', '2') WHERE name = 'ahead'",
  );
  await reconcile();
  await reconcile();
  expect(await variants(endpoint)).toEqual([{ role: "stable", percent: 100, wanted: 2 }]);
});

test("a candidate whose rollback failed for good is taken away, and its rollout stays Failed", async () => {
  const endpoint = await deployed("half");
  on.faults.plan = ({ method, at }) =>
    method === "rollback" && at?.endpoint.name === "half" ? { kind: "fail", retryable: false } : undefined;
  const { id } = await on.propose({ name: "half", version: "2.0.0", rollout: { bakeSeconds: 600, stepPercent: 20 } });
  await on.until(id, ({ phase }) => phase === "Baking");
  await on.signal(id, { type: "abort-requested", by: "olga" });
  expect(await on.ended(id)).toMatchObject({ phase: "Failed", reason: { cause: { code: "aborted" } } });
  const reconcile = reconciler();
  await reconcile();
  await reconcile();
  // What failed is tried again, later each time.
  expect(await variants(endpoint)).toMatchObject([{ role: "stable" }, { role: "candidate", percent: 20 }]);
  on.faults.plan = () => undefined;
  const again = reconciler();
  await again();
  await again();
  expect(await variants(endpoint)).toEqual([{ role: "stable", percent: 100, wanted: 1 }]);
  expect(await on.rollout(id)).toMatchObject({ phase: "Failed" });
});

test("what is as it should be, under way, or on another host is left alone", async () => {
  const [fine, elsewhere] = [await deployed("fine"), await deployed("elsewhere")];
  await on.database.query("UPDATE endpoints SET host = 'there' WHERE name = 'elsewhere'");
  await forget(elsewhere);
  const busy = await on.propose({ name: "busy", rollout: { bakeSeconds: 600 } });
  await on.until(busy.id, ({ phase }) => phase === "Baking");
  const before = on.logged.length;
  const reconcile = reconciler();
  await reconcile();
  await reconcile();
  expect(await variants(elsewhere)).toBeUndefined();
  expect(await variants(fine)).toHaveLength(1);
  expect((await variants(busy.endpoint))?.[0]?.role).toBe("candidate");
  expect(on.logged.slice(before).filter(({ event }) => event.startsWith("endpoint"))).toEqual([]);
});

test("several workers that find the same put it back once", async () => {
  const endpoint = await deployed("twice");
  const reconcilers = [reconciler(), reconciler(), reconciler()];
  await forget(endpoint);
  const before = on.logged.length;
  for (let look = 0; look < 3; look += 1) await Promise.all(reconcilers.map((reconcile) => reconcile()));
  expect(await variants(endpoint)).toEqual([{ role: "stable", percent: 100, wanted: 1 }]);
  const healed = on.logged.slice(before).filter(({ event }) => event === "endpoint-reconciled");
  expect(healed).toHaveLength(1);
});

async function audited(name: string): Promise<{ action: string; outcome: string; details: Record<string, unknown> }[]> {
  const { rows } = await on.database.query<{ entry: Awaited<ReturnType<typeof audited>>[number] }>(
    `SELECT convert_from(entry, 'UTF8')::jsonb AS entry FROM audit_entries WHERE subject = $1
       AND convert_from(entry, 'UTF8')::jsonb ->> 'action' = 'endpoint.reconcile' ORDER BY id`,
    [`development/simulated/${name}`],
  );
  return rows.map(({ entry }) => entry);
}

test("every repair stands in the audit log, once, and before its first effect", async () => {
  const endpoint = await deployed("told");
  await forget(endpoint);
  let before: unknown[] = [];
  const simulated = target();
  const watched: typeof simulated = Object.assign(Object.create(simulated), {
    describe: (at: Parameters<typeof simulated.describe>[0]) => simulated.describe(at),
    provision: async (...call: Parameters<typeof simulated.provision>) => {
      before = await audited("told");
      return simulated.provision(...call);
    },
    shift: (...call: Parameters<typeof simulated.shift>) => simulated.shift(...call),
    promote: (...call: Parameters<typeof simulated.promote>) => simulated.promote(...call),
  });
  const parts = { ...on.parts, targets: new Map([["simulated", watched] as const]) };
  const watching = createReconciler({ parts, host: "here", targets: ["simulated"] });
  await watching();
  expect(await audited("told")).toEqual([]);
  await watching();
  expect(before).toMatchObject([{ outcome: "accepted", actor: { id: "system", kind: "system" } }]);
  await watching();
  const [entry, ...more] = await audited("told");
  expect(more).toEqual([]);
  expect(entry).toMatchObject({
    details: { reason: "version", instanceCount: 1, endpoint: "development/simulated/told" },
  });
  expect((await simulated.describe({ tenant: TENANT, endpoint }))?.generation).toBe(entry?.details["generation"]);
});

test("a repair that fails is audited as such, and tried more and more rarely", async () => {
  const endpoint = await deployed("stuck");
  let nowMs = Date.now();
  const parts = { ...on.parts, nowMs: () => nowMs };
  const reconcile = createReconciler({ parts, host: "here", targets: ["simulated"] });
  await forget(endpoint);
  const broken = Object.assign(Object.create(target()), {
    describe: (at: Parameters<Target["describe"]>[0]) => target().describe(at),
    provision: () => Promise.reject(new Error("the host is too small")),
  });
  parts.targets = new Map([["simulated", broken]]);
  for (let look = 0; look < 5; look += 1) await reconcile();
  expect((await audited("stuck")).map(({ outcome }) => outcome)).toEqual(["accepted", "failed"]);
  for (const waitMs of [3999, 2, 7998, 2, 15_998, 2]) {
    nowMs += waitMs;
    await reconcile();
  }
  expect(await audited("stuck")).toHaveLength(8);
  // A target that can be changed again is not held up by what another reconciler saw.
  const other = reconciler();
  await other();
  await other();
  expect(await variants(endpoint)).toHaveLength(1);
});

test("a target that is away is said once, and looked at again", async () => {
  const reconcile = reconciler();
  on.faults.plan = () => ({ kind: "time-out" });
  const before = on.logged.length;
  await reconcile();
  await reconcile();
  on.faults.plan = () => undefined;
  expect(on.logged.slice(before).filter(({ event }) => event === "target-unreachable")).toHaveLength(1);
  await reconcile();
});

test("who may invoke is told when it changes, and again to a sink that forgot", async () => {
  const tables: { revision: number; credentials: readonly InvokeCredential[] }[] = [];
  const sink = {
    held: 0,
    status: async () => ({ credentialsRevision: sink.held }),
    pushCredentials: async (table: (typeof tables)[number]) => {
      tables.push(table);
      sink.held = table.revision;
    },
  };
  const reconcile = createReconciler({ parts: on.parts, host: "here", sink, targets: [] });
  await token("t1", ["viewer"]);
  await token("t2", ["invoker"]);
  await token("t3", ["invoker"], -1);
  await reconcile();
  await reconcile();
  expect(tables).toHaveLength(1);
  expect(tables[0]?.credentials).toMatchObject([{ hash: Buffer.from("t2").toString("hex"), tenant: TENANT }]);

  await on.database.query("UPDATE tokens SET revoked_at = now() WHERE id = 't2'");
  await reconcile();
  expect(tables[1]).toMatchObject({ credentials: [] });
  expect(tables[1]?.revision).toBeGreaterThan(tables[0]?.revision ?? 0);

  sink.held = 0;
  await reconcile();
  expect(tables).toHaveLength(3);
});

async function token(id: string, roles: string[], expiresInSeconds = 3600): Promise<void> {
  await on.database.query("UPDATE principals SET roles = '{viewer,invoker}' WHERE id = $1", [ROBOT.id]);
  await on.database.query(
    `INSERT INTO tokens (tenant, id, principal, secret_hash, roles, expires_at)
     VALUES ($1, $2, $3, $4, $5, now() + $6 * interval '1 second')`,
    [TENANT, id, ROBOT.id, Buffer.from(id), roles, expiresInSeconds],
  );
}

test("endpoints that were only proposed are not looked at, however many wait, but for those that a backup may not know", async () => {
  // As a plan for the local target leaves it that waits for its approval.
  await on.database.query(
    `INSERT INTO endpoints (tenant, environment, target, name, host, generation) VALUES
       ($1, 'staging', 'local', 'proposed', NULL, 0), ($1, 'staging', 'local', 'snapshot', 'here', 0),
       ($1, 'staging', 'local', 'removed', NULL, 7)`,
    [TENANT],
  );
  const looked: string[] = [];
  const local: Target = Object.assign(Object.create(target()), {
    name: "local",
    describe: async ({ endpoint }: { endpoint: EndpointRef }) => void looked.push(endpoint.name),
  });
  const parts = { ...on.parts, targets: new Map([["local", local] as const]) };
  const reconcile = createReconciler({ parts, host: "here" });
  await on.database.query("DELETE FROM restores");
  await reconcile();
  expect(looked.toSorted()).toEqual(["removed", "snapshot"]);
  await on.database.query("INSERT INTO restores VALUES (now(), 1, 2)");
  await reconcile();
  expect(looked.slice(2).toSorted()).toEqual(["proposed", "removed", "snapshot"]);
  await on.database.query("DELETE FROM restores");
});
