/** How one test case ended: a failure is a wrong answer, an error is no answer at all. */
export type TestOutcome = { kind: "passed" } | { kind: "failure" | "error"; message: string };

export interface TestCaseResult {
  name: string;
  durationSeconds: number;
  outcome: TestOutcome;
}

export interface TestReport {
  suite: string;
  startedAt: Date;
  cases: readonly TestCaseResult[];
  /** Facts about what was tested, such as the digest of the model. */
  properties: Readonly<Record<string, string>>;
}

export function reportPassed(report: TestReport): boolean {
  return report.cases.length > 0 && report.cases.every((entry) => entry.outcome.kind === "passed");
}

/** The report in the JUnit XML format that CI systems read. */
export function junitXml(report: TestReport): string {
  const counts = [
    attribute("tests", String(report.cases.length)),
    attribute("failures", String(countOf(report, "failure"))),
    attribute("errors", String(countOf(report, "error"))),
    attribute("skipped", "0"),
    attribute("time", seconds(report.cases.reduce((total, entry) => total + entry.durationSeconds, 0))),
  ].join("");
  const suite = attribute("name", report.suite) + counts + attribute("timestamp", report.startedAt.toISOString());
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${counts}>`,
    `  <testsuite${suite}>`,
    "    <properties>",
    ...Object.entries(report.properties).map(
      ([name, value]) => `      <property${attribute("name", name)}${attribute("value", value)}/>`,
    ),
    "    </properties>",
    ...report.cases.map((entry) => caseXml(report.suite, entry)),
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}

function caseXml(suite: string, entry: TestCaseResult): string {
  const head = `    <testcase${attribute("classname", suite)}${attribute("name", entry.name)}${attribute("time", seconds(entry.durationSeconds))}`;
  if (entry.outcome.kind === "passed") return `${head}/>`;
  return `${head}>\n      <${entry.outcome.kind}${attribute("message", entry.outcome.message)}/>\n    </testcase>`;
}

function countOf(report: TestReport, kind: TestOutcome["kind"]): number {
  return report.cases.filter((entry) => entry.outcome.kind === kind).length;
}

function seconds(value: number): string {
  return value.toFixed(4);
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

function attribute(name: string, value: string): string {
  return ` ${name}="${writable(value).replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character)}"`;
}

/** XML 1.0 cannot hold most control characters even when escaped, and an attribute turns line ends into spaces. */
function writable(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\n\r\t]+/g, " ")
    .replace(/[^\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd");
}
