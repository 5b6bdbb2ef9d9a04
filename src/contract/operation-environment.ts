import type { Operation } from "./operation.ts";

/**
 * How it is known which environment an operation is about: it stands in the path, in the plan that is sent, or in the
 * rollout that the path names. `any`: reading, and bringing content that no environment has yet, which every role may
 * whose permission it is. `none`: it concerns the tenant as a whole, so a role that is limited to an environment does not
 * permit it.
 */
export type EnvironmentSource = "path" | "plan" | "rollout" | "any" | "none";

/** Of nobody's environment: artifacts, and statements about them. */
const OF_NO_ENVIRONMENT = /^\/v1\/(artifacts|evidence)(\/|$)/;
const OF_A_ROLLOUT = /^\/v1\/(rollouts|approvals)\/\{id\}(\/|$)/;

export function environmentSourceOf(operation: Operation): EnvironmentSource {
  const { path, permission, params } = operation;
  if (permission === "read" || (permission === "propose" && OF_NO_ENVIRONMENT.test(path))) return "any";
  if (params !== undefined && "environment" in params.shape) return "path";
  if (OF_A_ROLLOUT.test(path)) return "rollout";
  return path === "/v1/plans:check" || path === "/v1/rollouts" ? "plan" : "none";
}
