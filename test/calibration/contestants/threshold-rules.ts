import { NEVER, type Rule } from "./contestant.ts";

/**
 * Rules that hold one number against a limit, once a minute, and give up after so many breaches. The candidate's success
 * has to be at least 99 % of a minute, as in the examples of Flagger's documentation of its built-in metric
 * (docs.flagger.app, "Metrics Analysis"). A minute without requests breaches nothing.
 *
 * - Flagger rolls back when the number of failed checks reaches `analysis.threshold`, 5 in those examples.
 * - An Argo Rollouts measurement that misses its `successCondition` counts as failed; the analysis fails, and the
 *   rollout with it, when more than `failureLimit` have (argo-rollouts.readthedocs.io, "Analysis"): 0 by default.
 */
const SUCCESS_MIN = 0.99;

export function thresholdRule({ breaches }: { breaches: number }): Rule {
  return ({ minutes }) => {
    let seen = 0;
    for (let minute = 0; minute < minutes.count; minute += 1) {
      const requests = minutes.candidate.requests[minute] ?? 0;
      if (requests === 0) continue;
      if (1 - (minutes.candidate.errors[minute] ?? 0) / requests < SUCCESS_MIN) seen += 1;
      if (seen >= breaches) return minutes.soFar[minute] ?? 0;
    }
    return NEVER;
  };
}
