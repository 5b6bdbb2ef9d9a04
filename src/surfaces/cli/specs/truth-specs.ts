import type { CommandSpec } from "../command-spec.ts";
import { ENDPOINT, ENDPOINT_NAME } from "./shared-options.ts";

/** What people and pipelines tell the monitor. */
export const TRUTH_COMMANDS: readonly CommandSpec[] = [
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
