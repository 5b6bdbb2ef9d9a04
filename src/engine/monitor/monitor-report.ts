import type { AlarmEvaluation, AlarmFigure } from "../../core/monitor/alarm/evaluation.ts";
import type { MetricVerdict } from "../../core/monitor/verdict.ts";
import type { Queryable } from "../../store/database.ts";
import type { EndpointKey } from "../../store/queries/admission.ts";
import { listOffsets } from "../../store/queries/monitor.ts";
import { readState } from "../../store/queries/monitor-windows.ts";

/** What the newest look of a monitor at one version said; stored whole, so that anybody can show it. */
export interface MonitorReport {
  /** By the database's clock. */
  evaluatedAtMs: number;
  baseline: {
    digest: string;
    rows: number;
    columns: number;
    /** False for one that was made from a sketch: its ranks are not exact, so the sequential test is not made. */
    isExact: boolean;
  } | null;
  /** Why nothing can be compared with a baseline; null where it can. */
  baselineProblem: string | null;
  /** Rows since the version was first seen. */
  rows: number;
  /**
   * The share of captured requests that this host read, which draws them at random where more come than it may read; all
   * of them where nothing is said.
   */
  readShare?: number;
  /** The newest, oldest first. */
  windows: readonly ReportedWindow[];
  /** Of what is in no window yet. */
  open: { rows: number; firstMs: number | null };
  /** Columns with their distances and limits: of the newest rows, worst first; at most 50. */
  columns: readonly AlarmFigure[];
  sequential: SequentialFigures | null;
  /** Of the candidate's answers against those of the version that serves. */
  predictions: {
    evidence: number;
    /** The weight of this evidence; the sum of weighted evidences is held against `1 / alpha`. */
    weight: number;
    threshold: number;
    candidate: number;
    stable: number;
  } | null;
  evaluations: readonly AlarmEvaluation[];
  metrics: readonly MetricVerdict[];
}

export interface ReportedWindow {
  number: number;
  firstMs: number;
  lastMs: number;
  rows: number;
  breaching: boolean;
  /** Columns beyond their limits, worst first; at most 10. */
  columns: readonly string[];
}

/** The always-valid test of all columns since the version was first seen. */
export interface SequentialFigures {
  rows: number;
  /** What a column needs; it falls with the number of columns that are beyond it (e-BH). */
  threshold: number;
  alpha: number;
  /** Columns with the most evidence, at most 20. */
  columns: readonly { column: string; evidence: number; rejected: boolean }[];
}

/** What was read of an endpoint's capture on one host, since its monitor first looked. */
export interface ReadCounts {
  /** Requests of watched versions, and rows of theirs that became part of a sketch. */
  requests: number;
  rows: number;
  /** Came more than a minute after a younger one; they count in the window that was open then. */
  late: number;
  /** Lines that are none, or have not the shape of a capture. */
  unreadable: number;
  /** Requests whose rows are not in the capture, by why. */
  failed: number;
  notCaptured: number;
  wrongShape: number;
  /** Requests whose answers could not be told. */
  answersUnread: number;
  /** Files that went before they were read: at least so many bytes, about so many requests. */
  lostFiles: number;
  lostBytes: number;
  lostRequests: number;
  /** Requests that serving could not capture, as it tells itself. */
  droppedRequests: number;
  /** Requests that were passed over, at random, because more came than a monitor may read. */
  notSampled: number;
}

export const NO_COUNTS: ReadCounts = {
  ...{ requests: 0, rows: 0, late: 0, unreadable: 0, failed: 0, notCaptured: 0, wrongShape: 0, answersUnread: 0 },
  ...{ lostFiles: 0, lostBytes: 0, lostRequests: 0, droppedRequests: 0, notSampled: 0 },
};

/** Of the requests that are in the capture, those that were read. */
export function readShare({ requests, notSampled }: Pick<ReadCounts, "notSampled" | "requests">): number {
  return notSampled === 0 ? 1 : requests / (requests + notSampled);
}

export interface HostReading {
  host: string;
  counts: ReadCounts;
  /** Of the youngest request that was read; null before the first. */
  newestMs: number | null;
  /** When it last stored something. */
  updatedMs: number;
}

/** undefined when no monitor has looked at the version yet. */
export async function readMonitorReport(
  db: Queryable,
  at: EndpointKey,
  variant: string,
): Promise<MonitorReport | undefined> {
  const stored = await readState(db, at, variant);
  return stored && (stored.state as unknown as MonitorReport);
}

/** What the monitors of all hosts have read of the endpoint. */
export async function readMonitorHosts(db: Queryable, at: EndpointKey): Promise<HostReading[]> {
  const hosts = await listOffsets(db, at);
  return hosts.map(({ counts, ...host }) => ({ ...host, counts: { ...NO_COUNTS, ...counts } }));
}
