import { assert } from "../core/error.ts";
import { planDigest, sha256Digest } from "../core/plan/canonical.ts";
import type { Plan } from "../core/plan/schema.ts";
import type { EvidenceKind, Gate } from "../core/policy/decision.ts";
import { refusals } from "../core/policy/refusals.ts";
import { APPROVAL_EXPIRY_SECONDS } from "../core/rollout/new-rollout.ts";
import type { MockApprovalStep, Rollout } from "../core/rollout/rollout.ts";
import type { Trust } from "../drivers/signatures/signatures.ts";
import { readRolloutAndPlan } from "../store/queries/rollouts.ts";
import { decideNow } from "./admission.ts";
import type { EngineParts } from "./engine.ts";
import type { FactsQuestion } from "./facts.ts";
import { mockApprovals } from "./mock-approvals.ts";

export interface GateRefusal {
  clause: string;
  message: string;
}

type GateParts = Pick<
  EngineParts,
  "artifacts" | "database" | "defaultSettings" | "images" | "nowMs" | "policySet" | "prices" | "signatures"
>;

/**
 * Decides a rollout again at a gate, over the stored bytes of its plan: every denial, and everything that must be there
 * by then and is not. Empty when the gate is open. Of a simulated rollout nothing is asked: its mocks answer.
 */
export async function gateRefusals(
  parts: GateParts,
  tenant: string,
  rolloutId: string,
  gate: Extract<Gate, "verify" | "pre-provision">,
): Promise<GateRefusal[]> {
  const stored = await readRolloutAndPlan(parts.database, tenant, rolloutId);
  if (stored === undefined)
    throw new Error(`broken invariant: rollout ${rolloutId} is stored before its gates are asked`);
  const { rollout, bytes } = stored;
  const changed = integrityProblem(rollout, bytes);
  if (bytes === undefined || changed !== null)
    return [{ clause: "CP-8", message: changed ?? "The plan is not stored." }];
  const plan = planOfBytes(bytes, rollout.dryRun);
  // The one switch: what the verified bytes say, and nothing that stands beside them.
  if (plan.spec.target === "simulated") return [];
  return refusals(await decideNow(parts.database, parts, questionAt(rollout, plan, gate)));
}

/**
 * What a simulated rollout is asked for in place of refusals: for everything that the same plan would owe at the gate, a
 * mock is made and judged. Answers what they stood in for, e.g. `evidence:tests` or `approval:approver`, and before the
 * snapshot the steps of the approval workflow.
 */
export async function mockAnswers(
  parts: GateParts & Pick<EngineParts, "approvalExpirySeconds">,
  rollout: Rollout,
  gate: Extract<Gate, "verify" | "pre-provision">,
): Promise<{ mocks: string[]; mockApprovals?: MockApprovalStep[] }> {
  const { live } = await decideNow(parts.database, parts, questionAt(rollout, rollout.plan, gate));
  const obligations = live?.obligations ?? [];
  const mocks: string[] = [];
  for (const obligation of obligations) {
    if (obligation.kind === "approval") mocks.push(`approval:${obligation.role}`);
    if (obligation.kind === "evidence") {
      await judgeMock(parts, rollout, obligation.of);
      mocks.push(`evidence:${obligation.of}`);
    }
  }
  if (gate !== "verify") return { mocks };
  const expirySeconds = parts.approvalExpirySeconds ?? APPROVAL_EXPIRY_SECONDS;
  return { mocks, mockApprovals: mockApprovals(obligations, { rollout, nowMs: parts.nowMs(), expirySeconds }) };
}

async function judgeMock(parts: GateParts, { planDigest: subjectDigest }: Rollout, of: EvidenceKind): Promise<void> {
  const { simulated } = parts.signatures;
  const context = { subjectDigest, trust: NOBODY, nowMs: parts.nowMs() };
  const verdict = await simulated.verify(of, simulated.make(of, subjectDigest), context);
  assert(verdict.ok && verdict.simulated, "a mock is judged by mocks, and says that it is one");
}

/** Mocks are judged by what they are; no trust of the tenant is lent to them. */
const NOBODY: Trust = {
  ...{ signers: [], builders: [], trustedRoot: null },
  maxAgeMs: { tests: 0, "manifest-signature": 0, "image-signature": 0, provenance: 0 },
};

function questionAt(rollout: Rollout, plan: Plan, gate: Gate): FactsQuestion {
  const { tenant, planDigest: digest } = rollout;
  return { tenant, plan, planDigest: digest, gate, principal: { kind: "system" }, rollout };
}

/** A stored plan as data. Read it only after its bytes were compared with their digest. */
export function planOfBytes(bytes: Uint8Array, dryRun: boolean): Plan {
  const plan = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Plan;
  return { ...plan, spec: { ...plan.spec, dryRun } };
}

/**
 * CP-8: the stored bytes are those of the digest, the copy that the rollout works with says the same, and the rollout
 * acts where its plan says: a simulation that acted on a real target would have passed no gate.
 */
function integrityProblem(rollout: Rollout, bytes: Uint8Array | undefined): string | null {
  if (bytes === undefined) return "The plan's stored bytes are gone.";
  const actual = sha256Digest(bytes);
  if (actual !== rollout.planDigest)
    return `The plan's stored bytes have the digest ${actual}, not ${rollout.planDigest}.`;
  const { endpoint, plan, simulation } = rollout;
  if (planDigest(plan) !== rollout.planDigest)
    return "The plan that the rollout works with is not the one that was stored and decided.";
  const { environment, target } = plan.spec;
  const isThere = endpoint.environment === environment && endpoint.target === target;
  if (isThere && endpoint.name === plan.metadata.name && simulation === (target === "simulated")) return null;
  return "The rollout acts on another endpoint than the plan that was stored and decided.";
}
