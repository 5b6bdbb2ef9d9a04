import type { Environment, TargetName } from "../../../core/plan/schema.ts";

// The same words as in the plan's schema, which is not loaded for help; the compiler holds the two together.
export const ENVIRONMENT_NAMES = ["development", "staging", "production"] as const satisfies readonly Environment[];
export const TARGET_NAMES = ["local", "sagemaker", "braket", "simulated"] as const satisfies readonly TargetName[];
