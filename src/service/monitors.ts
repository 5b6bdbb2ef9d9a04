import type { OperationOutput } from "../contract/operations.ts";
import { monitorSettings } from "../core/plan/monitor-settings.ts";
import type { Plan } from "../core/plan/schema.ts";
import { type MonitorReport, readMonitorHosts, readMonitorReport } from "../engine/monitor/monitor-report.ts";
import type { EndpointKey } from "../store/queries/admission.ts";
import { openSuppressions, readAlarms, type SuppressionRow } from "../store/queries/alarms.ts";
import { readEndpoint } from "../store/queries/endpoints.ts";
import { readRollout } from "../store/queries/rollouts.ts";
import { alarmView, suppressionView } from "./alarm-view.ts";
import type { Handlers, ServiceParts } from "./handler.ts";
import { notFound } from "./refusal.ts";
import { optionalTime, timeOf } from "./rollout-view.ts";
import { watchView } from "./watch-view.ts";

type View = OperationOutput<"monitors.get">;
type Version = View["versions"][number];

/** All that is measured of an endpoint, from what the monitors stored. */
export function monitorHandlers(parts: ServiceParts): Handlers<"monitors.get"> {
  return {
    "monitors.get": async ({ principal, input }) => {
      const at = { tenant: principal.tenant, ...input.params };
      const endpoint = await readEndpoint(parts.database, at);
      if (endpoint === undefined) return notFound("endpoint");
      const [suppressions, readings] = await Promise.all([
        openSuppressions(parts.database, at, parts.nowMs()),
        readMonitorHosts(parts.database, at),
      ]);
      const roles = [
        ["stable", endpoint.liveRollout],
        ["candidate", endpoint.activeRollout],
      ] as const;
      const versions = await Promise.all(
        roles.flatMap(([role, variant]) =>
          variant === null ? [] : [versionOf(parts, at, { role, variant, suppressions })],
        ),
      );
      return {
        endpoint: input.params,
        simulation: at.target === "simulated",
        versions: versions.filter((version) => version !== undefined),
        suppressions: suppressions.map(suppressionView),
        readings: readings.map(({ host, counts, newestMs, updatedMs }) => ({
          ...{ host, ...counts },
          newest: optionalTime(newestMs),
          updated: timeOf(updatedMs),
        })),
      };
    },
  };
}

async function versionOf(
  parts: ServiceParts,
  at: EndpointKey,
  of: { role: Version["role"]; variant: string; suppressions: readonly SuppressionRow[] },
): Promise<Version | undefined> {
  const { role, variant, suppressions } = of;
  const row = await readRollout(parts.database, at.tenant, variant);
  if (row === undefined) return undefined;
  const [report, alarms, watch] = await Promise.all([
    readMonitorReport(parts.database, at, variant),
    readAlarms(parts.database, { tenant: at.tenant, variant }),
    watchView(parts, row.state, row.endedAt?.getTime() ?? null),
  ]);
  const { name, version } = row.state.plan.spec.model;
  return {
    ...{ variant, role, watch },
    model: { name, version },
    asksFor: asksFor(row.state.plan),
    report: report === undefined ? null : reportView(report),
    alarms: alarms.map((alarm) => alarmView(alarm, suppressions)),
  };
}

function asksFor(plan: Plan): Version["asksFor"] {
  const { baseline, dataDrift, modelQuality, bias } = monitorSettings(plan);
  return [
    ...(dataDrift === null || baseline === null ? [] : (["drift"] as const)),
    ...(modelQuality === null ? [] : (["quality"] as const)),
    ...(bias === null ? [] : (["bias"] as const)),
  ];
}

function reportView(report: MonitorReport): NonNullable<Version["report"]> {
  const { sequential } = report;
  return {
    evaluatedAt: timeOf(report.evaluatedAtMs),
    baseline: report.baseline,
    baselineProblem: report.baselineProblem,
    rows: report.rows,
    readShare: report.readShare ?? 1,
    windows: report.windows.map(({ firstMs, lastMs, columns, ...window }) => ({
      ...{ ...window, first: timeOf(firstMs), last: timeOf(lastMs), columns: [...columns] },
    })),
    open: { rows: report.open.rows, first: optionalTime(report.open.firstMs) },
    columns: [...report.columns],
    sequential: sequential === null ? null : { ...sequential, columns: [...sequential.columns] },
    predictions: report.predictions,
    metrics: [...report.metrics],
  };
}
