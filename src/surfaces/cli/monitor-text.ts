import type { OperationOutput } from "../../contract/operations.ts";
import { alarmText, FIGURE_COLUMNS } from "./alarm-text.ts";
import type { Paint } from "./paint.ts";
import { printable } from "./printable.ts";
import { type Column, textRecord, textTable } from "./text-table.ts";
import { metricsText, short } from "./verdict-text.ts";
import { watchWords } from "./watch-text.ts";

type MonitorView = OperationOutput<"monitors.get">;
type Version = MonitorView["versions"][number];
type Report = NonNullable<Version["report"]>;

const WINDOW_COLUMNS: readonly Column<Report["windows"][number]>[] = [
  { heading: "WINDOW", value: ({ number }) => number },
  { heading: "FROM", value: ({ first }) => first },
  { heading: "TO", value: ({ last }) => last },
  { heading: "ROWS", value: ({ rows }) => rows },
  { heading: "BREACHES", value: ({ breaching }) => (breaching ? "yes" : "no") },
  { heading: "COLUMNS", value: ({ columns }) => columns.join(", ") || null },
];

const READING_COLUMNS: readonly Column<MonitorView["readings"][number]>[] = [
  { heading: "HOST", value: ({ host }) => host },
  { heading: "REQUESTS", value: ({ requests }) => requests },
  { heading: "ROWS", value: ({ rows }) => rows },
  { heading: "LATE", value: ({ late }) => late },
  { heading: "UNREADABLE", value: ({ unreadable }) => unreadable },
  { heading: "NOT CAPTURED", value: ({ notCaptured }) => notCaptured },
  { heading: "WRONG SHAPE", value: ({ wrongShape }) => wrongShape },
  { heading: "FAILED", value: ({ failed }) => failed },
  { heading: "LOST", value: lostWords },
  { heading: "NOT SAMPLED", value: ({ notSampled }) => notSampled },
  { heading: "NEWEST", value: ({ newest }) => newest },
];

function lostWords({ lostFiles, lostRequests, droppedRequests }: MonitorView["readings"][number]): string {
  const files = lostFiles === 0 ? [] : [`about ${lostRequests} requests in ${lostFiles} files`];
  const dropped = droppedRequests === 0 ? [] : [`${droppedRequests} that serving could not capture`];
  return [...files, ...dropped].join("; ") || "none";
}

/** All that is measured of one endpoint, so that a person can do the sums over again. */
export function monitorText(monitor: MonitorView, paint: Paint): string {
  const { endpoint, simulation, versions, suppressions, readings } = monitor;
  const title = `${endpoint.environment}-${endpoint.name} on ${endpoint.target}${simulation ? " (simulation)" : ""}`;
  const suppressed = suppressions.map(
    ({ alarm, by, until, reason }) =>
      `${alarm} is suppressed by ${printable(by)} until ${until}: ${printable(reason)}\n`,
  );
  return [
    `${paint.strong(title)}\n`,
    ...suppressed,
    ...(versions.length === 0 ? ["nothing serves there\n"] : versions.map((version) => versionText(version, paint))),
    `\n${paint.strong("what was read")}\n`,
    textTable(readings, READING_COLUMNS, "no monitor has read anything of this endpoint"),
  ].join("");
}

function versionText(version: Version, paint: Paint): string {
  const { report, watch, alarms } = version;
  const head = textRecord({
    version: `${version.variant} (${version.role})`,
    model: `${version.model.name} ${version.model.version}`,
    "measured is": version.asksFor.join(", ") || "nothing: the plan has no monitor",
    watched: watch === null ? undefined : watchWords(watch),
    "waits for": watch?.waitsFor ?? undefined,
  });
  const measured =
    report === null
      ? version.asksFor.length === 0
        ? ""
        : "no monitor has looked at it yet\n"
      : reportText(report, paint);
  const raised = alarms.map((alarm) => `\n${alarmText(alarm, paint)}`);
  return `\n${head}${measured}${raised.join("")}`;
}

function reportText(report: Report, paint: Paint): string {
  const { baseline, sequential, predictions, open } = report;
  const record = textRecord({
    "looked at": report.evaluatedAt,
    baseline: baselineWords(report),
    rows: `${report.rows}, of which ${open.rows} are in no window yet`,
    "read of":
      report.readShare >= 1 ? undefined : `a random ${short(100 * report.readShare)} % of the captured requests`,
  });
  return [
    record,
    textTable(report.windows, WINDOW_COLUMNS, "no window is full yet"),
    baseline === null ? "" : textTable(report.columns, FIGURE_COLUMNS, "no column is compared yet"),
    sequential === null ? "" : sequentialText(sequential),
    predictions === null
      ? ""
      : `answers: ${predictions.candidate} of the candidate against ${predictions.stable} of stable, ` +
        `evidence ${short(predictions.evidence)} with the weight ${short(predictions.weight)}, threshold ${short(predictions.threshold)} for the weighted sum\n`,
    metricsText(report.metrics, paint),
  ].join("");
}

function baselineWords({ baseline, baselineProblem }: Report): string {
  if (baseline === null) return baselineProblem ?? "none";
  const exact = baseline.isExact ? "" : ", from a sketch: the sequential test is not made";
  return `${baseline.digest}, ${baseline.rows} rows of ${baseline.columns} columns${exact}`;
}

/** e-BH: the k columns with the most evidence count when each has at least columns / (k alpha). */
function sequentialText({ rows, threshold, alpha, columns }: NonNullable<Report["sequential"]>): string {
  const head = `evidence of drift over all ${rows} rows, at ${short(100 * alpha)} % for all columns together; a column needs ${short(threshold)}\n`;
  const shown: Column<(typeof columns)[number]>[] = [
    { heading: "COLUMN", value: ({ column }) => column },
    { heading: "EVIDENCE", value: ({ evidence }) => short(evidence) },
    { heading: "DRIFTED", value: ({ rejected }) => (rejected ? "yes" : "no") },
  ];
  return `${head}${textTable(columns, shown, "no column is tested yet")}`;
}
