import { z } from "zod";
import type { Parsed } from "../../error.ts";
import type { ColumnAccumulator } from "./column-accumulator.ts";
import { readShape, statisticsParts } from "./statistics-file.ts";

/**
 * `constraints.json` as SageMaker Model Monitor writes and reads it (Developer Guide, "Schema for Constraints"), with
 * its documented defaults for what a file leaves out.
 */
const share = z.number().min(0).max(1);
const switched = z.enum(["Enabled", "Disabled"]);

const distributionSchema = z.object({
  perform_comparison: switched.optional(),
  comparison_threshold: z.number().min(0).optional(),
  comparison_method: z.enum(["Simple", "Robust"]).optional(),
  categorical_comparison_threshold: z.number().min(0).optional(),
  categorical_drift_method: z.enum(["LInfinity", "ChiSquared"]).optional(),
});

const configSchema = z.object({
  evaluate_constraints: switched.optional(),
  emit_metrics: switched.optional(),
  datatype_check_threshold: share.optional(),
  domain_content_threshold: share.optional(),
  distribution_constraints: distributionSchema.optional(),
});

const featureSchema = z.object({
  name: statisticsParts.name,
  inferred_type: statisticsParts.inferredType,
  completeness: share.optional(),
  num_constraints: z.object({ is_non_negative: z.boolean().optional() }).optional(),
  string_constraints: z.object({ domains: z.array(z.string()).max(100_000).optional() }).optional(),
  /** What is to be otherwise for this column. */
  monitoringConfigOverrides: configSchema.optional(),
});

const constraintsSchema = z.object({
  version: z.number(),
  features: z.array(featureSchema).min(1).max(10_000),
  monitoring_config: configSchema.optional(),
});

export type DatasetConstraints = z.infer<typeof constraintsSchema>;
export type FeatureConstraints = z.infer<typeof featureSchema>;
export type MonitoringConfig = z.infer<typeof configSchema>;

/** A column with at most so many values, each ten times as often on average, is a list of them. */
const DOMAIN_MAX = 100;
const ROWS_PER_VALUE = 10;

export function readConstraints(text: string): Parsed<DatasetConstraints> {
  return readShape(text, constraintsSchema, "a constraints.json of a data set");
}

/** What the table itself holds to, as a proposal: a person may change the file before anything is checked with it. */
export function suggestedConstraints(columns: readonly ColumnAccumulator[]): DatasetConstraints {
  return {
    version: 0,
    features: columns.map(featureConstraints),
    monitoring_config: {
      evaluate_constraints: "Enabled",
      emit_metrics: "Enabled",
      datatype_check_threshold: 1,
      domain_content_threshold: 1,
      distribution_constraints: {
        perform_comparison: "Enabled",
        comparison_threshold: 0.1,
        comparison_method: "Robust",
        categorical_comparison_threshold: 0.1,
        categorical_drift_method: "LInfinity",
      },
    },
  };
}

function featureConstraints(column: ColumnAccumulator): FeatureConstraints {
  const { name, inferredType, present, rows } = column;
  const feature = { name, inferred_type: inferredType, completeness: rows === 0 ? 0 : present / rows };
  if (inferredType === "Unknown") return feature;
  if (inferredType !== "String") return { ...feature, num_constraints: { is_non_negative: column.moments.min >= 0 } };
  const isList = column.hasExactValues && column.distinct <= DOMAIN_MAX && column.distinct * ROWS_PER_VALUE <= present;
  return isList
    ? {
        ...feature,
        string_constraints: {
          domains: column
            .topValues()
            .map(({ value }) => value)
            .sort(),
        },
      }
    : feature;
}
