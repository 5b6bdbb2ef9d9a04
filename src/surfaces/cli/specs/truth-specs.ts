import { PROBLEMS } from "../../../core/plan/monitor-schema.ts";
import type { CommandSpec } from "../command-spec.ts";
import { ENDPOINT, ENDPOINT_NAME } from "./shared-options.ts";

/** What people and pipelines tell the monitor of the truth, and what follows from a table that holds it. */
export const TRUTH_COMMANDS: readonly CommandSpec[] = [
  {
    path: "monitor quality",
    summary: "Measure quality and bias of a table with labels and answers; with a baseline, exit code 2 for violations",
    details:
      "Needs no server. Writes statistics.json and constraints.json of a model quality job and, with --facet, analysis.json\n" +
      "of Clarify into the folder of --report. With --baseline such a folder is read, SageMaker's own too, and what is worse\n" +
      "goes to constraint_violations.json.",
    options: [
      { flags: "-f, --file <file>", description: "the table: CSV, JSON Lines or Parquet", required: true },
      { flags: "--label <column>", description: "what is true", required: true },
      { flags: "--prediction <column>", description: "the class or value that was answered" },
      { flags: "--probability <column>", description: "the probability of the positive class" },
      { flags: "--problem <problem>", description: "binary if left out", choices: PROBLEMS },
      { flags: "--positive <value>", description: "the positive class, and the outcome that is wanted (1)" },
      { flags: "--facet <column>", description: "by which bias is measured" },
      {
        flags: "--favoured <value>",
        description: "of the facet, in advantage; may be given several times",
        repeatable: true,
      },
      { flags: "--group <column>", description: "within which the conditional metrics compare" },
      { flags: "--baseline <folder>", description: "compare with constraints.json and analysis.json there" },
      { flags: "--report <folder>", description: "where files are written; none without it" },
    ],
    examples: [
      "monitor quality -f scored.csv --label churned --probability p --report ./quality",
      "monitor quality -f today.csv --label churned --probability p --baseline ./quality --facet sex --favoured m",
    ],
    load: async () => (await import("../commands/monitor-quality.ts")).monitorQuality,
  },
  {
    path: "monitor truth",
    summary: "Say what turned out to be true of earlier answers, from a file of labels by inference id",
    details:
      "JSON Lines of {inferenceId, label} (or labels, facet, group, at), or as SageMaker takes ground truth; or CSV or Parquet\n" +
      "with columns inference_id and label, and if need be facet, group, at, row. The id is the one that the request was sent\n" +
      "with (X-Amzn-SageMaker-Inference-Id), else the x-request-id of its answer. The same label again changes nothing.",
    arguments: [ENDPOINT_NAME],
    options: [
      ...ENDPOINT,
      { flags: "-f, --file <file>", description: "the labels: JSON Lines, CSV or Parquet", required: true },
      { flags: "--id <column>", description: "the column of inference ids, where it has another name" },
      { flags: "--label <column>", description: "the column of labels, where it has another name" },
      { flags: "--from <record>", description: "leave out the records before this one, counted from 1" },
    ],
    examples: [
      "monitor truth churn -e production -f labels.jsonl",
      "monitor truth churn -e production -f outcomes.csv --id order --label churned",
    ],
    load: async () => (await import("../commands/monitor-truth.ts")).monitorTruth,
  },
];
