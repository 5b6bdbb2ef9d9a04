import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildProgram, type Invocation } from "./program.ts";
import { COMMAND_GROUPS } from "./specs/command-groups.ts";
import { runForTest } from "./testing/run-for-test.ts";

// The help teaches by example, so an example that is no command line teaches a mistake.

const PLAN = `apiVersion: continuum/v1
kind: DeploymentPlan
metadata: { name: churn }
spec:
  environment: development
  model: { name: churn, version: 3.1.0, artifact: "file:./model.onnx" }
  compute: { instanceType: ml.m5.large }
  rollback: { alarms: [ModelMonitorAlarm, DataDriftAlarm] }
`;
const specs = COMMAND_GROUPS.flatMap((group) => group.commands);
const examples = specs.flatMap((spec) => spec.examples.map((line) => [line, spec] as const));
/** Those that need neither a server nor a key nor a folder of one's own policies. */
const RUNNABLE =
  /^(plan (check|explain)(?!.*--rollout)|plan diff .*--against|policy (list|lint|test)$|prices show$|config (check$|schema)|completion|keys generate .*env)/;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-examples-"));
  for (const file of ["plan.yaml", "old.yaml"]) writeFileSync(join(folder, file), PLAN);
  writeFileSync(join(folder, "model.onnx"), "not really a model\n");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As a shell would cut it; what comes after `<`, `>` or `|` is the shell's own. */
function wordsOf(line: string): string[] {
  const words = line.match(/"[^"]*"|'[^']*'|\S+/g) ?? [];
  const end = words.findIndex((word) => /^[<>|]/.test(word));
  return words.slice(0, end === -1 ? undefined : end).map((word) => word.replace(/^(["'])(.*)\1$/, "$2"));
}

describe("the examples of the help", () => {
  it.each(specs.map((spec) => [spec.path, spec] as const))("`%s` has at least one", (_path, spec) => {
    expect(spec.examples.length).toBeGreaterThan(0);
    expect(spec.examples.filter((line) => !line.startsWith(spec.path))).toEqual([]);
  });

  it.each(examples)("`continuum %s` is a command line", (line, spec) => {
    let found: Invocation | undefined;
    const silent = () => undefined;
    const program = buildProgram({
      groups: COMMAND_GROUPS,
      version: "1",
      write: { out: silent, err: silent },
      found: (invocation) => {
        found = invocation;
      },
    });
    program.parse(wordsOf(line), { from: "user" });
    expect(found?.spec.path).toBe(spec.path);
  });

  it.each(examples.filter(([line]) => RUNNABLE.test(line)))("`continuum %s` runs", async (line) => {
    const { code, err } = await runForTest(wordsOf(line), { folder, variables: { KEY_PASSWORD: "pw" }, stdin: PLAN });
    expect([0, 2, 3], err).toContain(code);
  });
});
