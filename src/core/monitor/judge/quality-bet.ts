import { ArmBet, EITHER_ODDS } from "./arm-bet.ts";
import type { BetState } from "./judge-state.ts";
import { ScoreBet, type ScoreBetState } from "./score-bet.ts";

/**
 * A bet on which arm answered, given how good the answer turned out to be once the truth was known.
 *
 * Truth comes late, and sooner for some answers than for others, which alone can make two equal versions look
 * different. So every answer is scored once, at the same age (the plan's horizon) in both arms, with the truth that is
 * known then; what comes later is left out for good. For classes the bet is on "the answer was wrong" (the odds bets of
 * `ArmBet`), for numbers on the size of the error being greater (`ScoreBet`).
 *
 * Nothing is said while the arms differ in how many of their answers have a truth: then the known ones are not like the
 * others, and equal versions may look different. That is tested by an always-valid bet of its own on "the truth is
 * known", both ways; its failure voids the result, which it does wrongly with a chance of at most 1 %.
 */
export interface TruthedAnswer {
  candidate: boolean;
  /** With which the request went to the candidate when it was drawn. */
  probability: number;
  requestedAtMs: number;
  /**
   * For classes 0 (right) or 1 (wrong); for numbers the size of the error, not negative. null when no truth was known
   * at the horizon.
   */
  loss: number | null;
}

/** JSON-safe. */
export interface QualityBetState {
  scoredToMs: number;
  outcome: BetState | ScoreBetState;
  coverage: BetState;
  labelled: { candidate: number; stable: number };
  answered: { candidate: number; stable: number };
  loss: { candidate: number; stable: number };
}

/**
 * Its part of the whole chance of a false alarm, `alpha`: it alarms when this times the evidence is `1/alpha`, apart from
 * all other bets. Weighted evidence may be added up where the bets go by one clock, as in the router. This one bets on
 * labels that the bets of the present have long seen, so only the union bound adds their chances up.
 */
export const QUALITY_WEIGHT = 0.1;
/** Chance of voiding a sound result. */
const COVERAGE_ALPHA = 0.01;
const PRIOR_WRONG = 0.1;
const PRIOR_UNKNOWN = 0.5;
const COVERAGE = { priorRate: PRIOR_UNKNOWN, odds: EITHER_ODDS };
const OUTCOME = { priorRate: PRIOR_WRONG };

export class QualityBet {
  readonly #kind: "classes" | "numbers";
  #classes = new ArmBet(OUTCOME);
  #numbers = new ScoreBet({ direction: "greater" });
  #coverage = new ArmBet(COVERAGE);
  #scoredToMs = Number.MIN_SAFE_INTEGER;
  readonly #answered = { candidate: 0, stable: 0 };
  readonly #labelled = { candidate: 0, stable: 0 };
  readonly #loss = { candidate: 0, stable: 0 };

  constructor({ kind }: { kind: "classes" | "numbers" }) {
    this.#kind = kind;
  }

  /** Throws a RangeError for a state of the other kind. */
  static fromState(options: { kind: "classes" | "numbers" }, state: QualityBetState): QualityBet {
    const bet = new QualityBet(options);
    if ("reference" in state.outcome) {
      if (options.kind !== "numbers") throw new RangeError("the state is of a bet on numbers");
      bet.#numbers = ScoreBet.fromState({ direction: "greater" }, state.outcome);
    } else {
      if (options.kind !== "classes") throw new RangeError("the state is of a bet on classes");
      bet.#classes = ArmBet.fromState(state.outcome, OUTCOME);
    }
    bet.#coverage = ArmBet.fromState(state.coverage, COVERAGE);
    bet.#scoredToMs = state.scoredToMs;
    Object.assign(bet.#answered, state.answered);
    Object.assign(bet.#labelled, state.labelled);
    Object.assign(bet.#loss, state.loss);
    return bet;
  }

  toState(): QualityBetState {
    return {
      scoredToMs: this.#scoredToMs,
      outcome: this.#kind === "classes" ? this.#classes.toState() : this.#numbers.toState(),
      coverage: this.#coverage.toState(),
      answered: { ...this.#answered },
      labelled: { ...this.#labelled },
      loss: { ...this.#loss },
    };
  }

  /** Requests up to here have been scored and never will be again. */
  get scoredToMs(): number {
    return this.#scoredToMs;
  }

  /**
   * Scores the answers whose requests came after `scoredToMs` and up to `toMs`, which is the horizon's length before
   * now: all of them in one call, in any order, each once. Answers outside of that are refused and counted in the
   * result, because scoring some answers late would score them by another truth than the others.
   */
  score({ toMs, answers }: { toMs: number; answers: readonly TruthedAnswer[] }): { scored: number; refused: number } {
    const due = answers.filter(({ requestedAtMs }) => requestedAtMs > this.#scoredToMs && requestedAtMs <= toMs);
    // By time, so that a stake rests on the past of both arms alike.
    due.sort((a, b) => a.requestedAtMs - b.requestedAtMs);
    for (const answer of due) this.#scoreOne(answer);
    this.#scoredToMs = Math.max(this.#scoredToMs, toMs);
    return { scored: due.length, refused: answers.length - due.length };
  }

  /** Evidence against "the candidate's answers are no worse"; starts at 1. It counts only while coverage is alike. */
  get evidence(): number {
    return this.#kind === "classes" ? this.#classes.evidence : this.#numbers.evidence;
  }

  /** Whether the share of answers with a known truth was found to differ between the arms: then there is no verdict. */
  get coverageDiffers(): boolean {
    return this.#coverage.evidence >= 1 / COVERAGE_ALPHA;
  }

  get coverageEvidence(): number {
    return this.#coverage.evidence;
  }

  /** Per arm: answers that reached the horizon, those with a truth, and the mean loss of these (null without any). */
  get samples(): Record<"candidate" | "stable", { answered: number; labelled: number; meanLoss: number | null }> {
    const of = (arm: "candidate" | "stable") => ({
      answered: this.#answered[arm],
      labelled: this.#labelled[arm],
      meanLoss: this.#labelled[arm] === 0 ? null : this.#loss[arm] / this.#labelled[arm],
    });
    return { candidate: of("candidate"), stable: of("stable") };
  }

  #scoreOne({ candidate, probability, loss }: TruthedAnswer): void {
    const arm = candidate ? "candidate" : "stable";
    this.#answered[arm] += 1;
    const known = loss !== null && Number.isFinite(loss);
    this.#coverage.update(candidate, probability, known);
    if (!known) return;
    this.#labelled[arm] += 1;
    this.#loss[arm] += loss;
    if (this.#kind === "classes") this.#classes.update(candidate, probability, loss > 0);
    else this.#numbers.update({ candidate, probability, score: loss });
  }
}
