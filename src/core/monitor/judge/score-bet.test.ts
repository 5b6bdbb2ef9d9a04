import { describe, expect, it } from "vitest";
import { ScoreBet, type ScoreDirection } from "./score-bet.ts";
import { ScoreReference } from "./score-bet-reference.ts";
import { Wealth } from "./score-bet-wealth.ts";
import { SeededDraws } from "./urn-draws.ts";

const normal = (draws: SeededDraws) =>
  Math.sqrt(-2 * Math.log(1 - draws.next())) * Math.cos(2 * Math.PI * draws.next());

interface Stream {
  seed: number;
  direction?: ScoreDirection;
  requests: number;
  threshold: number;
  probability?: (n: number) => number;
  score: (options: { candidate: boolean; n: number; draws: SeededDraws }) => number;
}

/** After how many requests the evidence reached the threshold; null when it never did. */
function alarmAt({ seed, direction = "any", requests, threshold, probability = () => 0.1, score }: Stream) {
  const draws = new SeededDraws(seed);
  const bet = new ScoreBet({ direction });
  for (let n = 1; n <= requests; n += 1) {
    const candidate = draws.next() < probability(n);
    bet.update({ candidate, probability: probability(n), score: score({ candidate, n, draws }) });
    if (bet.evidence >= threshold) return n;
  }
  return null;
}

function alarms(streams: number, stream: Omit<Stream, "seed">): number {
  let count = 0;
  for (let seed = 1; seed <= streams; seed += 1) if (alarmAt({ ...stream, seed }) !== null) count += 1;
  return count;
}

describe("the bet on scores", () => {
  it("is not fooled by a trend and bursts that both arms share while the share ramps up", () => {
    const score = ({ n, draws }: { n: number; draws: SeededDraws }) =>
      normal(draws) + n / 1000 + (n % 700 < 60 ? 4 : 0);
    const probability = (n: number) => (n < 800 ? 0.05 : n < 1600 ? 0.25 : 0.5);
    // At a true chance of 5 %, more than 27 of 300 come in one case of 700.
    expect(alarms(300, { requests: 2400, threshold: 20, probability, score })).toBeLessThanOrEqual(27);
  });

  it.each([
    ["a shift of half a deviation", (z: number) => z + 0.5, 1800],
    ["a shift down", (z: number) => z - 0.5, 1800],
    ["a stretch", (z: number) => z * 1.8, 1000],
    ["a squeeze", (z: number) => z / 1.8, 1500],
  ])("finds %s", (_, change, requestsMax) => {
    const score = ({ candidate, draws }: { candidate: boolean; draws: SeededDraws }) =>
      candidate ? change(normal(draws)) : normal(draws);
    for (let seed = 1; seed <= 5; seed += 1) {
      expect(alarmAt({ seed, requests: requestsMax, threshold: 667, score })).not.toBeNull();
    }
  });

  it("does not mind smaller numbers when only greater ones are bad", () => {
    const score = ({ candidate, draws }: { candidate: boolean; draws: SeededDraws }) =>
      candidate ? normal(draws) - 0.5 : normal(draws);
    expect(alarms(20, { direction: "greater", requests: 3000, threshold: 20, score })).toBeLessThanOrEqual(1);
  });

  it("multiplies evidence by a factor whose expectation over the arm is exactly 1", () => {
    for (const score of [-3, -0.4, 0.1, 2.5, 50]) {
      const grownBy = (candidate: boolean) => {
        const draws = new SeededDraws(5);
        const bet = new ScoreBet({ direction: "any" });
        for (let n = 0; n < 300; n += 1) {
          bet.update({ candidate: draws.next() < 0.3, probability: 0.3, score: normal(draws) });
        }
        const before = bet.evidence;
        bet.update({ candidate, probability: 0.3, score });
        return bet.evidence / before;
      };
      expect(0.3 * grownBy(true) + 0.7 * grownBy(false)).toBeCloseTo(1, 12);
    }
  });

  it("goes on from its state as if it had never stopped", () => {
    const draws = new SeededDraws(6);
    const next = () => ({ candidate: draws.next() < 0.4, probability: 0.4, score: Math.round(3 * normal(draws)) });
    const one = new ScoreBet({ direction: "any" });
    for (let n = 0; n < 700; n += 1) one.update(next());
    const two = ScoreBet.fromState({ direction: "any" }, JSON.parse(JSON.stringify(one.toState())));
    for (let n = 0; n < 700; n += 1) {
      const answer = next();
      one.update(answer);
      two.update(answer);
    }
    expect(two.toState()).toEqual(one.toState());
    expect(() => ScoreBet.fromState({ direction: "greater" }, one.toState())).toThrow(RangeError);
  });

  it("learns nothing from numbers that are none, nor where only one arm answers", () => {
    const bet = new ScoreBet({ direction: "any" });
    for (let n = 0; n < 100; n += 1) bet.update({ candidate: false, probability: 0, score: n });
    bet.update({ candidate: true, probability: 0.5, score: Number.NaN });
    bet.update({ candidate: true, probability: 1, score: 1e9 });
    expect(bet.evidence).toBe(1);
    expect(bet.samples).toEqual({ candidate: 1, stable: 100 });
  });
});

describe("what scores are ranked among", () => {
  it("is stable's newest 256, ties counted half", () => {
    const draws = new SeededDraws(7);
    const reference = new ScoreReference();
    const seen: number[] = [];
    for (let n = 0; n < 2000; n += 1) {
      const score = Math.floor(draws.next() * 40);
      const newest = seen.slice(-256);
      const less = newest.filter((one) => one < score).length;
      const equal = newest.filter((one) => one === score).length;
      const expected = newest.length < 20 ? null : (less + equal / 2 + 0.5) / (newest.length + 1);
      expect(reference.rankOf(score)).toBe(expected);
      reference.add(score);
      seen.push(score);
    }
    expect(reference.toState().newest).toEqual(seen.slice(-256));
    expect(() => reference.restore({ newest: [Number.POSITIVE_INFINITY] })).toThrow(RangeError);
  });
});

describe("wealth", () => {
  it("keeps its mean through the fixed share, and lets a late winner win", () => {
    const wealth = new Wealth({ parts: 2, share: 0.01 });
    for (let n = 0; n < 50; n += 1) wealth.grow(Float64Array.of(0.5, 1));
    expect(wealth.evidence).toBeLessThan(0.51);
    expect(wealth.toState().parts.reduce((sum, part) => sum + part, 0) / 2).toBeCloseTo(wealth.evidence, 12);
    for (let n = 0; n < 20; n += 1) wealth.grow(Float64Array.of(2, 1));
    expect(wealth.evidence).toBeGreaterThan(1000);
  });
});
