import { decide } from "../src/core/policy/decide.ts";
import { evaluate } from "../src/core/policy/evaluate.ts";
import { gatherAttributes } from "../src/core/policy/gather-attributes.ts";
import { decideInputs, shippedSet } from "./decision-inputs.ts";
import { jsonRules } from "./json-rules.ts";
import { type Measurement, must, quantile } from "./measure.ts";

const PEER = "json-rules-engine, same clauses, without fix and obligations";
const PLANS = 240;

/**
 * Whole decisions (every finding with its words and numbers, the joint fix, the obligations) beside the bare question
 * which clauses speak, put to json-rules-engine. Both are asked in turns, so that a busy moment strikes both.
 */
export const measureDecisions: Measurement = async ({ quick, say }) => {
  const set = shippedSet();
  const inputs = decideInputs(PLANS, 0.04);
  const peer = jsonRules(set);
  let speaking = 0;
  for (const input of inputs) {
    const attributes = gatherAttributes(input, "listing");
    const ours = evaluate(set, input.facts.principal.kind, attributes);
    const ids = ours.forbidding.map(({ id }) => id);
    must(ours.failures.length === 0, `every clause of ${input.planDigest} could be evaluated`);
    const theirs = (await peer.forbidding(attributes)).toSorted();
    must(theirs.join() === ids.toSorted().join(), `both say the same of ${input.planDigest}: ${theirs} and ${ids}`);
    speaking += ids.length;
  }
  const denied = inputs.filter((input) => decide(set, input).decision === "deny").length;
  must(denied > 0 && denied < PLANS, "some plans are denied and some are not");
  say(`${PLANS} plans, ${denied} denied, ${(speaking / PLANS).toFixed(1)} clauses speak a plan; same outcome in both`);

  const ours: number[] = [];
  const fixed: number[] = [];
  const theirs: number[] = [];
  const prepared = inputs.map((input) => ({ input, attributes: gatherAttributes(input, "listing") }));
  const endMs = performance.now() + (quick ? 6_000 : 40_000);
  for (let round = 0; performance.now() < endMs; round += 1) {
    for (const { input, attributes } of prepared) {
      let fix = 0;
      const decided = await timed(() => {
        fix = decide(set, input).fix.length;
      });
      const asked = await timed(() => peer.forbidding(attributes));
      if (round < 3) continue; // Warming up.
      ours.push(decided);
      theirs.push(asked);
      if (fix > 0) fixed.push(decided);
    }
  }
  const perSecond = (samples: number[]) => 1000 / (samples.reduce((sum, one) => sum + one, 0) / samples.length);
  const figure = (name: string, unit: string, of: (samples: number[]) => number) => ({
    ...{ name, unit, value: of(ours), peer: PEER, peerValue: of(theirs) },
  });
  return [
    { ...figure("decision p50", "ms", (samples) => quantile(samples, 0.5)), aim: null },
    { ...figure("decision p99", "ms", (samples) => quantile(samples, 0.99)), aim: { below: 1 } },
    { ...figure("decisions per second", "/s", perSecond), aim: null },
    {
      ...{ name: "decision with a joint fix p50", unit: "ms", value: quantile(fixed, 0.5), aim: null },
      ...{ peer: "none: json-rules-engine repairs nothing", peerValue: null },
    },
  ];
};

async function timed(work: () => unknown): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}
