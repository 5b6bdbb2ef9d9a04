import { isDeepStrictEqual } from "node:util";
import { isAnswer } from "../../src/core/rollout/answers.ts";
import { deadlineAtMs } from "../../src/core/rollout/clock.ts";
import { brokenInvariants } from "../../src/core/rollout/invariants.ts";
import { holdsSlot, isTerminal } from "../../src/core/rollout/phases.ts";
import { unmetNeeds } from "../../src/core/rollout/quorum.ts";
import type { Rollout, RolloutEvent } from "../../src/core/rollout/rollout.ts";
import { verdictMark } from "../../src/core/rollout/verdict-mark.ts";
import type { Quality, SimulatedHost } from "./simulated-host.ts";
import type { TinyEngine } from "./tiny-engine.ts";

/** How late the timers may find a deadline: their own pace, and the difference of the clocks. */
const OVERDUE_MS_MAX = 5_000;

export interface Checked {
  engine: TinyEngine;
  host: SimulatedHost;
  quality: (variant: string) => Quality;
  /** By how much two clocks may differ. */
  clocksApartMs: number;
  /** Since when the database can be used; null while it cannot. */
  upSinceMs: () => number | null;
  /** Since when each rollout waits although its endpoint is free. */
  freeSince: Map<string, number>;
}

/** What must hold whenever everybody rests; the first rule that is broken, or null. */
export function brokenAtRest(
  { engine, host, clocksApartMs, upSinceMs, freeSince }: Checked,
  changed: Iterable<string>,
  nowMs: number,
): string | null {
  for (const id of changed) {
    const broken = brokenRollout(engine, engine.rollout(id));
    if (broken !== null) return `${id}: ${broken}`;
  }
  const up = upSinceMs();
  const timersWork = up !== null && nowMs > up + OVERDUE_MS_MAX;
  const sweptMs = timersWork ? nowMs - OVERDUE_MS_MAX : Number.NEGATIVE_INFINITY;
  const dueMs = timersWork ? nowMs - OVERDUE_MS_MAX - clocksApartMs : Number.NEGATIVE_INFINITY;
  for (const rollout of engine.rollouts.values()) {
    const deadline = deadlineAtMs(rollout);
    if (deadline !== null && dueMs > deadline) return `${rollout.id} goes on past its deadline`;
    const { phase, expiresAtMs } = rollout;
    if (phase === "AwaitingApproval" && expiresAtMs !== null && dueMs > expiresAtMs)
      return `${rollout.id} is overdue for approval`;
    if (phase === "Queued" && engine.holder(rollout) === undefined && (freeSince.get(rollout.id) ?? nowMs) < sweptMs)
      return `${rollout.id} waits for an endpoint that is free`;
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
  const approvals = events.flatMap(({ event }) => (event.type === "approved" ? [event.approval] : []));
  if (rollout.phase === "AwaitingApproval" && unmetNeeds(rollout.needs, approvals).length === 0)
    return "it has every approval and still waits";
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
  if (key.startsWith("reconcile/")) return generation < newest ? `${key} undoes what came after it` : null;
  const rollout = engine.rollout(key.split("/")[0] ?? "");
  if (!engine.issuedKeys.has(key)) return `${key} was never ordered`;
  if (rollout.dryRun || !rollout.effectsStarted) return `${key} changes the target for a ${rollout.phase} rollout`;
  return generation < newest ? `${key} undoes what came after it` : null;
}

/** What must hold of a rollout in the moment it has ended. */
export function brokenAtEnd({ engine, host, quality, clocksApartMs }: Checked, rollout: Rollout): string | null {
  const { phase, id, effectsStarted, reason } = rollout;
  const repeated = clocksApartMs === 0 ? saidTwice(engine, id) : null;
  if (repeated !== null) return repeated;
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

/** Once all is over, whatever failed on the way: each target holds what succeeded last, and nothing beside it. */
export function unlikeWanted({ engine, host }: Pick<Checked, "engine" | "host">): string | null {
  for (const { endpoint, tenant } of engine.rollouts.values()) {
    const served = host.served({ tenant, endpoint });
    const wanted = engine.desired.get(endpoint.name)?.variant;
    if (served?.stable?.variant !== wanted || (served?.candidate ?? null) !== null)
      return `${endpoint.name} never became what is wanted: ${wanted ?? "nothing"}`;
  }
  return null;
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
    rollout = engine.advance(rollout, event).rollout;
    if (early && (rollout.phase === "Shifting" || rollout.phase === "Promoting"))
      return `${id} left its bake before it was over`;
  }
  return rollout;
}

/** One share of traffic, one verdict, one event: and one more as the last word before the deadline. */
function saidTwice(engine: TinyEngine, id: string): string | null {
  let last = "";
  let times = 0;
  for (const { event } of engine.events.get(id) ?? []) {
    const mark = event.type === "watched" ? verdictMark(event.verdict) : "";
    times = mark === last ? times + 1 : 1;
    last = mark;
    // A pass that comes a moment too early, by a clock that is a little ahead, is asked for again.
    if (mark !== "" && !mark.startsWith("pass") && times > 3) return `${id} was told ${times} times in a row: ${mark}`;
  }
  return null;
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
