import { describe, expect, it } from "vitest";
import { ArmBet, BETTER_ODDS, EITHER_ODDS } from "./arm-bet.ts";
import { ExcessProof } from "./excess-proof.ts";
import { scaleFreeRatio } from "./scale-free-ratio.ts";
import { normal, seeded } from "./testing/seeded.ts";

/** All outcomes of one request and their chances, in a world where the arms fail at these shares. */
function outcomes(shares: { candidate: number; stable: number; probability: number }) {
  return [true, false].flatMap((candidate) =>
    [true, false].map((bad) => {
      const share = candidate ? shares.candidate : shares.stable;
      const arm = candidate ? shares.probability : 1 - shares.probability;
      return { candidate, bad, chance: arm * (bad ? share : 1 - share) };
    }),
  );
}

/** The mean of the evidence after one more request, over all it may be. */
function meanAfter(
  shares: { candidate: number; stable: number; probability: number },
  evidenceAfter: (outcome: { candidate: boolean; bad: boolean }) => number,
): number {
  return outcomes(shares).reduce((sum, { chance, ...outcome }) => sum + chance * evidenceAfter(outcome), 0);
}

const HISTORIES = [0, 1, 7, 60, 500];

describe("a bet on the label", () => {
  it.each([
    { odds: undefined, stable: 0.02, candidate: 0.02 },
    { odds: undefined, stable: 0.9, candidate: 0.9 },
    { odds: BETTER_ODDS, stable: 0.1, candidate: 0.1 },
    { odds: EITHER_ODDS, stable: 0.3, candidate: 0.3 },
  ])("keeps its mean while the arms are equal, after any past", ({ odds, stable, candidate }) => {
    for (const length of HISTORIES) {
      const random = seeded(length + 1);
      const options = { priorRate: 0.05, ...(odds === undefined ? {} : { odds }) };
      const past = new ArmBet(options);
      for (let n = 0; n < length; n += 1) past.update(random() < 0.3, 0.3, random() < 0.2);
      const mean = meanAfter({ stable, candidate, probability: 0.17 }, (outcome) => {
        const bet = ArmBet.fromState(past.toState(), options);
        bet.update(outcome.candidate, 0.17, outcome.bad);
        return bet.evidence;
      });
      expect(mean / past.evidence).toBeCloseTo(1, 12);
    }
  });

  it("loses in the mean where the candidate is better, and wins where it is worse", () => {
    const growthOf = (candidate: number) =>
      meanAfter({ stable: 0.05, candidate, probability: 0.5 }, (outcome) => {
        const bet = new ArmBet({ priorRate: 0.05 });
        bet.update(outcome.candidate, 0.5, outcome.bad);
        return bet.evidence;
      });
    expect(growthOf(0.01)).toBeLessThan(1);
    expect(growthOf(0.2)).toBeGreaterThan(1);
  });

  it("tells about how fast its evidence grows", () => {
    const shares = { candidate: 0.2, stable: 0.05, probability: 0.5 };
    const random = seeded(4);
    const bet = new ArmBet({ priorRate: 0.05 });
    for (let n = 0; n < 2000; n += 1) {
      const candidate = random() < shares.probability;
      bet.update(candidate, shares.probability, random() < (candidate ? shares.candidate : shares.stable));
    }
    const ratio = Math.log(bet.evidence) / 2000 / bet.growth(shares);
    expect(ratio).toBeGreaterThan(0.8);
    expect(ratio).toBeLessThan(1.2);
  });
});

describe("the proof of a difference below a margin", () => {
  it.each([
    { stable: 0.01, candidate: 0.03, probability: 0.1 },
    { stable: 0.4, candidate: 0.42, probability: 0.5 },
    { stable: 0, candidate: 0.5, probability: 0.05 },
  ])("does not grow in the mean at the margin or above, after any past: $stable, $candidate", (shares) => {
    for (const length of HISTORIES) {
      const random = seeded(length + 9);
      const past = new ExcessProof();
      for (let n = 0; n < length; n += 1) past.update(random() < 0.3, 0.3, random() < 0.05, 0.02);
      const mean = meanAfter(shares, (outcome) => {
        const proof = ExcessProof.fromState(past.toState());
        proof.update(outcome.candidate, shares.probability, outcome.bad, 0.02);
        return proof.evidence;
      });
      expect(mean / past.evidence).toBeLessThanOrEqual(1 + 1e-12);
    }
  });

  it("proves equal arms, in about the number of requests that it foretold", () => {
    const shares = { candidate: 0.01, stable: 0.01, probability: 0.1 };
    const foretold = Math.log(20) / new ExcessProof().growth(shares, 0.01);
    const needed = Array.from({ length: 15 }, (_, seed) => {
      const random = seeded(seed + 1);
      const proof = new ExcessProof();
      let n = 0;
      for (; proof.evidence < 20 && n < 100_000; n += 1) proof.update(random() < 0.1, 0.1, random() < 0.01, 0.01);
      return n;
    }).sort((a, b) => a - b);
    const median = needed[7] ?? Number.POSITIVE_INFINITY;
    expect(median).toBeLessThan(2.5 * foretold);
    expect(median).toBeGreaterThan(0.4 * foretold);
  });

  it("is never less than nothing, whatever single request comes", () => {
    for (const probability of [0.001, 0.5, 0.999])
      for (const bad of [true, false])
        for (const candidate of [true, false]) {
          const proof = new ExcessProof();
          proof.update(candidate, probability, bad, 0.5);
          expect(proof.evidence).toBeGreaterThan(0);
        }
  });
});

describe("the likelihood ratio that knows no scale", () => {
  it("is what a first observation can say: twice the chance of its sign", () => {
    // With one observation only its sign is free of scale: P(x > 0 | μ = σ) / P(x > 0 | 0) = 2 Φ(1).
    expect(scaleFreeRatio({ blocks: 1, sum: 5, squares: 25 }, 1)).toBeCloseTo(2 * 0.841344746, 5);
    expect(scaleFreeRatio({ blocks: 1, sum: -0.1, squares: 0.01 }, 1)).toBeCloseTo(2 * 0.158655254, 5);
  });

  it("does not change with the unit", () => {
    const ratio = scaleFreeRatio({ blocks: 6, sum: 4, squares: 5 }, 2);
    expect(scaleFreeRatio({ blocks: 6, sum: 4e6, squares: 5e12 }, 2)).toBeCloseTo(ratio, 9);
  });

  it.each([3, 8, 30])("has a mean of 1 over normal observations of no effect (%d of them)", (blocks) => {
    const random = seeded(blocks);
    let mean = 0;
    for (let trial = 0; trial < 4000; trial += 1) {
      let sum = 0;
      let squares = 0;
      for (let n = 0; n < blocks; n += 1) {
        const x = 0.3 * normal(random);
        sum += x;
        squares += x * x;
      }
      mean += scaleFreeRatio({ blocks, sum, squares }, 0.4) / 4000;
    }
    expect(mean).toBeGreaterThan(0.85);
    expect(mean).toBeLessThan(1.15);
  });
});
