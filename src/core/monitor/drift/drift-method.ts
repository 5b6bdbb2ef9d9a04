import type { DriftMethod, DriftSettings } from "../../plan/monitor-settings.ts";
import type { ColumnProfile } from "../sketch/column-profile.ts";

/**
 * From which distance on a column has drifted, where a plan does not say.
 *
 * - `ks` and `l-infinity` 0.1: a tenth of the rows lies elsewhere; SageMaker Model Monitor's `comparison_threshold`.
 * - `psi` 0.2: between the 0.1 and the 0.25 of the credit business (Siddiqi 2006), as Evidently's and others' guides say.
 * - `jensen-shannon` 0.1: NannyML's and Evidently's, in base 2 as NannyML has it.
 * - `wasserstein` 0.1 of the baseline's standard deviations: Evidently's.
 * - `chi-square` 0.1: Cramer's V, a small effect by Cohen (Statistical Power Analysis (1988), 7.2).
 */
export const THRESHOLDS: Readonly<Record<DriftMethod, number>> = {
  ks: 0.1,
  psi: 0.2,
  "jensen-shannon": 0.1,
  wasserstein: 0.1,
  "chi-square": 0.1,
  "l-infinity": 0.1,
};

export interface ChosenMethod {
  method: DriftMethod;
  threshold: number;
}

/**
 * What decides for this column: what the plan names for it, else what it names for all, else Wasserstein for numbers
 * and Jensen-Shannon for categories. A method that a column cannot have, because categories have no order and a
 * constant no deviation, gives way: to Jensen-Shannon for categories, to Kolmogorov-Smirnov for a constant baseline.
 */
export function methodsFor(profile: ColumnProfile, settings: DriftSettings): ChosenMethod[] {
  const own = settings.columns[profile.name];
  const usual: DriftMethod = profile.kind === "category" ? "jensen-shannon" : "wasserstein";
  const chosen: { method: DriftMethod; threshold: number | null }[] =
    own?.method !== undefined
      ? [{ method: own.method, threshold: own.threshold ?? null }]
      : settings.methods.length > 0
        ? settings.methods.map(({ method, threshold }) => ({ method, threshold: own?.threshold ?? threshold }))
        : [{ method: usual, threshold: own?.threshold ?? settings.threshold }];
  const possible = chosen.map(({ method, threshold }) => {
    const instead = substitute(method, profile);
    // A limit in another unit than the plan meant would be a wrong one.
    return { method: instead, threshold: (instead === method ? threshold : null) ?? THRESHOLDS[instead] };
  });
  return possible.filter(({ method }, index) => possible.findIndex((other) => other.method === method) === index);
}

function substitute(method: DriftMethod, profile: ColumnProfile): DriftMethod {
  if (profile.kind === "category") return method === "wasserstein" || method === "ks" ? "jensen-shannon" : method;
  return method === "wasserstein" && !((profile.standardDeviation ?? 0) > 0) ? "ks" : method;
}
