import { seededDraws } from "../../../src/core/monitor/sketch/seeded-draws.ts";
import { classifierOnnx, logisticMarginGraph } from "../../../src/quickstart/training/classifier-export.ts";
import type { Dataset } from "../../../src/quickstart/training/dataset.ts";
import { logisticMargin, trainLogisticRegression } from "../../../src/quickstart/training/logistic-regression.ts";
import { sigmoid } from "../../../src/quickstart/training/metrics.ts";

interface Customer {
  age: number;
  balance: number;
  visits: number;
  churned: 0 | 1;
}

export interface MonitoredExample {
  model: Uint8Array;
  /** Tables as text, by their file's name. */
  tables: Readonly<Record<"train.csv" | "today.csv" | "shifted.csv", string>>;
  /** What the model answers for rows that it never saw, with the truth. */
  unseen: Dataset;
  probability(row: ArrayLike<number>): number;
}

const COLUMNS = ["age", "balance", "visits"];

/**
 * The files of examples/monitored-plan, made up and always the same: who trains a model by drawing customers knows that
 * the table of today is like the table of training, and what is wrong with the one that is shifted.
 */
export function monitoredExample(): MonitoredExample {
  const trained = customers({ seed: 1, count: 1500 });
  const today = customers({ seed: 2, count: 1200 });
  const dataset = datasetOf(trained);
  const model = trainLogisticRegression(dataset, { columns: [0, 1, 2], steps: 600, stepSize: 0.3, penalty: 0.001 });
  const probability = (row: ArrayLike<number>) => sigmoid(logisticMargin(model, row));
  const table = (rows: readonly Customer[]) => csvOf(rows, probability);
  return {
    model: classifierOnnx({ name: "churn", featureNames: COLUMNS, labelName: "churned" }, logisticMarginGraph(model)),
    tables: {
      "train.csv": table(trained),
      "today.csv": table(today),
      // Another system tells balances now, in another currency; customers behave as ever.
      "shifted.csv": table(
        customers({ seed: 3, count: 1200 }).map((customer) => ({
          ...customer,
          balance: cents(customer.balance * 1.6),
        })),
      ),
    },
    unseen: datasetOf(today),
    probability,
  };
}

function customers({ seed, count }: { seed: number; count: number }): Customer[] {
  const uniform = seededDraws(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return Array.from({ length: count }, () => {
    const age = Math.round(Math.min(90, Math.max(18, 46 + 14 * normal())));
    const balance = cents(Math.exp(7 + 0.8 * normal()));
    const visits = Math.round(Math.max(0, 6 + 3 * normal()));
    const margin = 0.3 - 0.035 * (age - 46) - 0.9 * (Math.log(balance) - 7) - 0.45 * (visits - 6);
    return { age, balance, visits, churned: uniform() < sigmoid(margin) ? 1 : 0 };
  });
}

function datasetOf(rows: readonly Customer[]): Dataset {
  return {
    featureNames: COLUMNS,
    labelName: "churned",
    rows: rows.map(({ age, balance, visits }) => Float32Array.of(age, balance, visits)),
    labels: rows.map(({ churned }) => churned),
  };
}

function csvOf(rows: readonly Customer[], probability: (row: ArrayLike<number>) => number): string {
  const lines = rows.map(({ age, balance, visits, churned }) =>
    [
      ...[age, balance, visits, age < 40 ? "under-40" : "from-40"],
      ...[probability(Float32Array.of(age, balance, visits)).toFixed(4), churned],
    ].join(","),
  );
  return `${[...COLUMNS, "age_group", "probability", "churned"].join(",")}\n${lines.join("\n")}\n`;
}

function cents(amount: number): number {
  return Math.round(amount * 100) / 100;
}
