import { setTimeout as sleep } from "node:timers/promises";
import type { Verdict } from "../core/monitor/verdict.ts";
import type { Command } from "../core/rollout/rollout.ts";
import { verdictMark } from "../core/rollout/verdict-mark.ts";
import type { Observation, Target, TenantEndpoint } from "../drivers/target/target.ts";
import type { MonitorLook } from "./alarms/monitor-look.ts";

const POLL_MS = 250;

export interface WatchOptions {
  target: Target;
  at: TenantEndpoint;
  command: Extract<Command, { type: "watch" }>;
  nowMs(): number;
  /** Aborts when nobody wants the answer any more. */
  signal: AbortSignal;
  /** Adds what the monitor knows; left out where the plan has none. */
  monitor?: MonitorLook | undefined;
}

/**
 * Looks at both versions until `untilMs` and answers with the verdict of that moment, or at once with a failure. A
 * target that cannot be asked is asked again; when it still cannot at the end, the verdict says so. What the history
 * knows already is kept back for as long as the command says.
 */
export async function watch(options: WatchOptions): Promise<Verdict> {
  const { command, nowMs, signal } = options;
  for (;;) {
    const verdict = await withMonitorPart(await look(options), options.monitor);
    signal.throwIfAborted();
    if (verdict.outcome === "fail") return verdict;
    const leftMs = command.untilMs - nowMs();
    if (leftMs <= 0 && isNews(verdict, command, nowMs())) return verdict;
    await sleep(leftMs <= 0 ? POLL_MS : Math.min(POLL_MS, leftMs), undefined, { signal });
  }
}

/** What has failed already needs no further word. */
async function withMonitorPart(verdict: Verdict, monitor: MonitorLook | undefined): Promise<Verdict> {
  return monitor === undefined || verdict.outcome === "fail" ? verdict : monitor(verdict);
}

function isNews(verdict: Verdict, { quiet }: WatchOptions["command"], nowMs: number): boolean {
  if (quiet === undefined || verdictMark(verdict) !== quiet.known) return true;
  return quiet.untilMs !== null && nowMs >= quiet.untilMs;
}

async function look({ target, at, command }: WatchOptions): Promise<Verdict> {
  let seen: Observation;
  try {
    seen = await target.observe(at);
  } catch (error) {
    return unmeasured(`The target could not be asked: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (seen.tripped !== null) return tripped(seen.tripped, seen.verdict);
  if (seen.verdict.outcome !== "fail" && seen.candidatePercent !== command.percent) {
    const message = `The target sends ${seen.candidatePercent} % to the candidate and not the ${command.percent} % that are judged.`;
    return unmeasured(message);
  }
  return seen.verdict;
}

/** The data plane has acted already; whatever it measures since then is about the version before. */
function tripped(fact: NonNullable<Observation["tripped"]>, verdict: Verdict): Verdict {
  if (verdict.outcome === "fail") return verdict;
  const message = `The data plane sent all traffic back after ${fact.candidateErrors} errors in ${fact.candidateRequests} requests: ${fact.cause}`;
  return {
    outcome: "fail",
    metrics: [
      { metric: "errors", outcome: "fail", message, observed: fact.candidateErrors, limit: null },
      ...verdict.metrics,
    ],
  };
}

function unmeasured(message: string): Verdict {
  return {
    outcome: "error",
    metrics: [{ metric: "measurement", outcome: "error", message, observed: null, limit: null }],
  };
}
