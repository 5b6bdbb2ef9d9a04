import type { DoctorFinding } from "../../../core/doctor/finding.ts";
import { runCli } from "../cli.ts";
import type { Injected, QuickstartOptions, StartOptions } from "../injected.ts";
import type { Io } from "../io.ts";

export interface TestRun {
  code: number;
  out: string;
  err: string;
  started: StartOptions[];
  quickstarted: QuickstartOptions[];
}

/** Runs one command line in this process, in a folder of the test's, and keeps what it wrote. */
export async function runForTest(
  argv: string[],
  options: {
    folder: string;
    variables?: Record<string, string>;
    stdin?: string;
    terminal?: boolean;
    findings?: DoctorFinding[];
    /** What maintains a set-up; left out, a command that does fails. */
    maintenance?: Injected["maintenance"];
  },
): Promise<TestRun> {
  const run: TestRun = { code: -1, out: "", err: "", started: [], quickstarted: [] };
  const io: Io = {
    out: async (text) => {
      run.out += typeof text === "string" ? text : Buffer.from(text).toString("utf8");
    },
    err: (text) => {
      run.err += text;
    },
    stdin: (async function* () {
      yield Buffer.from(options.stdin ?? "");
    })(),
    stdoutIsTerminal: options.terminal ?? false,
    stderrIsTerminal: options.terminal ?? false,
    stdinIsTerminal: false,
    environment: {
      variables: options.variables ?? {},
      homeDir: options.folder,
      workingDir: options.folder,
      hostName: "host-1",
    },
  };
  run.code = await runCli(argv, {
    version: "1.2.3",
    targets: ["local", "simulated"],
    io,
    start: async (given) => {
      run.started.push(given);
      return 0;
    },
    doctor: async () => options.findings ?? [],
    quickstart: async (given) => {
      run.quickstarted.push(given);
      return 0;
    },
    maintenance:
      options.maintenance ??
      (async () => {
        throw new Error("a test that maintains a set-up runs the program");
      }),
  });
  return run;
}
