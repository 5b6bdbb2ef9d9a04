import type { OperationOutput } from "../../contract/operations.ts";
import { type Column, textRecord, textTable } from "./text-table.ts";

type EndpointView = OperationOutput<"endpoints.get">;
type Variant = NonNullable<EndpointView["variants"]>[number];

export const ENDPOINT_COLUMNS: readonly Column<EndpointView>[] = [
  { heading: "ENDPOINT", value: ({ endpoint }) => `${endpoint.environment}-${endpoint.name}` },
  { heading: "TARGET", value: ({ endpoint, simulated }) => `${endpoint.target}${simulated ? " (simulated)" : ""}` },
  { heading: "MODEL", value: modelWords },
  { heading: "INSTANCES", value: instanceWords },
  { heading: "$/HOUR", value: ({ usdPerHour }) => usdPerHour },
  { heading: "ROLLOUT", value: ({ activeRollout }) => activeRollout ?? "none under way" },
];

const VARIANT_COLUMNS: readonly Column<Variant>[] = [
  { heading: "VARIANT", value: ({ variant }) => variant },
  { heading: "ROLE", value: ({ role }) => role },
  { heading: "VERSION", value: ({ modelVersion }) => modelVersion },
  { heading: "TRAFFIC", value: ({ percent }) => `${percent} %` },
  { heading: "REQUESTS", value: ({ requests }) => requests },
  { heading: "ERRORS", value: ({ errors }) => errors },
  { heading: "P50 MS", value: ({ latencyMs }) => latencyMs.p50 },
  { heading: "P99 MS", value: ({ latencyMs }) => latencyMs.p99 },
  { heading: "HEALTHY", value: ({ replicas }) => `${replicas.healthy} of ${replicas.wanted}` },
];

/** One endpoint for a person, with what its target reports now. */
export function endpointText(view: EndpointView): string {
  const record = textRecord({
    endpoint: `${view.endpoint.environment}-${view.endpoint.name} on ${view.endpoint.target}${view.simulated ? " (simulated)" : ""}`,
    model: modelWords(view),
    instances: instanceWords(view),
    "$/hour": view.usdPerHour,
    "live rollout": view.liveRollout,
    "under way": view.activeRollout ?? undefined,
    "plan digest": view.planDigest,
    "invoke at": view.invokeUrl,
    updated: view.updatedAt,
  });
  const variants =
    view.variants === null
      ? "its target reports nothing now\n"
      : textTable(view.variants, VARIANT_COLUMNS, "no variant serves");
  return `${record}\n${variants}`;
}

function modelWords({ model }: EndpointView): string | null {
  return model === null ? null : `${model.name} ${model.version}`;
}

function instanceWords({ instanceCount, instanceType }: EndpointView): string | null {
  return instanceCount === null ? null : `${instanceCount} x ${instanceType ?? "?"}`;
}
