import { afterAll, beforeAll, expect, test } from "vitest";
import type { Principal } from "./principal.ts";
import { Refusal } from "./refusal.ts";
import { planOf, type ServiceFixture, serviceFixture } from "./testing/service-fixture.ts";

let on: ServiceFixture;
let admin: Principal;
let artifact: string;
beforeAll(async () => {
  on = await serviceFixture();
  admin = await on.admin();
  artifact = await on.artifact("a model");
  await on.worker();
  await on.worker();
});
afterAll(() => on.close());

const NAMES = ["one", "two"] as const;
const at = (name: string) => ({ environment: "development" as const, target: "local" as const, name });

/** A small generator of its own, so that a run that fails can be told and repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

async function anything(next: () => number): Promise<unknown> {
  const name = NAMES[Math.floor(next() * NAMES.length)] ?? "one";
  const version = String(Math.floor(next() * 4));
  const choice = next();
  if (choice < 0.5) {
    const body = { plan: planOf({ artifact, name, version }), supersede: next() < 0.5 };
    return on.call("plans.submit", admin, { body });
  }
  if (choice < 0.6)
    return on.call("endpoints.scale", admin, { params: at(name), body: { instanceCount: 1 + Math.floor(next() * 3) } });
  if (choice < 0.65) return on.call("endpoints.delete", admin, { params: at(name) });
  const { items } = await on.call("rollouts.list", admin, { query: { active: "true", name } });
  const one = items[Math.floor(next() * items.length)];
  if (one === undefined) return undefined;
  const verbs = ["rollouts.abort", "rollouts.pause", "rollouts.resume", "rollouts.rollback"] as const;
  return on.call(verbs[Math.floor(next() * verbs.length)] ?? "rollouts.abort", admin, { params: { id: one.id } });
}

test("whatever is asked at the same time is answered or refused, and never left hanging or broken", async () => {
  const callers = Array.from({ length: 8 }, async (_, seed) => {
    const next = random(seed + 1);
    const failures: unknown[] = [];
    for (let index = 0; index < 10; index += 1) {
      await anything(next).catch((error: unknown) => error instanceof Refusal || failures.push(error));
    }
    return failures;
  });
  expect((await Promise.all(callers)).flat()).toEqual([]);
  // Whoever was paused is let go, and then everything ends by itself.
  for (const endMs = Date.now() + 20_000; Date.now() < endMs; await new Promise((resolve) => setTimeout(resolve, 20))) {
    const { items } = await on.call("rollouts.list", admin, { query: { active: "true" } });
    if (items.length === 0) break;
    for (const { id } of items) await on.call("rollouts.resume", admin, { params: { id } }).catch(() => undefined);
  }
  expect((await on.call("rollouts.list", admin, { query: { active: "true" } })).items).toEqual([]);
  const { rows } = await on.database.query<{ reserved: number; jobs: number; gaps: number }>(
    `SELECT (SELECT coalesce(sum(reserved_micro_usd_per_hour), 0)::bigint FROM rollouts) AS reserved,
       (SELECT count(*) FROM jobs) AS jobs,
       (SELECT count(*) FROM rollouts r WHERE sequence <> (SELECT count(*) FROM rollout_events e WHERE e.rollout = r.id)) AS gaps`,
  );
  expect(rows).toEqual([{ reserved: 0, jobs: 0, gaps: 0 }]);
  expect(await on.call("audit.verify", admin)).toMatchObject({ ok: true });
});
