import { createHash } from "node:crypto";
import type { Parsed } from "../error.ts";
import type { TestResult } from "./statement.ts";
import { scanXml, type XmlEvent, type XmlLimits, XmlProblem } from "./xml-scanner.ts";

/** What a JUnit XML report counts. A skipped or flaky test neither passed nor failed: it is a warning. */
export interface JunitReport {
  result: TestResult["result"];
  passed: number;
  warned: number;
  failed: number;
  /** Of the report's bytes. */
  digest: string;
  /** How each case ended, in the order of the report. */
  outcomes: CaseOutcome[];
}

export type CaseOutcome = "passed" | "warned" | "failed";

export interface JunitOptions {
  /**
   * What a skipped test means: `warn` makes the result WARNED, which lets no deployment pass; `leave-out` is for those
   * who skip on purpose: the tests that ran decide. Default `warn`.
   */
  skipped?: "warn" | "leave-out";
}

/**
 * Reads a JUnit XML report: `testsuites` or `testsuite` around `testcase`s. A report that contradicts itself (it counts
 * tests that it does not hold), holds no test, or is beyond the limits is a problem, never a pass.
 */
export function readJunit(xml: Uint8Array, options: JunitOptions = {}): Parsed<JunitReport> {
  if (xml.length > LIMITS.charactersMax) return problem(`a test report has at most ${LIMITS.charactersMax} bytes`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(xml);
  } catch {
    return problem("a test report must be UTF-8");
  }
  const reader = new ReportReader(options.skipped ?? "warn");
  try {
    for (const event of scanXml(text, LIMITS)) {
      const wrong = reader.take(event);
      if (wrong !== null) return problem(wrong);
    }
  } catch (error) {
    if (error instanceof XmlProblem) return problem(`line ${error.line}: ${error.message}`);
    throw error;
  }
  return reader.finish(`sha256:${createHash("sha256").update(xml).digest("hex")}`);
}

/**
 * The predicate for a report. Names, messages and output of tests may hold personal data, and stay behind: a case is
 * named by its place in the report, and the report by its digest.
 */
export function testResultOf(report: JunitReport, configuration: TestResult["configuration"] = []): TestResult {
  const named = report.outcomes.map((outcome, index) => ({ outcome, name: `case-${index + 1}` }));
  const of = (wanted: CaseOutcome): string[] =>
    named.filter(({ outcome }) => outcome === wanted).map(({ name }) => name);
  const reportDigest = { name: "junit", digest: { sha256: report.digest.slice("sha256:".length) } };
  return {
    result: report.result,
    configuration: [...configuration, reportDigest],
    passedTests: of("passed"),
    warnedTests: of("warned"),
    failedTests: of("failed"),
  };
}

const LIMITS: XmlLimits = {
  charactersMax: 32 * 1024 * 1024,
  depthMax: 64,
  attributesMax: 64,
  elementsMax: 1_000_000,
};
const CASES_MAX = 100_000;

/** A suite that is open, with what it says of itself and what was found in it. */
interface OpenSuite {
  tests: number;
  broken: number;
  casesBefore: number;
  failuresBefore: number;
}

class ReportReader {
  readonly #skipped: "warn" | "leave-out";
  readonly #outcomes: CaseOutcome[] = [];
  readonly #suites: OpenSuite[] = [];
  #cases = 0;
  #failures = 0;
  /** The case that is open; null between cases. */
  #case: CaseOutcome | "skipped" | null = null;

  constructor(skipped: "warn" | "leave-out") {
    this.#skipped = skipped;
  }

  /** Null, or what makes the report unusable. */
  take(event: XmlEvent): string | null {
    switch (event.name) {
      case "testsuites":
      case "testsuite":
        return event.type === "open" ? this.#openSuite(event.attributes) : this.#closeSuite();
      case "testcase":
        return event.type === "open" ? this.#openCase(event.attributes) : this.#closeCase();
      default:
        return event.type === "open" ? this.#note(event.name) : null;
    }
  }

  finish(digest: string): Parsed<JunitReport> {
    if (this.#cases === 0) return problem("the report holds no test case: nothing was tested");
    const count = (wanted: CaseOutcome): number => this.#outcomes.filter((outcome) => outcome === wanted).length;
    const [passed, warned, failed] = [count("passed"), count("warned"), count("failed")];
    if (passed + warned + failed === 0) return problem("every test of the report was skipped: nothing was tested");
    // A suite can break without any of its cases being at fault, in its set-up for example.
    const result = this.#failures > 0 ? "FAILED" : warned > 0 ? "WARNED" : "PASSED";
    return { ok: true, value: { result, passed, warned, failed, digest, outcomes: this.#outcomes } };
  }

  #openSuite(attributes: ReadonlyMap<string, string>): string | null {
    if (this.#case !== null) return "a test suite stands inside a test case";
    const [tests, failures, errors] = ["tests", "failures", "errors"].map((name) => readCount(attributes.get(name)));
    if (tests === undefined || failures === undefined || errors === undefined)
      return "a suite's counts must be whole numbers";
    this.#suites.push({ tests, broken: failures + errors, casesBefore: this.#cases, failuresBefore: this.#failures });
    return null;
  }

  #closeSuite(): string | null {
    const suite = this.#suites.pop();
    const cases = this.#cases - (suite?.casesBefore ?? 0);
    if (suite === undefined || suite.tests > cases)
      return `a suite counts ${suite?.tests ?? 0} tests and holds ${cases}: some are missing`;
    // What a suite says against itself is believed, even where no case shows it.
    if (suite.broken > 0 && this.#failures === suite.failuresBefore) this.#failures += 1;
    return null;
  }

  #openCase(attributes: ReadonlyMap<string, string>): string | null {
    if (this.#case !== null) return "a test case stands inside another";
    if (this.#suites.length === 0) return "the root must be testsuites or testsuite";
    this.#cases += 1;
    if (this.#cases > CASES_MAX) return `a report has at most ${CASES_MAX} test cases`;
    this.#case = NOT_RUN.has(attributes.get("status")?.toLowerCase() ?? "") ? "skipped" : "passed";
    return null;
  }

  #closeCase(): string | null {
    const outcome = this.#case;
    this.#case = null;
    if (outcome === "failed") this.#failures += 1;
    if (outcome === "skipped" && this.#skipped === "leave-out") return null;
    if (outcome !== null) this.#outcomes.push(outcome === "skipped" ? "warned" : outcome);
    return null;
  }

  #note(element: string): string | null {
    if (this.#suites.length === 0) return "the root must be testsuites or testsuite";
    if (element === "failure" || element === "error") {
      if (this.#case === null) this.#failures += 1;
      else this.#case = "failed";
    } else if (this.#case !== null && this.#case !== "failed") {
      if (element === "skipped") this.#case = "skipped";
      else if (FLAKY.has(element)) this.#case = "warned";
    }
    return null;
  }
}

/** GoogleTest's and others' words for a case that was listed and not run. */
const NOT_RUN: ReadonlySet<string> = new Set(["notrun", "skipped", "disabled"]);
/** Surefire's words for a case that failed first and passed when it was tried again. */
const FLAKY: ReadonlySet<string> = new Set(["flakyFailure", "flakyError"]);

function readCount(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return 0;
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : undefined;
}

function problem(message: string): Parsed<never> {
  return { ok: false, problem: { path: "", message } };
}
