import type { Rule } from "./contestant.ts";
import { obrienFleming, zEveryMinute } from "./fixed-sample-rules.ts";
import { kayentaRule } from "./kayenta-rule.ts";
import { mixtureSprt, oracle } from "./sequential-rules.ts";
import { thresholdRule } from "./threshold-rules.ts";

/** The peers' rules by the name they have in the report, on each metric that they know. */
export const ERROR_RULES: Readonly<Record<string, Rule>> = {
  "z-test every minute": zEveryMinute("errors"),
  "O'Brien-Fleming, 10 looks": obrienFleming("errors"),
  mSPRT: mixtureSprt("errors"),
  "Mann-Whitney as Kayenta": kayentaRule("errors"),
  "threshold as Flagger (5)": thresholdRule({ breaches: 5 }),
  "threshold as Argo (0)": thresholdRule({ breaches: 1 }),
  "threshold as Argo (3)": thresholdRule({ breaches: 4 }),
};

export const LATENCY_RULES: Readonly<Record<string, Rule>> = {
  "z-test every minute": zEveryMinute("latency"),
  "O'Brien-Fleming, 10 looks": obrienFleming("latency"),
  mSPRT: mixtureSprt("latency"),
  "Mann-Whitney as Kayenta": kayentaRule("latency"),
};

const ORACLE = "oracle that knows the effect";

/** What stands beside the product where the candidate is worse in one metric. */
export function rulesFor(metric: "errors" | "latency" | "scores" | "quality"): Readonly<Record<string, Rule>> {
  const peers = metric === "errors" ? ERROR_RULES : metric === "latency" ? LATENCY_RULES : {};
  return { ...peers, [ORACLE]: oracle(metric) };
}
