import { expect, test } from "vitest";
import { ContinuumError } from "../core/error.ts";
import { StoreError } from "../store/store-error.ts";
import type { Job } from "./jobs.ts";
import { answerTo, isPoison } from "./retry.ts";

function job(type: "provision" | "rollback", failures = 0, attempts = failures + 1): Job {
  return { id: 1, tenant: "t", rollout: "r", sequence: 1, command: { type }, generation: 1, attempts, failures };
}

const unreachable = new ContinuumError("unreachable", "no answer", { retryable: true });

/** Every wait of a job whose every attempt fails in the same way, until the rollout is told. */
function waits(type: "provision" | "rollback", error: Error): number[] {
  const found: number[] = [];
  for (let failures = 0; ; failures += 1) {
    const answer = answerTo(error, job(type, failures));
    if (answer.do !== "again") return found;
    found.push(answer.afterMs);
  }
}

test("an error that may pass is tried again at growing intervals, for about eight seconds", () => {
  expect(waits("provision", unreachable)).toEqual([250, 500, 1000, 2000, 4000]);
});

test("a rollback is tried for about two minutes", () => {
  const all = waits("rollback", unreachable);
  expect(Math.max(...all)).toBe(15_000);
  expect(all.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThan(100_000);
});

test("an error that will not pass is told at once, in the driver's words", () => {
  const error = new ContinuumError("bad-model", "the file is no ONNX model");
  expect(answerTo(error, job("provision"))).toEqual({ do: "fail", message: "the file is no ONNX model" });
});

test("a bug is given a few more chances", () => {
  expect(waits("provision", new TypeError("undefined is not a function"))).toHaveLength(5);
});

test("a database that is away says nothing about the command", () => {
  const error = new StoreError("database-unavailable", "gone", { retryable: true });
  expect(answerTo(error, job("provision", 100))).toMatchObject({ do: "again" });
});

test("a target that saw a newer generation is given a newer one, but not for ever", () => {
  const error = new ContinuumError("stale-generation", "7 is older than 9");
  expect(answerTo(error, job("provision"))).toEqual({ do: "renew" });
  expect(answerTo(error, job("provision", 6))).toMatchObject({ do: "fail" });
});

test("a job that ends every worker that begins it is told apart from one that fails", () => {
  expect(isPoison(job("provision", 0, 50))).toBe(false);
  expect(isPoison(job("provision", 0, 51))).toBe(true);
  expect(isPoison(job("rollback", 13, 14))).toBe(false);
});
