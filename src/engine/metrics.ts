import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { elapsedMs } from "../core/rollout/clock.ts";
import { isTerminal } from "../core/rollout/phases.ts";
import type { Rollout } from "../core/rollout/rollout.ts";
import { type Gauges, readGauges } from "../store/queries/gauges.ts";
import { alarmMetrics } from "./alarms/alarm-metrics.ts";
import type { CommittedEvent, EngineParts } from "./engine.ts";

/** P6: a deployment takes under ten minutes, human waiting, queueing and pauses not counted. */
const P6_SECONDS = 600;

/**
 * The engine's own figures. What happened is counted where it was committed, so it adds up over processes; what is there
 * now (open rollouts, waiting jobs, the audit log) is read from the database at each scrape and is the same on each.
 * Labels are closed sets of words: no tenant, endpoint or rollout.
 */
export function engineMetrics(
  registry: Registry,
  parts: Pick<EngineParts, "database" | "log">,
): Required<Pick<EngineParts, "onCommitted" | "onAlarm">> {
  const counters = eventCounters(registry);
  databaseGauges(registry, parts);
  return { onCommitted: (fact) => count(counters, fact), ...alarmMetrics(registry) };
}

type Counters = ReturnType<typeof eventCounters>;

function eventCounters(registry: Registry) {
  const registers = [registry];
  return {
    events: new Counter({
      name: "continuum_rollout_events_total",
      help: "Events of rollouts that were committed, by type.",
      labelNames: ["type"],
      registers,
    }),
    decisions: new Counter({
      name: "continuum_decisions_total",
      help: "Proposals by what the policy said.",
      labelNames: ["environment", "decision"],
      registers,
    }),
    denials: new Counter({
      name: "continuum_denials_total",
      help: "Rollouts that the policy ended, by clause; one that broke several counts for each.",
      labelNames: ["clause"],
      registers,
    }),
    outcomes: new Counter({
      name: "continuum_rollouts_total",
      help: "Rollouts that ended, by how and why.",
      labelNames: ["environment", "outcome", "reason", "simulation"],
      registers,
    }),
    duration: new Histogram({
      name: "continuum_rollout_duration_seconds",
      help: "P6's clock of rollouts that ended: from having all they needed to the end, without time paused or queued.",
      labelNames: ["environment", "outcome"],
      buckets: [1, 5, 15, 30, 60, 120, 300, 600, 1200, 3600],
      registers,
    }),
    overdue: new Counter({
      name: "continuum_rollouts_over_ten_minutes_total",
      help: "Deployments that took longer than P6 allows.",
      labelNames: ["environment"],
      registers,
    }),
    glass: new Counter({
      name: "continuum_break_glass_total",
      help: "Approvals that one person gave alone by breaking the glass.",
      labelNames: ["environment"],
      registers,
    }),
  };
}

function count(counters: Counters, { before, after, event }: CommittedEvent): void {
  counters.events.inc({ type: event });
  const { environment } = after.endpoint;
  if (event === "approved" && after.approvals.at(-1)?.role === "break-glass") counters.glass.inc({ environment });
  if (event === "proposed") counters.decisions.inc({ environment, decision: decisionOf(after) });
  if (isTerminal(before.phase) || !isTerminal(after.phase)) return;
  const seconds = elapsedMs(after, after.seenAtMs) / 1000;
  const { phase: outcome } = after;
  const reason = after.reason?.code ?? "none";
  counters.outcomes.inc({ environment, outcome, reason, simulation: String(after.simulation) });
  if (outcome === "Denied") for (const clause of clausesOf(after)) counters.denials.inc({ clause });
  if (!after.effectsStarted) return;
  counters.duration.observe({ environment, outcome }, seconds);
  if (seconds > P6_SECONDS) counters.overdue.inc({ environment });
}

function decisionOf({ phase }: Rollout): string {
  if (phase === "Denied") return "deny";
  return phase === "AwaitingApproval" ? "needs-approval" : "allow";
}

function clausesOf(rollout: Rollout): Set<string> {
  return new Set(rollout.refusals.map(({ clause }) => clause));
}

/** One read of the database answers all gauges of a scrape, which are collected side by side. */
function databaseGauges(registry: Registry, parts: Pick<EngineParts, "database" | "log">): void {
  const read = sharedRead(parts);
  const gauge = (from: { name: string; help: string; labelNames?: string[]; set(gauge: Gauge, read: Gauges): void }) =>
    new Gauge({
      ...{ name: from.name, help: from.help, labelNames: from.labelNames ?? [], registers: [registry] },
      async collect() {
        const gauges = await read();
        // What the database does not say now is left out: an old figure would pass for a present one.
        this.reset();
        if (gauges !== undefined) from.set(this, gauges);
      },
    });
  gauge({
    name: "continuum_rollouts_open",
    help: "Rollouts that have not ended, by phase.",
    labelNames: ["phase"],
    set: (it, { rollouts }) => {
      for (const { phase, count } of rollouts) it.set({ phase }, count);
    },
  });
  gauge({
    name: "continuum_jobs",
    help: "Commands by whether a worker has them.",
    labelNames: ["state"],
    set: (it, { jobsWaiting, jobsClaimed }) => {
      it.set({ state: "waiting" }, jobsWaiting);
      it.set({ state: "claimed" }, jobsClaimed);
    },
  });
  gauge({
    name: "continuum_audit_entries",
    help: "Audit entries by whether they have their place in the tree.",
    labelNames: ["state"],
    set: (it, { auditPlaced, auditWaiting }) => {
      it.set({ state: "placed" }, auditPlaced);
      it.set({ state: "waiting" }, auditWaiting);
    },
  });
  gauge({
    name: "continuum_break_glass_reviews_open",
    help: "Break-glass approvals that no other person has reviewed yet.",
    set: (it, { glassOpen }) => it.set(glassOpen),
  });
  gauge({
    name: "continuum_policy_active_info",
    help: "Tenants that a version of the policy is in force for, by its digest; the hundred that most have.",
    labelNames: ["digest"],
    set: (it, { policies }) => {
      for (const { digest, tenants } of policies) it.set({ digest }, tenants);
    },
  });
  gauge({ name: "continuum_database_up", help: "1 when the database answered this scrape.", set: (it) => it.set(1) });
}

function sharedRead({ database, log }: Pick<EngineParts, "database" | "log">): () => Promise<Gauges | undefined> {
  let underWay: Promise<Gauges | undefined> | undefined;
  const read = async () => {
    try {
      return await readGauges(database);
    } catch (error) {
      log.warn("metrics-without-database", { reason: error instanceof Error ? error.name : "unknown" });
      return undefined;
    } finally {
      underWay = undefined;
    }
  };
  return () => {
    underWay ??= read();
    return underWay;
  };
}
