import { describe, expect, it } from "vitest";
import { QualityBet, type TruthedAnswer } from "./quality-bet.ts";
import { SeededDraws } from "./urn-draws.ts";

interface Stream {
  seed: number;
  requests: number;
  kind?: "classes" | "numbers";
  loss: (options: { candidate: boolean; draws: SeededDraws }) => number | null;
}

function answers({ seed, requests, loss }: Stream): TruthedAnswer[] {
  const draws = new SeededDraws(seed);
  return Array.from({ length: requests }, (_, n) => {
    const candidate = draws.next() < 0.2;
    return { candidate, probability: 0.2, requestedAtMs: 100 * (n + 1), loss: loss({ candidate, draws }) };
  });
}

function scored(stream: Stream): QualityBet {
  const bet = new QualityBet({ kind: stream.kind ?? "classes" });
  bet.score({ toMs: 100 * stream.requests, answers: answers(stream) });
  return bet;
}

describe("the bet on delayed quality", () => {
  it("is seldom sure when both arms are as good", () => {
    let alarms = 0;
    for (let seed = 1; seed <= 300; seed += 1) {
      const bet = scored({ seed, requests: 2000, loss: ({ draws }) => (draws.next() < 0.1 ? 1 : 0) });
      if (bet.evidence >= 20) alarms += 1;
    }
    expect(alarms).toBeLessThanOrEqual(27);
  });

  it("finds a candidate that is wrong twice as often, and one whose errors are larger", () => {
    const wrong = scored({
      seed: 1,
      requests: 6000,
      loss: ({ candidate, draws }) => (draws.next() < (candidate ? 0.2 : 0.1) ? 1 : 0),
    });
    const larger = scored({
      seed: 2,
      requests: 6000,
      kind: "numbers",
      loss: ({ candidate, draws }) => (candidate ? 1.5 : 1) * draws.next(),
    });
    expect(wrong.evidence).toBeGreaterThan(1000);
    expect(larger.evidence).toBeGreaterThan(1000);
    expect(wrong.samples.candidate.meanLoss).toBeCloseTo(0.2, 1);
    expect(wrong.coverageDiffers).toBe(false);
  });

  it("gives no verdict when one arm's truth is known more often", () => {
    const loss = ({ candidate, draws }: { candidate: boolean; draws: SeededDraws }) =>
      draws.next() < (candidate ? 0.9 : 0.6) ? (draws.next() < 0.1 ? 1 : 0) : null;
    const bet = scored({ seed: 3, requests: 4000, loss });
    expect(bet.coverageDiffers).toBe(true);
    expect(bet.samples.stable.labelled / bet.samples.stable.answered).toBeCloseTo(0.6, 1);
    let voided = 0;
    for (let seed = 1; seed <= 200; seed += 1) {
      const alike = scored({ seed, requests: 2000, loss: ({ draws }) => (draws.next() < 0.6 ? 0 : null) });
      if (alike.coverageDiffers) voided += 1;
    }
    // At a true chance of 1 %, more than 7 of 200 come in one case of a thousand.
    expect(voided).toBeLessThanOrEqual(7);
  });

  it("scores every request once, at one age, and refuses what comes again or too late", () => {
    const bet = new QualityBet({ kind: "classes" });
    const all = answers({ seed: 4, requests: 10, loss: () => 1 });
    expect(bet.score({ toMs: 600, answers: all })).toEqual({ scored: 6, refused: 4 });
    const before = bet.evidence;
    expect(bet.score({ toMs: 600, answers: all })).toEqual({ scored: 0, refused: 10 });
    expect(bet.evidence).toBe(before);
    expect(bet.score({ toMs: 1000, answers: all })).toEqual({ scored: 4, refused: 6 });
    expect(bet.samples.candidate.answered + bet.samples.stable.answered).toBe(10);
    // A clock that was set back moves nothing.
    bet.score({ toMs: 100, answers: [] });
    expect(bet.scoredToMs).toBe(1000);
  });

  it.each(["classes", "numbers"] as const)("goes on from its state as if it had never stopped: %s", (kind) => {
    const all = answers({ seed: 5, requests: 2000, loss: ({ draws }) => (draws.next() < 0.5 ? draws.next() : null) });
    const one = new QualityBet({ kind });
    one.score({ toMs: 100_000, answers: all });
    const two = QualityBet.fromState({ kind }, JSON.parse(JSON.stringify(one.toState())));
    for (const bet of [one, two]) bet.score({ toMs: 200_000, answers: all });
    expect(two.toState()).toEqual(one.toState());
    const other = kind === "classes" ? "numbers" : "classes";
    expect(() => QualityBet.fromState({ kind: other }, one.toState())).toThrow(RangeError);
  });
});
