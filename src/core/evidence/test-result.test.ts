import { describe, expect, test } from "vitest";
import { isAbout } from "./statement.ts";
import { buildTestResult } from "./test-result.ts";

const JUNIT = Buffer.from("<testsuite><testcase/></testsuite>");
const DIGEST = `sha256:${"a".repeat(64)}`;

describe("the statement of a test run", () => {
  test("is about every subject that was named", () => {
    const built = buildTestResult({
      junit: JUNIT,
      subjects: [{ digest: DIGEST }, { name: "plan", digest: `sha256:${"b".repeat(64)}` }],
      configuration: [{ name: "suite", uri: "https://example.com/suite" }],
    });
    if (!built.ok) throw new Error(built.problem.message);
    expect(built.value.statement.subject).toEqual([
      { digest: { sha256: "a".repeat(64) } },
      { name: "plan", digest: { sha256: "b".repeat(64) } },
    ]);
    expect(isAbout(built.value.statement, DIGEST)).toBe(true);
    expect(built.value.statement.predicate).toMatchObject({
      result: "PASSED",
      configuration: [{ name: "suite" }, { name: "junit" }],
    });
    expect(built.value.report).toMatchObject({ passed: 1, failed: 0 });
  });

  test.each([
    ["no subject", { junit: JUNIT, subjects: [] }, "/subjects"],
    [
      "a subject that is no digest",
      { junit: JUNIT, subjects: [{ digest: DIGEST }, { digest: "model.onnx" }] },
      "/subjects/1",
    ],
    ["a report that is none", { junit: Buffer.from("PASSED"), subjects: [{ digest: DIGEST }] }, "/junit"],
  ])("is refused with %s", (_, input, path) => {
    expect(buildTestResult(input)).toMatchObject({ ok: false, problem: { path } });
  });
});
