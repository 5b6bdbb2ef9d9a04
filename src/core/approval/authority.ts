import { unmetNeeds } from "../rollout/quorum.ts";
import type { Approval, ApprovalNeed } from "../rollout/rollout.ts";

/** Who may say what about a rollout. Whoever asks is described by their credential, never by what they send. */

export interface Asker {
  id: string;
  kind: "human" | "agent" | "service";
  roles: readonly string[];
}

export interface Proposer {
  id: string;
  /** The person who answers for it, where it is no person. */
  owner: string | null;
}

export type AuthorityProblem = { code: "humans-only" | "own-plan" | "forbidden"; message: string };

/** One sentence why this person may not decide about what that proposer proposed; null when they may. */
export function whyNotDecide(asker: Asker, proposer: Proposer): AuthorityProblem | null {
  if (asker.kind !== "human") {
    return { code: "humans-only", message: `Only a person decides, and ${asker.id} is ${KINDS[asker.kind]}.` };
  }
  if (proposer.id === asker.id) {
    return { code: "own-plan", message: "You proposed this plan; another person must approve it." };
  }
  if (proposer.owner === asker.id) {
    const message = `You answer for ${proposer.id}, which proposed this plan; another person must approve it.`;
    return { code: "own-plan", message };
  }
  return null;
}

const KINDS = { human: "a person", agent: "an agent", service: "a service" } as const;

/** Whether someone may act in a role. An admin may in every one but break-glass, which is always named. */
export function holdsRole(roles: readonly string[], role: Approval["role"]): boolean {
  return roles.includes(role) || (role !== "break-glass" && roles.includes("admin"));
}

/** What an approval in a role must carry. */
export interface Requirement {
  role: Approval["role"];
  mfa: boolean;
  signed: boolean;
}

/**
 * What this person's approval would be and must carry: the open need of the wanted role, else of any role that they
 * hold, one that asks for little first. Break-glass is never chosen for anybody, and always carries everything.
 */
export function requirementFor(
  asker: Pick<Asker, "roles">,
  rollout: { needs: readonly ApprovalNeed[]; approvals: readonly Approval[] },
  wanted: Approval["role"] | undefined,
): Requirement | AuthorityProblem {
  const open = unmetNeeds(rollout.needs, rollout.approvals);
  if (wanted === "break-glass") {
    if (holdsRole(asker.roles, "break-glass")) return { role: "break-glass", mfa: true, signed: true };
    return { code: "forbidden", message: "Breaking the glass needs the role break-glass, which is not yours." };
  }
  const fitting = open.filter(({ role }) => holdsRole(asker.roles, role) && (wanted === undefined || wanted === role));
  const need = fitting.find(({ mfa, signed }) => !mfa && !signed) ?? fitting[0];
  if (need !== undefined) return { role: need.role, mfa: need.mfa, signed: need.signed };
  const roles = open.map(({ role }) => role).join(", ");
  const message = `What is still needed is an approval as ${roles}, and that is not yours to give.`;
  return { code: "forbidden", message };
}
