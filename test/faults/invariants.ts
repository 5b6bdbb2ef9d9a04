import { isDeepStrictEqual } from "node:util";
import { advance } from "../../src/core/rollout/advance.ts";
import { isAnswer } from "../../src/core/rollout/answers.ts";
import { deadlineAtMs } from "../../src/core/rollout/clock.ts";
import { brokenInvariants } from "../../src/core/rollout/invariants.ts";
import { holdsSlot, isTerminal } from "../../src/core/rollout/phases.ts";
import type { Rollout, RolloutEvent } from "../../src/core/rollout/rollout.ts";
import type { Quality, SimulatedHost } from "./simulated-host.ts";
import type { TinyEngine } from "./tiny-engine.ts";

/** How late the timers may find a deadline: their own pace, and the difference of the clocks. */
const OVERDUE_MS_MAX = 5_000;

export interface Checked {
  engine: TinyEngine;
  host: SimulatedHost;
  quality: (variant: string) => Quality;
}

/** What must hold whenever everybody rests; the first rule that is broken, or null. */
export function brokenAtRest({ engine, host }: Checked, changed: Iterable<string>, nowMs: number): string | null {
  for (const id of changed) {
    const broken = brokenRollout(engine, engine.rollout(id));
    if (broken !== null) return `${id}: ${broken}`;
  }
  for (const rollout of engine.rollouts.values()) {
    const deadline = deadlineAtMs(rollout);
    if (deadline !== null && nowMs > deadline + OVERDUE_MS_MAX) return `${rollout.id} goes on past its deadline`;
  }
  for (const { candidatePercent: percent, candidate } of host.all()) {
    if (percent < 0 || percent > 100) return `weights do not sum to 100: ${percent}`;
    if (percent > 0 && candidate === null) return "traffic goes to a version that is not there";
  }
  return null;
}

function brokenRollout(engine: TinyEngine, rollout: Rollout): string | null {
  const [broken] = brokenInvariants(rollout);
  if (broken !== undefined) return broken;
  const events = engine.events.get(rollout.id) ?? [];
  if (events.some(({ sequence }, index) => sequence !== index + 1)) return "the events have a gap";
  if (events.length !== rollout.sequence) return "an event was kept without its state, or a state without its event";
  if (new Set(events.map(({ cause }) => cause)).size !== events.length) return "a cause was applied twice";
  const jobs = [...engine.jobs.values()].filter((job) => job.rollout === rollout.id);
  if (jobs.length !== (rollout.pending === null ? 0 : 1))
    return `${jobs.length} jobs while ${rollout.pending?.command.type} is outstanding`;
  const onEndpoint = [...engine.rollouts.values()].filter(({ endpoint }) => endpoint.name === rollout.endpoint.name);
  if (onEndpoint.filter(holdsSlot).length > 1) return "two rollouts hold one endpoint";
  return null;
}

/** What must hold when an effect is about to change a target. */
export function brokenByEffect(
  engine: TinyEngine,
  { key, generation, newest }: { key: string; generation: number; newest: number },
): string | null {
  const rollout = engine.rollout(key.split("/")[0] ?? "");
  if (!engine.issuedKeys.has(key)) return `${key} was never ordered`;
  if (rollout.dryRun || !rollout.effectsStarted) return `${key} changes the target for a ${rollout.phase} rollout`;
  return generation < newest ? `${key} undoes what came after it` : null;
}

/** What must hold of a rollout in the moment it has ended. */
export function brokenAtEnd({ engine, host, quality }: Checked, rollout: Rollout): string | null {
  const { phase, id, effectsStarted, reason } = rollout;
  const replayed = replay(engine, id);
  if (typeof replayed === "string") return replayed;
  if (JSON.stringify(replayed) !== JSON.stringify(rollout)) return `${id} is not what its events say`;
  const served = host.served(rollout);
  if (phase === "Succeeded") {
    if (served?.stable?.variant !== id || served.candidate !== null) return `${id} succeeded and does not serve`;
    const how = quality(id);
    // What is restored served before: nobody has to ask it again for it to stay.
    const quietRestore = rollout.restores !== undefined && how === "silent";
    const may = how === "good" || quietRestore || passedByHand(engine, rollout);
    return may ? null : `${id} succeeded although it is ${how}`;
  }
  if (phase === "RolledBack") {
    const bytes = engine.snapshots.get(rollout.snapshot?.sha256 ?? "") ?? new Uint8Array();
    const { stable } = JSON.parse(Buffer.from(bytes).toString()) as { stable: unknown };
    if (!isDeepStrictEqual(served?.stable ?? null, stable)) return `${id} was rolled back to something else`;
    return (served?.candidate ?? null) !== null || served?.candidatePercent !== 0
      ? `${id} was rolled back and is still there`
      : null;
  }
  if (!effectsStarted)
    return served?.candidate?.variant === id ? `${id} ended in ${phase} and left something behind` : null;
  return phase === "Failed" && reason?.cause !== undefined
    ? null
    : `${id} ended in ${phase} after effects, without a word`;
}

/** The events alone must lead to the same state, and every answer must be to the command that was outstanding. */
function replay(engine: TinyEngine, id: string): Rollout | string {
  let rollout = engine.founded.get(id);
  if (rollout === undefined) return `${id} was never founded`;
  for (const { event, cause } of engine.events.get(id) ?? []) {
    const { pending } = rollout;
    const outstanding = pending === null ? null : `${id}/${pending.sequence}/${pending.command.type}`;
    if (isAnswer(event) && cause !== outstanding)
      return `${id} took the answer ${cause} while waiting for ${outstanding}`;
    if (isTerminal(rollout.phase)) return `${id} went on after its end`;
    const early = bakedTooShort(rollout, event);
    rollout = advance(rollout, event).rollout;
    if (early && (rollout.phase === "Shifting" || rollout.phase === "Promoting"))
      return `${id} left its bake before it was over`;
  }
  return rollout;
}

function bakedTooShort(rollout: Rollout, event: RolloutEvent): boolean {
  if (event.type !== "watched" || event.verdict.outcome !== "pass" || rollout.phase !== "Baking") return false;
  const bakedMs = Math.max(event.atMs, rollout.seenAtMs) - (rollout.bake?.startedAtMs ?? 0);
  return bakedMs < rollout.plan.spec.rollout.bakeSeconds * 1000;
}

/** Only a person who cuts a bake short lets a version serve that is not good. */
function passedByHand(engine: TinyEngine, { id }: Rollout): boolean {
  return engine.events.get(id)?.some(({ event }) => event.type === "promote-requested") ?? false;
}
