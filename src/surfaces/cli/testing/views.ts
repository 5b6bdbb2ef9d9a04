import type { OperationOutput } from "../../../contract/operations.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

/** A rollout as the API shows it, with what a test wants to be different. */
export function rolloutView(changes: Partial<OperationOutput<"rollouts.get">> = {}): OperationOutput<"rollouts.get"> {
  return {
    id: "r-1",
    endpoint: { environment: "development", target: "local", name: "churn" },
    phase: "Provisioning",
    terminal: false,
    weightPercent: 0,
    planDigest: DIGEST,
    policyDigest: DIGEST,
    proposer: "ada",
    model: { name: "churn", version: "3.1.0" },
    strategy: "canary",
    restores: null,
    simulation: false,
    dryRun: false,
    reason: null,
    refusals: [],
    approvals: [],
    waitingFor: null,
    allowedActions: ["pause", "abort"],
    sequence: 4,
    createdAt: "2026-11-01T10:00:00Z",
    endedAt: null,
    expiresAt: null,
    deadlineAt: null,
    decision: {
      decision: "allow",
      planDigest: DIGEST,
      policyDigest: DIGEST,
      simulation: false,
      risk: "low",
      verification: "basic",
      runtime: "gpu",
      cost: { usdPerHour: 0.115, peakUsdPerHour: 0.115, notional: true, asOf: "2026-11-01", source: "test" },
      findings: [],
      fix: [],
      obligations: [],
      source: "server",
      unchecked: [],
    },
    plan: {},
    snapshot: null,
    ...changes,
  };
}

export function rolloutEvent(sequence: number, phase: string, type: string): OperationOutput<"rollouts.events"> {
  const at = "2026-11-01T10:00:01Z";
  return { sequence, at, type, phase, weightPercent: 10, actor: "system", simulation: false, details: {} };
}
