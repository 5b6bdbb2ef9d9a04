import { describe, expect, it } from "vitest";
import { junitXml, reportPassed, type TestReport } from "./junit.ts";

const report: TestReport = {
  suite: "model <1>",
  startedAt: new Date("2026-01-02T03:04:05.678Z"),
  properties: { "model.sha256": "ab12" },
  cases: [
    { name: "answers", durationSeconds: 0.25, outcome: { kind: "passed" } },
    { name: "is right", durationSeconds: 1, outcome: { kind: "failure", message: 'got "a" & <b>\nthen \u0000' } },
    { name: "loads", durationSeconds: 0.5, outcome: { kind: "error", message: "no file" } },
  ],
};

describe("junitXml", () => {
  it("writes counts, times and outcomes, and escapes what XML cannot hold", () => {
    expect(junitXml(report)).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="3" failures="1" errors="1" skipped="0" time="1.7500">
  <testsuite name="model &lt;1&gt;" tests="3" failures="1" errors="1" skipped="0" time="1.7500" timestamp="2026-01-02T03:04:05.678Z">
    <properties>
      <property name="model.sha256" value="ab12"/>
    </properties>
    <testcase classname="model &lt;1&gt;" name="answers" time="0.2500"/>
    <testcase classname="model &lt;1&gt;" name="is right" time="1.0000">
      <failure message="got &quot;a&quot; &amp; &lt;b&gt; then \ufffd"/>
    </testcase>
    <testcase classname="model &lt;1&gt;" name="loads" time="0.5000">
      <error message="no file"/>
    </testcase>
  </testsuite>
</testsuites>
`);
  });
});

describe("reportPassed", () => {
  it("needs at least one case, and none that did not pass", () => {
    expect(reportPassed(report)).toBe(false);
    expect(reportPassed({ ...report, cases: report.cases.slice(0, 1) })).toBe(true);
    expect(reportPassed({ ...report, cases: [] })).toBe(false);
  });
});
