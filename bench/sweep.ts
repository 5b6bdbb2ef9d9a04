import type { Attributes } from "../src/core/policy/attributes.ts";
import { evaluate } from "../src/core/policy/evaluate.ts";
import { foresee } from "../src/core/policy/foresee.ts";
import { gatherAttributes } from "../src/core/policy/gather-attributes.ts";
import { decideInputs, shippedSet } from "./decision-inputs.ts";
import { type Measurement, median, must } from "./measure.ts";

/** A search through plans that nobody proposed, by the functions compiled from Cedar's syntax tree, beside Cedar itself. */
export const measureSweep: Measurement = async ({ quick, say }) => {
  const set = shippedSet();
  must(
    [...set.policies.values()].every(({ whatIf }) => whatIf !== undefined),
    "every policy is compiled",
  );
  const plans = decideInputs(quick ? 2_000 : 100_000, 0.5).map((input) => gatherAttributes(input, "listing"));

  const startMs = performance.now();
  const fromCedar = plans.map((plan) =>
    evaluate(set, "human", plan)
      .forbidding.map(({ id }) => id)
      .join(),
  );
  const cedarPerSecond = (plans.length / (performance.now() - startMs)) * 1000;
  const mismatches = plans.filter((plan, index) => idsOf(set, plan) !== fromCedar[index]).length;
  must(mismatches === 0, `compiled functions and Cedar say the same (${mismatches} of ${plans.length} differ)`);
  say(`${plans.length} plans, 0 mismatches`);

  const some = plans.slice(0, 2_000);
  const rates = Array.from({ length: quick ? 5 : 15 }, () => sweepsPerSecond(set, some));
  return [
    {
      ...{ name: "sweep plans per second", value: median(rates), unit: "/s" },
      ...{ peer: "Cedar asked for each plan", peerValue: cedarPerSecond, aim: { above: 1_000_000 } },
    },
  ];
};

type Set = ReturnType<typeof shippedSet>;

function idsOf(set: Set, plan: Attributes): string {
  return foresee(set, "human", plan)
    .map(({ id }) => id)
    .join();
}

function sweepsPerSecond(set: Set, plans: readonly Attributes[]): number {
  const startMs = performance.now();
  let asked = 0;
  let speaking = 0;
  while (performance.now() - startMs < 200) {
    for (const plan of plans) speaking += foresee(set, "human", plan).length;
    asked += plans.length;
  }
  must(speaking > 0, "some clause speaks");
  return (asked / (performance.now() - startMs)) * 1000;
}
