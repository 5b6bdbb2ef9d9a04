import { isTerminal } from "./phases.ts";
import type { Command, Phase, Rollout } from "./rollout.ts";

/** The commands a phase may wait for; a phase that is not named waits for none. */
const WAITS_FOR: Partial<Record<Phase, readonly Command["type"][]>> = {
  Verifying: ["verify"],
  Snapshotting: ["snapshot", "gate"],
  Provisioning: ["provision"],
  Shifting: ["shift"],
  Baking: ["watch"],
  Promoting: ["promote"],
  RollingBack: ["rollback"],
};
const ON_THE_CLOCK: readonly Phase[] = ["Verifying", "Snapshotting", "Provisioning", "Shifting", "Baking", "Promoting"];
const WAITING: readonly Phase[] = ["Proposed", "AwaitingApproval"];
const BEFORE_EFFECTS: readonly Phase[] = ["Proposed", "AwaitingApproval", "Queued", "Verifying", "Snapshotting"];
const AFTER_EFFECTS: readonly Phase[] = [
  "Provisioning",
  "Shifting",
  "Baking",
  "Promoting",
  "RollingBack",
  "RolledBack",
];

/** Every rule that holds of a rollout at rest and is broken, one sentence each; empty when all hold. */
export function brokenInvariants(rollout: Rollout): string[] {
  const { phase, pending, resume, clock, effectsStarted, weightPercent } = rollout;
  const inBake = phase === "Baking" || resume?.phase === "Baking";
  const expected = resume?.phase === "Baking" ? ["watch"] : (WAITS_FOR[phase] ?? []);
  const rules: [boolean, string][] = [
    [phase !== "Admitted", "Admitted is passed through, never rested in"],
    [(pending !== null) === expected.length > 0, `one command is outstanding exactly where ${phase} waits for it`],
    [
      pending === null || expected.includes(pending.command.type),
      `${phase} does not wait for ${pending?.command.type}`,
    ],
    [pending === null || pending.sequence <= rollout.sequence, "a command is issued by an event that happened"],
    [(phase === "Paused") === (resume !== null), "resume is set exactly while paused"],
    [inBake === (rollout.bake !== null), "bake is set exactly while traffic is held"],
    [(clock.runningSinceMs !== null) === ON_THE_CLOCK.includes(phase), "the clock runs exactly where work goes on"],
    [!(BEFORE_EFFECTS.includes(phase) && effectsStarted), `${phase} comes before the first effect`],
    [!(AFTER_EFFECTS.includes(phase) && !effectsStarted), `${phase} comes after the first effect`],
    [!(rollout.dryRun && effectsStarted), "a dry run changes nothing"],
    [!effectsStarted || rollout.snapshot !== null, "a snapshot precedes the first effect"],
    [effectsStarted || weightPercent === 0, "traffic moves only by an effect"],
    [weightPercent >= 0 && weightPercent <= 100, "the candidate's share is between 0 and 100 percent"],
    [
      !rollout.pauseRequested || (phase !== "Paused" && !isTerminal(phase)),
      "a pause that took hold is no wish any more",
    ],
    [rollout.expiresAtMs === null || WAITING.includes(phase) || isTerminal(phase), "only a wait for approvals expires"],
    [!isTerminal(phase) || rollout.wakeAtMs === null, "nothing wakes a rollout that ended"],
  ];
  return rules.filter(([holds]) => !holds).map(([, rule]) => rule);
}
