import type { OperationInput, OperationOutput } from "../contract/operations.ts";
import { appendAudit, textDigest } from "../engine/audit-log.ts";
import { endpointBreaker } from "../engine/facts.ts";
import type { EndpointKey } from "../store/queries/admission.ts";
import { endpointRowExists, resetBreaker } from "../store/queries/endpoints.ts";
import type { Handlers, ServiceParts } from "./handler.ts";
import { notFound } from "./refusal.ts";
import { optionalTime } from "./rollout-view.ts";

type Params = OperationInput<"breakers.show">["params"];

/** P7's circuit breakers, one per endpoint. */
export function breakerHandlers(parts: ServiceParts): Handlers<"breakers.show" | "breakers.reset"> {
  return {
    "breakers.show": async ({ principal, input }) => {
      const at = { tenant: principal.tenant, ...input.params };
      if (!(await endpointRowExists(parts.database, at))) return notFound("endpoint");
      return view(parts, at, input.params);
    },

    "breakers.reset": async ({ principal, actor, input }) => {
      const { tenant } = principal;
      const at = { tenant, ...input.params };
      const atMs = parts.nowMs();
      await parts.database.transaction(async (tx) => {
        if (!(await resetBreaker(tx, at, atMs))) return notFound("endpoint");
        const endpoint = `${at.environment}/${at.target}/${at.name}`;
        const details = { endpoint, ...textDigest(input.body.comment) };
        const subject = `endpoint:${endpoint}`;
        await appendAudit(tx, { tenant, atMs, actor, action: "breaker.reset", subject, outcome: "accepted", details });
      });
      return view(parts, at, input.params);
    },
  };
}

async function view(parts: ServiceParts, at: EndpointKey, endpoint: Params): Promise<OperationOutput<"breakers.show">> {
  const { breaker, settings } = await endpointBreaker(parts.database, parts, at);
  const { state, failures, opensUntilMs } = breaker;
  const { failures: limit, windowSeconds, coolDownSeconds } = settings.breaker;
  const rule = { failures, limit, windowSeconds, coolDownSeconds };
  const simulation = endpoint.target === "simulated";
  return { endpoint, simulation, state, ...rule, opensUntil: optionalTime(opensUntilMs) };
}
