import { performance } from "node:perf_hooks";
import type { AlarmEvaluation } from "../../core/monitor/alarm/evaluation.ts";
import { type ColumnEvidence, type DriftDecision, driftDecision } from "../../core/monitor/drift/drift-decision.ts";
import { driftFigures } from "../../core/monitor/drift/drift-figures.ts";
import { eBenjaminiHochberg, evidenceOfHosts } from "../../core/monitor/judge/e-benjamini-hochberg.ts";
import type { MetricVerdict } from "../../core/monitor/verdict.ts";
import type { EndpointRef } from "../../core/rollout/rollout.ts";
import type { Transaction } from "../../store/database.ts";
import type { EndpointKey } from "../../store/queries/admission.ts";
import { listTests } from "../../store/queries/monitor.ts";
import { lockEvaluation, writeState } from "../../store/queries/monitor-windows.ts";
import { type RecordedEvaluations, recordEvaluations } from "../alarms/record-evaluations.ts";
import { evaluateQuality } from "../ground-truth/evaluate-quality.ts";
import type { BaselineAnswer, VersionBaseline } from "./baseline-book.ts";
import type { MonitorParts } from "./monitor-parts.ts";
import type { MonitorReport, SequentialFigures } from "./monitor-report.ts";
import { predictionsMetric, predictionsOf, withPredictions } from "./predictions.ts";
import { orSilent } from "./silent-drift.ts";
import { storedEvidence, type TestEvidence } from "./version-tests.ts";
import type { WatchedVersion } from "./watched.ts";
import { WindowBuilder } from "./window-builder.ts";

export interface VersionEvaluatorOptions {
  at: EndpointKey;
  version: WatchedVersion;
  answer: BaselineAnswer;
}

/** So often all columns of the newest rows are compared for whoever wants to see them; the rule needs but a few. */
const ALL_COLUMNS_MS = 5_000;
const COLUMNS_SHOWN = 50;
const SUSPECTS_SHOWN = 20;

/**
 * Says of one version what its windows and tests say, from what the monitors of all hosts stored, and hands that to its
 * alarms. Of several monitors one does it at a time.
 */
export class VersionEvaluator {
  readonly #parts: MonitorParts;
  readonly #options: VersionEvaluatorOptions;
  readonly #windows: WindowBuilder | undefined;
  readonly #baseline: VersionBaseline | null;
  #evaluatedMs = Number.NEGATIVE_INFINITY;
  #columnsMs = Number.NEGATIVE_INFINITY;
  #columns: MonitorReport["columns"] = [];

  constructor(parts: MonitorParts, options: VersionEvaluatorOptions) {
    this.#parts = parts;
    this.#options = options;
    const { answer, version, at } = options;
    const baseline = answer.ok ? answer.baseline : null;
    const { dataDrift } = version.settings;
    this.#baseline = baseline;
    if (baseline === null || dataDrift === null) return;
    const { log, nowMs } = parts;
    this.#windows = new WindowBuilder({
      ...{ at, variant: version.variant, layout: baseline.layout, settings: dataDrift, nowMs, log },
    });
  }

  isDue(afterMs: number): boolean {
    return performance.now() - this.#evaluatedMs >= afterMs;
  }

  /** `stableVariant` is what the version is compared with while it is a candidate. undefined when another is at it. */
  async evaluate(of: {
    stableVariant: string | null;
    readShare: number;
  }): Promise<readonly AlarmEvaluation[] | undefined> {
    let attempts = 0;
    let recorded: RecordedEvaluations | undefined;
    try {
      const evaluations = await this.#parts.database.transaction(async (tx) => {
        // What an attempt remembered that lost to another transaction did not happen.
        if (attempts > 0) this.#windows?.forget();
        attempts += 1;
        if (!(await lockEvaluation(tx, this.#options.at))) return undefined;
        const report = await this.#report(tx, of);
        await writeState(tx, this.#options.at, {
          ...{ variant: this.#options.version.variant, atMs: report.evaluatedAtMs, state: report },
        });
        const { tenant, ...endpoint } = this.#options.at;
        const { variant } = this.#options.version;
        const measured = { tenant, endpoint: endpoint as EndpointRef, variant, evaluations: report.evaluations };
        // Last, because it holds the rollout's row.
        recorded = await recordEvaluations(this.#parts, measured, tx);
        return report.evaluations;
      });
      recorded?.tell();
      // Whoever was at it may not have seen what this monitor has stored, and nothing else may come for long.
      this.#evaluatedMs = evaluations === undefined ? Number.NEGATIVE_INFINITY : performance.now();
      return evaluations;
    } catch (error) {
      this.#windows?.forget();
      throw error;
    }
  }

  async #report(
    tx: Transaction,
    { stableVariant, readShare }: { stableVariant: string | null; readShare: number },
  ): Promise<MonitorReport> {
    const { at, version, answer } = this.#options;
    const atMs = this.#parts.nowMs();
    await this.#windows?.advance(tx);
    const hosts = (await listTests(tx, at, version.variant)).map(({ state }) => storedEvidence(state));
    const sequential = this.#sequential(hosts);
    const drift = this.#drift(sequential);
    const quality = await evaluateQuality(
      this.#parts,
      {
        ...{ at, version: version.variant, settings: version.settings, stableVariant },
        ...{ alpha: version.judgement.alpha, baseline: this.#baseline?.quality ?? null },
      },
      tx,
    );
    const predictions = predictionsOf({ version, hosts, stableVariant });
    const alarming = withPredictions(drift, { predictions, version });
    const evaluations = [
      ...(alarming === null ? [] : [{ alarm: "DataDriftAlarm" as const, atMs, ...alarming }]),
      ...(quality.evaluation === null ? [] : [quality.evaluation]),
    ];
    return {
      evaluatedAtMs: atMs,
      baseline: baselineFacts(this.#baseline),
      baselineProblem: answer.ok ? null : answer.problem,
      ...{ rows: this.#windows?.rows ?? 0, readShare },
      windows: (this.#windows?.closed ?? []).map(({ number, firstMs, lastMs, rows, drift: compared }) => {
        const columns = driftFigures(compared).filter(({ breaching }) => breaching);
        const named = [...new Set(columns.map(({ subject }) => subject))].slice(0, 10);
        return { number, firstMs, lastMs, rows, breaching: named.length > 0, columns: named };
      }),
      open: this.#windows?.open ?? { rows: 0, firstMs: null },
      columns: this.#allColumns(),
      sequential: sequential === null ? null : sequential.figures,
      predictions: predictions?.figures ?? null,
      evaluations,
      metrics: [...driftMetrics(drift), ...predictionsMetric(predictions, version), ...quality.metrics].map(
        (metric) => ({ ...metric, message: sampledWords(metric.message, readShare) }),
      ),
    };
  }

  /** null where the plan does not ask for it. */
  #drift(sequential: Sequential | null): DriftDecision | null {
    const { version, answer } = this.#options;
    const { dataDrift } = version.settings;
    if (dataDrift === null) return null;
    if (!answer.ok) return { state: "INSUFFICIENT_DATA", reason: answer.problem, figures: [] };
    if (this.#windows === undefined) return null;
    const rejected = new Set(sequential?.columns.filter(({ isRejected }) => isRejected).map(({ column }) => column));
    const decision = driftDecision({
      windows: this.#windows.closed.map(({ drift }) => drift),
      settings: dataDrift,
      ...(sequential === null || rejected.size === 0
        ? {}
        : { sequential: { soFar: this.#windows.recentDrift(rejected), evidence: sequential.columns } }),
    });
    const { newestMs } = this.#windows;
    return orSilent(decision, { settings: dataDrift, newestMs, nowMs: this.#parts.nowMs() });
  }

  /** Hosts test their own part of the stream; their evidences are added up as their source says. */
  #sequential(hosts: readonly TestEvidence[]): Sequential | null {
    const { version } = this.#options;
    const tested = [...new Set(hosts.flatMap(({ urns }) => [...urns.keys()]))].sort();
    if (version.settings.dataDrift === null || tested.length === 0) return null;
    const { alpha } = version.judgement;
    const evidence = tested.map((column) =>
      evidenceOfHosts(hosts.flatMap(({ urns }) => urns.get(column)?.evidence ?? [])),
    );
    const { rejected, threshold } = eBenjaminiHochberg(evidence, alpha);
    const isRejected = new Set(rejected);
    const columns = tested.map((column, index) => ({
      ...{ column, evidence: evidence[index] ?? 1, threshold, isRejected: isRejected.has(index) },
    }));
    const rows = hosts.reduce((sum, { urns }) => sum + Math.max(0, ...[...urns.values()].map((urn) => urn.rows)), 0);
    return { columns, figures: { rows, threshold, alpha, columns: suspects(columns) } };
  }

  #allColumns(): MonitorReport["columns"] {
    if (this.#windows === undefined || performance.now() - this.#columnsMs < ALL_COLUMNS_MS) return this.#columns;
    this.#columnsMs = performance.now();
    const figures = driftFigures(this.#windows.recentDrift());
    const timesLimit = (one: (typeof figures)[number]) => (one.observed ?? Number.MAX_VALUE) / (one.limit ?? Infinity);
    this.#columns = figures
      .toSorted((a, b) => Number(b.breaching) - Number(a.breaching) || timesLimit(b) - timesLimit(a))
      .slice(0, COLUMNS_SHOWN);
    return this.#columns;
  }
}

/** Whoever reads a figure knows of how much of the traffic it is. */
function sampledWords(message: string, readShare: number): string {
  if (readShare >= 1) return message;
  return `${message} (a random ${(readShare * 100).toPrecision(2)} % of the requests was read)`;
}

interface Sequential {
  columns: readonly ColumnEvidence[];
  figures: SequentialFigures;
}

function suspects(columns: readonly ColumnEvidence[]): SequentialFigures["columns"] {
  return columns
    .toSorted((a, b) => b.evidence - a.evidence)
    .slice(0, SUSPECTS_SHOWN)
    .map(({ column, evidence, isRejected: rejected }) => ({ column, evidence, rejected }));
}

function baselineFacts(baseline: VersionBaseline | null): MonitorReport["baseline"] {
  if (baseline === null) return null;
  const { digest, rows, isExact, layout } = baseline;
  return { digest, rows, columns: layout.profiles.length, isExact };
}

const OUTCOMES = { OK: "pass", ALARM: "fail", INSUFFICIENT_DATA: "inconclusive" } as const;

function driftMetrics(drift: DriftDecision | null): MetricVerdict[] {
  if (drift === null) return [];
  const [worst] = drift.figures;
  return [
    {
      ...{ metric: "drift", outcome: OUTCOMES[drift.state], message: drift.reason },
      ...{ observed: worst?.observed ?? null, limit: worst?.limit ?? null },
    },
  ];
}
