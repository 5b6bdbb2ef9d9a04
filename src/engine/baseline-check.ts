import { type BaselineFit, baselineFit } from "../core/baseline/baseline-fit.ts";
import type { Plan } from "../core/plan/schema.ts";
import { loadBaseline } from "../tables/load-baseline.ts";

/**
 * Whether a baseline artifact (a table or a statistics.json) is of what the model takes: `problem` is one sentence. Both
 * are whole bytes, as the store has authenticated them.
 */
export async function checkBaseline(given: {
  model: Uint8Array;
  baseline: Uint8Array;
  monitor: Plan["spec"]["monitor"];
}): Promise<BaselineFit> {
  const loaded = await loadBaseline(given.baseline);
  if (!loaded.ok) return { fits: false, problem: `The baseline cannot be used: ${loaded.problem.message}.` };
  return baselineFit({ model: given.model, columns: loaded.value.columns, monitor: given.monitor });
}
