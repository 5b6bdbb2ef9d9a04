import type { Attributes } from "../src/core/policy/attributes.ts";
import { decide } from "../src/core/policy/decide.ts";
import type { DecideInput } from "../src/core/policy/decision.ts";
import { evaluate } from "../src/core/policy/evaluate.ts";
import { gatherAttributes } from "../src/core/policy/gather-attributes.ts";
import { decideInputs, shippedSet } from "./decision-inputs.ts";
import { jsonRules } from "./json-rules.ts";
import { type BenchOptions, type Figure, type Measurement, must, quantile } from "./measure.ts";
import { type OpaServer, startOpa } from "./opa.ts";

const PEER = "json-rules-engine, same clauses, without fix and obligations";
const PLANS = 240;
const WARM_ROUNDS = 3;

interface Prepared {
  input: DecideInput;
  attributes: Attributes;
}

type Ask = (attributes: Attributes) => Promise<string[]>;

/**
 * Whole decisions (every finding with its words and numbers, the joint fix, the obligations) beside the bare question
 * which clauses speak, put to json-rules-engine and, where it is installed, to an OPA server. All are asked in turns, so
 * that a busy moment strikes all of them.
 */
export const measureDecisions: Measurement = async (options) => {
  const { say } = options;
  const set = shippedSet();
  const prepared = decideInputs(PLANS, 0.04).map((input) => ({
    input,
    attributes: gatherAttributes(input, "listing"),
  }));
  const rules = jsonRules(set);
  const opa = await startOpa(set);
  if (opa === undefined) say("OPA is not installed: its figures are left out");
  try {
    let speaking = 0;
    for (const { input, attributes } of prepared) {
      const ours = evaluate(set, input.facts.principal.kind, attributes);
      must(ours.failures.length === 0, `every clause of ${input.planDigest} could be evaluated`);
      const ids = ours.forbidding.map(({ id }) => id).toSorted();
      await mustAgree("json-rules-engine", rules.forbidding, attributes, ids);
      if (opa !== undefined) await mustAgree(opa.name, opa.forbidding, attributes, ids);
      speaking += ids.length;
    }
    const denied = prepared.filter(({ input }) => decide(set, input).decision === "deny").length;
    must(denied > 0 && denied < PLANS, "some plans are denied and some are not");
    say(`${PLANS} plans, ${denied} denied, ${(speaking / PLANS).toFixed(1)} clauses speak a plan; all say the same`);
    return await measureInTurns(options, { set, prepared, rules, opa });
  } finally {
    await opa?.stop();
  }
};

async function mustAgree(name: string, ask: Ask, attributes: Attributes, ids: readonly string[]): Promise<void> {
  const theirs = (await ask(attributes)).toSorted();
  must(theirs.join() === ids.join(), `${name} says the same: ${theirs} and ${ids}`);
}

interface Parties {
  set: ReturnType<typeof shippedSet>;
  prepared: readonly Prepared[];
  rules: { forbidding: Ask };
  opa: OpaServer | undefined;
}

async function measureInTurns(options: BenchOptions, { set, prepared, rules, opa }: Parties): Promise<Figure[]> {
  const samples = { ours: [] as number[], fixed: [] as number[], rules: [] as number[], opa: [] as number[] };
  const cpu = { ours: 0, rules: 0, opa: 0 };
  const endMs = performance.now() + (options.quick ? 6_000 : 40_000);
  for (let round = 0; round <= WARM_ROUNDS || performance.now() < endMs; round += 1) {
    const ours = await timedRound(prepared, ({ input }) => decide(set, input).fix.length > 0);
    const theirs = await timedRound(prepared, ({ attributes }) => rules.forbidding(attributes));
    const serverBefore = opa?.cpuSeconds() ?? 0;
    const servers = opa && (await timedRound(prepared, ({ attributes }) => opa.forbidding(attributes)));
    if (round < WARM_ROUNDS) continue;
    samples.ours.push(...ours.millis);
    samples.fixed.push(...ours.millis.filter((_, index) => ours.answers[index] === true));
    samples.rules.push(...theirs.millis);
    cpu.ours += ours.cpuMicros;
    cpu.rules += theirs.cpuMicros;
    if (servers === undefined || opa === undefined) continue;
    samples.opa.push(...servers.millis);
    cpu.opa += servers.cpuMicros + (opa.cpuSeconds() - serverBefore) * 1e6;
  }
  const p50 = (list: readonly number[]) => quantile(list, 0.5);
  const p99 = (list: readonly number[]) => quantile(list, 0.99);
  const beside = (peer: string, list: readonly number[]) => {
    return (name: string, unit: string, of: (list: readonly number[]) => number) => ({
      ...{ name, unit, value: of(samples.ours), peer, peerValue: of(list), aim: null },
    });
  };
  const cpuFigure = { unit: "µs", value: cpu.ours / samples.ours.length };
  const ofRules = beside(PEER, samples.rules);
  const figures: Figure[] = [
    { ...ofRules("decision p50", "ms", p50), aim: { ratioBelow: 1 } },
    { ...ofRules("decision p99", "ms", p99), aim: { below: 1 } },
    { ...ofRules("decisions per second", "/s", perSecond), aim: { ratioAbove: 1 } },
    {
      ...{ name: "decision, processor time", ...cpuFigure, aim: { ratioBelow: 1 } },
      ...{ peer: PEER, peerValue: cpu.rules / samples.rules.length },
    },
    {
      ...{ name: "decision with a joint fix p50", unit: "ms", value: p50(samples.fixed), aim: { below: 1 } },
      ...{ peer: "none: neither of the peers repairs anything", peerValue: null },
    },
  ];
  if (opa === undefined) return figures;
  const peer = `${opa.name}, same clauses, over a socket; without fix and obligations`;
  const ofOpa = beside(peer, samples.opa);
  return [
    ...figures,
    ofOpa("decision p50, beside OPA", "ms", p50),
    ofOpa("decision p99, beside OPA", "ms", p99),
    {
      ...{ name: "decision, processor time, beside OPA", ...cpuFigure, aim: null },
      ...{ peer: `${peer}; both processes`, peerValue: cpu.opa / samples.opa.length },
    },
  ];
}

const perSecond = (millis: readonly number[]): number =>
  1000 / (millis.reduce((sum, one) => sum + one, 0) / millis.length);

interface Round {
  millis: number[];
  answers: unknown[];
  cpuMicros: number;
}

/** One after the other, as a caller that waits for each answer. Processor time is that of this process. */
async function timedRound(prepared: readonly Prepared[], work: (each: Prepared) => unknown): Promise<Round> {
  const round: Round = { millis: [], answers: [], cpuMicros: 0 };
  const before = process.cpuUsage();
  for (const each of prepared) {
    const startMs = performance.now();
    round.answers.push(await work(each));
    round.millis.push(performance.now() - startMs);
  }
  const { user, system } = process.cpuUsage(before);
  return { ...round, cpuMicros: user + system };
}
