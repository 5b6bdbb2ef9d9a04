import type { Mutant } from "./mutants.ts";
import type { Strategy } from "./people.ts";

/**
 * Bugs that were found once, by a simulation, by a test with real processes or by a person, and what brings each back.
 * A seed means something only to the program and the simulation as they are: when they change, the test looks for the
 * next one that shows the bug and says which it is.
 */
export interface Regression {
  name: string;
  /** What it was, and how it showed. */
  what: string;
  /** The bug, put back. */
  mutant: Mutant;
  strategy: Strategy;
  /** A run in which it shows. */
  seed: number;
}

export const REGRESSIONS: readonly Regression[] = [
  {
    name: "an approval that came before the wait for it",
    what: "It was dropped as making no sense yet, and the rollout waited for ever for what it had been given.",
    ...{ mutant: "early-approval-forgotten", strategy: "canary", seed: 2 },
  },
  {
    name: "a command that a queue refused",
    what: "Jobs were put into a queue with a policy of its own, which answered null for one and lost the command.",
    ...{ mutant: "job-lost", strategy: "linear", seed: 1 },
  },
  {
    name: "a candidate that nobody took away",
    what: "Its rollback failed for good, the rollout ended in Failed, and it kept its replicas and its share of traffic.",
    ...{ mutant: "reconcile-missing", strategy: "all-at-once", seed: 17 },
  },
];
