import type { Parsed } from "../error.ts";
import { type JunitOptions, type JunitReport, readJunit, testResultOf } from "./junit.ts";
import { type ResourceDescriptor, STATEMENT_TYPE, type Statement, TEST_RESULT_TYPE } from "./statement.ts";

export interface TestResultInput extends JunitOptions {
  /** The bytes of the JUnit XML report. */
  junit: Uint8Array;
  /** What was tested: `sha256:...` of the artifact's or the plan's bytes, with a name for people. */
  subjects: readonly { name?: string; digest: string }[];
  /** What the tests ran with. */
  configuration?: readonly ResourceDescriptor[];
}

/** The statement for `attest --junit`, ready to be signed. It tells failed tests as well: a verifier decides. */
export function buildTestResult(input: TestResultInput): Parsed<{ statement: Statement; report: JunitReport }> {
  if (input.subjects.length === 0)
    return { ok: false, problem: { path: "/subjects", message: "must name what was tested" } };
  const bad = input.subjects.findIndex(({ digest }) => !/^sha256:[0-9a-f]{64}$/.test(digest));
  if (bad !== -1) {
    return {
      ok: false,
      problem: { path: `/subjects/${bad}`, message: "must be sha256: and 64 hexadecimal digits in lower case" },
    };
  }
  const report = readJunit(input.junit, input);
  if (!report.ok) return { ok: false, problem: { path: "/junit", message: report.problem.message } };
  const statement: Statement = {
    _type: STATEMENT_TYPE,
    subject: input.subjects.map(({ name, digest }) => ({
      ...(name === undefined ? {} : { name }),
      digest: { sha256: digest.slice("sha256:".length) },
    })),
    predicateType: TEST_RESULT_TYPE,
    predicate: testResultOf(report.value, [...(input.configuration ?? [])]),
  };
  return { ok: true, value: { statement, report: report.value } };
}
