import { describe, expect, it } from "vitest";
import { AssignmentCheck } from "./assignment-check.ts";
import { seeded } from "./testing/seeded.ts";

function draws(count: number, label: (n: number) => boolean, probability = 0.1): AssignmentCheck {
  const check = new AssignmentCheck();
  for (let n = 0; n < count; n += 1) check.drawn(label(n), probability);
  return check;
}

describe("the check that the draw is random", () => {
  it("has nothing against independent draws, over ramps", () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      const random = seeded(seed);
      const check = new AssignmentCheck();
      for (let n = 0; n < 5000; n += 1) {
        const probability = n < 2000 ? 0.05 : 0.5;
        check.drawn(random() < probability, probability);
      }
      expect(check.drawIsBroken).toBe(false);
    }
  });

  it.each([
    ["fewer than were meant", () => (random: () => number) => random() < 0.05],
    ["more than were meant", () => (random: () => number) => random() < 0.15],
  ])("finds %s", (_what, make) => {
    const random = seeded(1);
    const label = make();
    expect(draws(20_000, () => label(random)).drawIsBroken).toBe(true);
  });

  it("finds a round robin of exactly the right share", () => {
    const check = draws(5000, (n) => n % 10 === 0);
    expect(check.draws).toMatchObject({ total: 5000, candidate: 500 });
    expect(check.drawIsBroken).toBe(true);
  });

  it("finds callers that stick to a version", () => {
    const random = seeded(7);
    let sticky = false;
    expect(
      draws(5000, () => {
        if (random() < 0.2) sticky = random() < 0.1;
        return sticky;
      }).drawIsBroken,
    ).toBe(true);
  });

  it("finds answers that are left out in one arm more often, whichever", () => {
    for (const [candidateRate, stableRate] of [
      [0.2, 0],
      [0, 0.2],
    ] as const) {
      const random = seeded(3);
      const check = new AssignmentCheck();
      for (let n = 0; n < 5000; n += 1) {
        const candidate = random() < 0.2;
        check.answered(candidate, 0.2, random() < (candidate ? candidateRate : stableRate));
      }
      expect(check.leftOutEvidence).toBeGreaterThanOrEqual(check.threshold);
    }
  });

  it("has nothing against callers who err alike", () => {
    const random = seeded(3);
    const check = new AssignmentCheck();
    for (let n = 0; n < 5000; n += 1) check.answered(random() < 0.2, 0.2, random() < 0.3);
    expect(check.leftOutEvidence).toBeLessThan(check.threshold);
    expect(AssignmentCheck.fromState(check.toState()).toState()).toEqual(check.toState());
  });
});
