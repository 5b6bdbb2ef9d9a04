import { describe, expect, it } from "vitest";
import { LabelWalk } from "./label-walk.ts";
import { seeded } from "./testing/seeded.ts";

describe("the exact walk over the labels of errors", () => {
  it.each([
    { alpha: 0.3, probabilities: [0.1, 0.5, 0.25, 0.1, 0.9, 0.3, 0.3, 0.5, 0.2, 0.4] },
    { alpha: 0.9, probabilities: [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] },
    { alpha: 20, probabilities: [0.05, 0.05, 0.25, 0.25, 0.25, 0.5, 0.5, 0.5, 0.5] },
  ])("spends exactly the chance of ever crossing, over all sequences of labels (alpha $alpha)", (trial) => {
    const { alpha, probabilities } = trial;
    let crossing = 0;
    let spent = 0;
    for (let labels = 0; labels < 2 ** probabilities.length; labels += 1) {
      const walk = new LabelWalk();
      let chance = 1;
      for (const [at, probability] of probabilities.entries()) {
        const candidate = ((labels >> at) & 1) === 1;
        chance *= candidate ? probability : 1 - probability;
        walk.event(candidate, probability, alpha);
      }
      if (walk.crossed) crossing += chance;
      else spent = walk.spent;
    }
    expect(crossing).toBeCloseTo(spent, 12);
    expect(spent).toBeLessThanOrEqual((alpha * probabilities.length) / 200);
    expect(spent).toBeGreaterThan(0);
  });

  it("crosses at once where nearly every error is the candidate's, and names the boundary", () => {
    const walk = new LabelWalk();
    let errors = 0;
    for (; !walk.crossed && errors < 200; errors += 1) walk.event(true, 0.1, 0.0025);
    expect(errors).toBeLessThanOrEqual(6);
    expect(walk.candidateEvents).toBe(walk.boundary);
    expect(walk.spent).toBeLessThanOrEqual(0.0025);
  });

  it("takes no notice of errors while one version has all of the traffic, and ends after 200", () => {
    const walk = new LabelWalk();
    for (let n = 0; n < 50; n += 1) walk.event(true, 1, 0.01);
    expect(walk.events).toBe(0);
    const random = seeded(1);
    for (let n = 0; n < 500; n += 1) walk.event(random() < 0.3, 0.3, 0.0001);
    expect(walk.events).toBe(200);
    expect(walk.spent).toBeLessThanOrEqual(0.0001);
  });

  it("never spends more than its share, whatever the share becomes on the way", () => {
    const walk = new LabelWalk();
    const random = seeded(2);
    for (let n = 1; n <= 150; n += 1) {
      walk.event(false, 0.05 + 0.9 * random(), n < 60 ? 0.01 : 0.001);
      expect(walk.spent).toBeLessThanOrEqual(0.01);
    }
  });
});
