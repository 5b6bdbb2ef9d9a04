import { type Advance, advance } from "../../src/core/rollout/advance.ts";
import type { Rollout, RolloutEvent } from "../../src/core/rollout/rollout.ts";

/** Ways in which the program could be wrong, each with the words by which the simulation must tell it. */
export const MUTANTS = {
  "old-generations": { what: "a target takes effects of any generation", rule: /undoes what came after it/ },
  "no-fence": { what: "an answer is taken whoever holds the job", rule: /refused the answer|took the answer/ },
  "job-lost": { what: "jobs are queued outside the commit, and one is lost", rule: /0 jobs while \w+ is outstanding/ },
  "obsolete-job-kept": { what: "a replaced command keeps its job", rule: /[12] jobs while/ },
  "cause-twice": { what: "a signal that is sent again counts again", rule: /a cause was applied twice/ },
  "state-without-event": { what: "a commit happens by half", rule: /a state without its event/ },
  "lost-update": { what: "an answer overwrites what came meanwhile", rule: /the events have a gap|took the answer/ },
  "early-approval-forgotten": { what: "an approval before the decision is dropped", rule: /and still waits/ },
  "slot-unwatched": { what: "nobody looks whether the endpoint is free", rule: /two rollouts hold one endpoint/ },
  "queue-forgotten": { what: "a free slot is given to nobody", rule: /waits for an endpoint that is free/ },
  "deadline-forgotten": { what: "the timers are lost", rule: /goes on past its deadline|is overdue for approval/ },
  "fresh-keys": { what: "each try of an effect has a key of its own", rule: /was never ordered/ },
  "rollback-skipped": { what: "a rollback is reported and not done", rule: /was rolled back/ },
  "inconclusive-passes": {
    what: "what cannot be measured counts as good",
    rule: /succeeded although it is (silent|bad)/,
  },
  "bake-cut": { what: "a pass ends a bake before its time", rule: /left its bake before it was over/ },
  "reconcile-missing": { what: "nobody cleans up after a failed rollback", rule: /never became what is wanted/ },
} as const satisfies Record<string, { what: string; rule: RegExp }>;

export type Mutant = keyof typeof MUTANTS;
export type AdvanceFunction = (rollout: Rollout, event: RolloutEvent) => Advance;

/** The reducer with one thing wrong; the right one for mutants that are elsewhere. */
export function mutatedAdvance(mutant: Mutant | undefined): AdvanceFunction {
  if (mutant === "early-approval-forgotten") return forgetful;
  if (mutant === "inconclusive-passes") return credulous;
  if (mutant === "bake-cut") return hasty;
  return advance;
}

const forgetful: AdvanceFunction = (rollout, event) => {
  const answer = advance(rollout, event);
  if (event.type !== "approved" || rollout.phase !== "Proposed" || !answer.accepted) return answer;
  return { ...answer, rollout: { ...answer.rollout, approvals: rollout.approvals } };
};

const credulous: AdvanceFunction = (rollout, event) =>
  event.type === "watched" && event.verdict.outcome === "inconclusive"
    ? advance(rollout, { ...event, verdict: { ...event.verdict, outcome: "pass" } })
    : advance(rollout, event);

const hasty: AdvanceFunction = (rollout, event) =>
  event.type === "watched" && event.verdict.outcome === "pass" && rollout.bake !== null
    ? advance({ ...rollout, bake: { ...rollout.bake, startedAtMs: Number.MIN_SAFE_INTEGER } }, event)
    : advance(rollout, event);
