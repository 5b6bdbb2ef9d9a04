import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../testing/test-database.ts";
import { SimulatedStateTable } from "./simulated-state.ts";

let on: TestDatabase;

beforeAll(async () => {
  on = await createTestDatabase();
});
afterAll(() => on.close());

interface State {
  n: number;
}

test("what one process saves another loads", async () => {
  const [one, other] = [new SimulatedStateTable<State>(on.database), new SimulatedStateTable<State>(on.database)];
  expect(await one.load("a")).toBeUndefined();
  await one.save("a", { n: 1 });
  expect(await other.load("a")).toMatchObject({ n: 1 });
});

test("an update between another's load and save is not lost: the later save is refused and may be tried again", async () => {
  const [one, other] = [new SimulatedStateTable<State>(on.database), new SimulatedStateTable<State>(on.database)];
  await one.save("b", { n: 0 });
  const [mine, theirs] = [await one.load("b"), await other.load("b")];
  await other.save("b", { ...theirs, n: 10 });
  await expect(one.save("b", { ...mine, n: 1 })).rejects.toMatchObject({ code: "unreachable", retryable: true });
  const again = await one.load("b");
  await one.save("b", { ...again, n: (again?.n ?? 0) + 1 });
  expect(await other.load("b")).toMatchObject({ n: 11 });
});

test("two first saves cannot both win", async () => {
  const [one, other] = [new SimulatedStateTable<State>(on.database), new SimulatedStateTable<State>(on.database)];
  const saves = await Promise.allSettled([one.save("c", { n: 1 }), other.save("c", { n: 2 })]);
  expect(saves.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
});

test("one step may save twice from what it loaded once", async () => {
  const one = new SimulatedStateTable<State>(on.database);
  await one.save("d", { n: 0 });
  const loaded = await one.load("d");
  await one.save("d", { ...loaded, n: 1 });
  await one.save("d", { ...loaded, n: 2 });
  expect(await one.load("d")).toMatchObject({ n: 2 });
});
