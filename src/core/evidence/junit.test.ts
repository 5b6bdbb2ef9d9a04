import { describe, expect, test } from "vitest";
import { readJunit, testResultOf } from "./junit.ts";
import { testResultSchema } from "./statement.ts";

const read = (xml: string, options = {}) => readJunit(Buffer.from(xml), options);

/** As pytest, vitest, surefire, gradle and gtest write them, shortened. */
const PYTEST = `<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="0" failures="0" skipped="0" tests="2" time="0.05" timestamp="2026-11-23T07:00:00" hostname="alices-laptop"><testcase classname="test_model" name="test_predicts[alice@example.com]" time="0.001" /><testcase classname="test_model" name="test_shape" time="0.002"><system-out>a &lt;b&gt; &#10; c</system-out></testcase></testsuite></testsuites>`;
const VITEST = `<?xml version="1.0" encoding="UTF-8" ?>
<testsuites name="vitest tests" tests="2" failures="1" errors="0" time="0.1">
    <testsuite name="a.test.ts" tests="2" failures="1" errors="0" skipped="0" time="0.1">
        <testcase classname="a.test.ts" name="adds &gt; one" time="0.1"></testcase>
        <testcase classname="a.test.ts" name="adds &gt; two" time="0.1">
            <failure message="expected &apos;x&apos;" type="AssertionError"><![CDATA[ <secret>&unknown; ]]></failure>
        </testcase>
    </testsuite>
</testsuites>`;
const suite = (cases: string, attributes = ""): string => `<testsuite ${attributes}>${cases}</testsuite>`;

describe("a report", () => {
  test("is counted as its tests ended", () => {
    expect(read(PYTEST)).toMatchObject({ ok: true, value: { result: "PASSED", passed: 2, warned: 0, failed: 0 } });
    expect(read(VITEST)).toMatchObject({ ok: true, value: { result: "FAILED", passed: 1, warned: 0, failed: 1 } });
    expect(read(`\ufeff${PYTEST}\n<!-- end -->\n`)).toMatchObject({ ok: true });
  });

  test.each<[string, string, Record<string, unknown>]>([
    ["an error", "<testcase/><testcase><error/></testcase>", { result: "FAILED", passed: 1, failed: 1 }],
    ["an error and a skip in one case", "<testcase><error/><skipped/></testcase>", { result: "FAILED", failed: 1 }],
    ["a skip, then an error", "<testcase><skipped/><error/></testcase>", { result: "FAILED", failed: 1 }],
    ["a skipped test", "<testcase/><testcase><skipped/></testcase>", { result: "WARNED", passed: 1, warned: 1 }],
    ["a test that was not run", '<testcase/><testcase status="notrun"/>', { result: "WARNED", passed: 1, warned: 1 }],
    ["a flaky test", "<testcase><flakyFailure/></testcase>", { result: "WARNED", warned: 1 }],
    ["a failure deep in a case", "<testcase><properties><failure/></properties></testcase>", { result: "FAILED" }],
    ["an error of the suite itself", "<testcase/><error/>", { result: "FAILED", passed: 1, failed: 0 }],
  ])("with %s", (_, cases, expected) => {
    expect(read(suite(cases))).toMatchObject({ ok: true, value: expected });
  });

  test("that counts failures which no case shows has failed", () => {
    for (const attributes of ['failures="1"', "errors='3'"]) {
      expect(read(suite("<testcase/>", attributes))).toMatchObject({ value: { result: "FAILED" } });
      expect(read(`<testsuites ${attributes}>${suite("<testcase/>")}</testsuites>`)).toMatchObject({
        value: { result: "FAILED" },
      });
    }
  });

  test("leaves skipped tests out where that was asked for, but not a report of nothing else", () => {
    const options = { skipped: "leave-out" };
    expect(read(suite("<testcase/><testcase><skipped/></testcase>"), options)).toMatchObject({
      value: { result: "PASSED", passed: 1 },
    });
    expect(read(suite("<testcase><skipped/></testcase>"), options)).toMatchObject({ ok: false });
  });

  test.each<[string, string, string]>([
    ["no tests", "<testsuites/>", "nothing was tested"],
    ["fewer tests than it counts", suite("<testcase/>", 'tests="5"'), "counts 5 tests and holds 1"],
    ["counts that are no numbers", suite("<testcase/>", 'failures="-1"'), "whole numbers"],
    ["another root", "<html><testcase/></html>", "root must be testsuites"],
    ["a case as its root", "<testcase/>", "root must be testsuites"],
    ["a case inside a case", suite("<testcase><testcase/></testcase>"), "inside another"],
    ["a suite inside a case", suite(`<testcase>${suite("")}</testcase>`), "inside a test case"],
    ["two roots", suite("<testcase/>") + suite("<testcase><failure/></testcase>"), "more than one root"],
    ["its end cut off", PYTEST.slice(0, -10), "line 1"],
    ["text after its root", `${PYTEST}x`, "outside the root"],
    ["nothing", "", "no element"],
    ["crossed tags", "<testsuite><testcase></testsuite></testcase>", "does not belong"],
    ["an attribute twice", '<testsuite tests="1" tests="0"><testcase/></testsuite>', "stands twice"],
    ["a comment without an end", "<testsuite><!-- <testcase/></testsuite>", "comment does not end"],
    ["CDATA without an end", "<testsuite><![CDATA[ </testsuite>", "CDATA section does not end"],
    ["a broken tag", "<testsuite tests=1></testsuite>", "malformed"],
    ["another encoding", '<?xml version="1.0" encoding="UTF-16"?><testsuite/>', "UTF-8"],
    ["a style sheet", '<testsuite><?xml-stylesheet href="http://evil"?></testsuite>', "processing instructions"],
    ["an entity of its own", "<testsuite><testcase>&boom;</testcase></testsuite>", "entity"],
    ["an entity in an attribute", '<testsuite name="&boom;"/>', "entity"],
  ])("is refused with %s", (_, xml, message) => {
    expect(read(xml)).toMatchObject({ ok: false, problem: { message: expect.stringContaining(message) } });
  });

  test("is refused before it can blow up", () => {
    const bomb = `<!DOCTYPE t [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><testsuite><testcase>&b;</testcase></testsuite>`;
    const external = `<!DOCTYPE t SYSTEM "file:///etc/passwd"><testsuite/>`;
    for (const xml of [bomb, external])
      expect(read(xml)).toMatchObject({ problem: { message: expect.stringContaining("document types") } });
    expect(read("<testsuite>".repeat(100_000))).toMatchObject({
      problem: { message: expect.stringContaining("nested deeper") },
    });
    expect(read(suite("<testcase/>".repeat(100_001)))).toMatchObject({
      problem: { message: expect.stringContaining("at most 100000") },
    });
    const attributes = Array.from({ length: 100 }, (_, at) => `a${at}="1"`).join(" ");
    expect(read(`<testsuite ${attributes}/>`)).toMatchObject({
      problem: { message: expect.stringContaining("attributes") },
    });
    expect(readJunit(Buffer.alloc(33 * 1024 * 1024, 0x20))).toMatchObject({
      problem: { message: expect.stringContaining("at most") },
    });
    expect(readJunit(Buffer.from([0x3c, 0xff, 0x3e]))).toMatchObject({
      problem: { message: expect.stringContaining("UTF-8") },
    });
  });

  test("takes no longer than its length when it is made to be slow", () => {
    const started = performance.now();
    read(`<testsuite${" ".repeat(1_000_000)}`);
    read(`<testsuite a${"=".repeat(1_000_000)}`);
    read(`<testsuite ${"a ".repeat(500_000)}>`);
    read(`<testsuite>${"<!-- ".repeat(200_000)}`);
    read(`<testsuite>${"&".repeat(1_000_000)}`);
    read(`<testsuite a="${"&amp;".repeat(200_000)}`);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe("the predicate", () => {
  test("names cases by their place and the report by its digest, and nothing by its name", () => {
    const report = read(VITEST);
    if (!report.ok) throw new Error(report.problem.message);
    const predicate = testResultOf(report.value, [{ name: "suite", digest: { sha256: "0".repeat(64) } }]);
    expect(testResultSchema.parse(predicate)).toMatchObject({
      result: "FAILED",
      configuration: [{ name: "suite" }, { name: "junit", digest: { sha256: report.value.digest.slice(7) } }],
      passedTests: ["case-1"],
      warnedTests: [],
      failedTests: ["case-2"],
    });
    const text = JSON.stringify([report.value, predicate, read(PYTEST)]);
    for (const personal of ["alice", "adds", "secret", "a.test.ts", "expected"]) expect(text).not.toContain(personal);
  });
});
