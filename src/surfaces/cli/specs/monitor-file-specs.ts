import type { CommandSpec, OptionSpec } from "../command-spec.ts";

const TABLE: OptionSpec = {
  flags: "-f, --file <file>",
  description: "the table: CSV with a header, JSON Lines (either also packed with gzip) or Parquet",
  required: true,
};
const LABEL: OptionSpec = {
  flags: "--label <column>",
  description: "a column that the model is not given, left out; may be given several times",
  repeatable: true,
};

/** The commands of `monitor` that need no server. */
export const monitorFileCommands: readonly CommandSpec[] = [
  {
    path: "monitor baseline",
    summary: "Write a table's statistics.json and constraints.json, in SageMaker Model Monitor's form",
    details:
      "The table is read once from its beginning to its end, whatever its size. -o names the folder for the two files\n" +
      "(with a slash or a dot in it); without it they go to this one. Nothing is overwritten.",
    options: [TABLE, LABEL],
    outputTakesFile: true,
    examples: ["monitor baseline -f train.csv --label churned -o ./baseline", "monitor baseline -f train.parquet"],
    load: async () => (await import("../commands/monitor-baseline.ts")).monitorBaseline,
  },
  {
    path: "monitor check",
    summary: "Check a table against a baseline and write constraint_violations.json; exit code 2 with violations",
    details:
      "The baseline may be SageMaker's own. Checks: data_type_check, completeness_check, baseline_drift_check,\n" +
      "missing_column_check, extra_column_check, categorical_values_check, by the thresholds of constraints.json.",
    options: [
      TABLE,
      { flags: "--baseline <path>", description: "the folder with both files, or a statistics.json", required: true },
      { flags: "--constraints <file>", description: "the constraints.json, where it is not in that folder" },
      { flags: "--report <file>", description: "what to write instead of constraint_violations.json" },
      LABEL,
    ],
    examples: [
      "monitor check -f today.parquet --baseline ./baseline",
      "monitor check -f today.csv --baseline statistics.json --constraints constraints.json -o json",
    ],
    load: async () => (await import("../commands/monitor-check.ts")).monitorCheck,
  },
];
