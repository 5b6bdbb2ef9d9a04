import type { TargetName } from "../core/plan/schema.ts";

/** The targets that this build has a driver for; the others can be planned and checked, and are refused when submitted. */
export const DRIVEN_TARGETS = ["local", "simulated"] as const satisfies readonly TargetName[];
export type DrivenTarget = (typeof DRIVEN_TARGETS)[number];
