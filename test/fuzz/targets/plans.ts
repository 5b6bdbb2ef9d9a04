import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { readPolicyFiles, shippedPolicyFolder } from "../../../src/config/policy-files.ts";
import type { Parsed } from "../../../src/core/error.ts";
import { planDigest } from "../../../src/core/plan/canonical.ts";
import { withDefaults } from "../../../src/core/plan/defaults.ts";
import { parsePlan, validatePlanInput } from "../../../src/core/plan/parse.ts";
import type { PlanInput } from "../../../src/core/plan/schema.ts";
import { decide } from "../../../src/core/policy/decide.ts";
import type { Decision } from "../../../src/core/policy/decision.ts";
import { loadOfflinePolicy } from "../../../src/surfaces/cli/offline-policy.ts";
import { edited, reordered } from "../edits.ts";
import { type FuzzTarget, openTarget } from "../fuzz-target.ts";
import { grown, mostly, mutated } from "../mutations.ts";
import { checkLine, holds } from "../violation.ts";
import { PLAN_VALUES, PLANS, planYaml } from "./valid-plans.ts";

const TEXTS = PLANS.flatMap((plan) => [planYaml(plan), JSON.stringify(plan), JSON.stringify(plan, null, 2)]);

const YAML_WORDS = [
  ...[
    "&x ",
    "*x",
    "<<: *x",
    "!!binary ",
    "!!python/object ",
    "%YAML 1.1\n---\n",
    "%TAG ! a\n",
    "---\n",
    "...\n",
    "? ",
    "|\n",
    ">-\n",
  ],
  ...[
    "spec: ",
    "\n  ",
    "metadata:\n  name: a\n",
    "- - - - ",
    "{a: {a: {a: ",
    "[[[[",
    "\u0085",
    "dryRun: yes",
    "12:30:45",
    "0b1",
    "0777",
  ],
];
const LARGE = [
  ...[
    "- ",
    "? ",
    "[",
    "{",
    "{a: ",
    "a: ",
    "a:\n",
    "- a\n",
    "kN: N\n",
    '"kN":N,',
    '"',
    "'",
    "#c\n",
    "\n",
    " ",
    "\t",
    "&aN ",
    "*aN ",
    "!tN ",
  ],
  ...[
    "|\n",
    "a: |\n b\n",
    "\\",
    "\\u0000",
    "é",
    "😀",
    "[],",
    "{},",
    "- - ",
    ",",
    "]",
    "}",
    "kN: {a: [\n",
    "<<: *a\n",
    "\r",
    "---\n",
    "%",
  ],
];

export const planText: FuzzTarget = {
  name: "plan-text",
  share: 150,
  open: async () => {
    const judge = planJudge();
    const text = mostly(mutated(TEXTS, YAML_WORDS), grown(LARGE, 300_000), 600);
    return openTarget({
      inputs: fc.record({ text, json: fc.boolean() }),
      bytesOf: ({ text }) => text.length,
      feed({ text, json }) {
        const fileName = json ? "plan.json" : "plan.yaml";
        return judge(parsePlan(Buffer.from(text).toString("utf8"), { fileName }), fileName);
      },
    });
  },
};

/** As a request's body: the value is what some reader of JSON made. */
export const planValue: FuzzTarget = {
  name: "plan-value",
  share: 80,
  open: async () => {
    const judge = planJudge();
    return openTarget({
      inputs: edited(PLANS, PLAN_VALUES),
      bytesOf: (value) => JSON.stringify(value ?? null).length,
      feed(value) {
        const outcome = judge(validatePlanInput(value), "");
        // What a text says and what a value says are the same, or a plan would have two meanings.
        const text = parsePlan(JSON.stringify(value ?? null), { fileName: "plan.json" });
        holds(text.ok === (outcome !== "malformed"), "as a text and as a value a plan is not taken alike");
        return outcome;
      },
    });
  },
};

function planJudge(): (parsed: Parsed<PlanInput>, fileName: string) => string {
  const policy = loadOfflinePolicy({ shipped: readPolicyFiles(shippedPolicyFolder()) });
  const decided = (input: PlanInput): Decision => {
    const plan = withDefaults(input);
    const facts = { gate: "propose", source: "shipped", principal: { kind: "human" } } as const;
    return decide(policy.set, {
      plan,
      planDigest: planDigest(plan),
      facts,
      prices: policy.prices,
      settings: policy.settings,
    });
  };
  return (parsed, fileName) => {
    if (!parsed.ok) {
      checkLine(parsed.problem.message);
      holds(parsed.problem.message.startsWith(fileName), "the line does not begin with the file");
      holds(/^(\/|$)/.test(parsed.problem.path), "the path is no JSON pointer");
      return "malformed";
    }
    const decision = decided(parsed.value);
    const turned = validatePlanInput(reordered(parsed.value));
    holds(turned.ok, "with its keys in another order the plan is refused");
    holds(isDeepStrictEqual(decided(turned.value), decision), "another order of keys is decided otherwise");
    for (const { message } of decision.findings) checkLine(message);
    return decision.simulation ? "simulated" : decision.decision;
  };
}
