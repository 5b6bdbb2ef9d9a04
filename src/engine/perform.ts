import { sha256Digest } from "../core/plan/canonical.ts";
import type { Command, Rollout } from "../core/rollout/rollout.ts";
import type { Effect, Target } from "../drivers/target/target.ts";
import { readSnapshot } from "../store/queries/rollouts.ts";
import { monitorLook } from "./alarms/monitor-look.ts";
import type { EventBody } from "./commit.ts";
import type { EngineParts } from "./engine.ts";
import { EngineError, Fenced } from "./engine-error.ts";
import { gateRefusals, mockAnswers } from "./gate.ts";
import type { Job } from "./jobs.ts";
import { loadRollout } from "./rollout-rows.ts";
import { guardOf, versionOf } from "./version.ts";
import { watch } from "./watch.ts";

export interface Performed {
  event: EventBody;
  /** The rollout as it was when this began. */
  rollout: Rollout;
  /** What `snapshot-taken` is about. */
  snapshotBytes?: Uint8Array;
}

interface Work {
  parts: EngineParts;
  rollout: Rollout;
  target: Target;
  effect: Effect;
  signal: AbortSignal;
}

/**
 * Does what a job asks for, through a driver, and answers what is to be told to the rollout. Doing it again, by this
 * worker or another, changes nothing more: targets are idempotent by desired state. Throws what the driver throws,
 * `Fenced` when the rollout has moved on, and the signal's reason once nobody wants the answer. `rollout` is as the commit
 * that made the job left it, when that was this moment; otherwise it is read.
 */
export async function perform(
  parts: EngineParts,
  { job, rollout: known }: { job: Job; rollout?: Rollout | undefined },
  signal: AbortSignal,
): Promise<Performed> {
  const rollout = known ?? (await loadRollout(parts.database, { tenant: job.tenant, rolloutId: job.rollout }));
  if (rollout?.pending?.sequence !== job.sequence) throw new Fenced();
  const { target: name } = rollout.endpoint;
  const target = parts.targets.get(name);
  if (target === undefined) {
    throw new EngineError("target-not-available", `This server has no driver for the target ${name}.`);
  }
  const effect: Effect = {
    tenant: job.tenant,
    endpoint: rollout.endpoint,
    generation: job.generation,
    idempotencyKey: `${job.rollout}/${job.sequence}/${job.command.type}`,
  };
  const answered = await act({ parts, rollout, target, effect, signal }, job.command);
  return { ...answered, rollout };
}

async function act(work: Work, command: Command): Promise<Omit<Performed, "rollout">> {
  const { parts, rollout, target, effect, signal } = work;
  switch (command.type) {
    case "verify":
      return {
        event: { type: "verified", refusals: await refusalsAt(work, "verify"), ...(await mocksAt(work, "verify")) },
      };
    case "snapshot":
      return snapshot(work);
    case "gate": {
      const refusals = await refusalsAt(work, "pre-provision");
      if (refusals.length > 0) return { event: { type: "gate-refused", refusals } };
      return { event: { type: "gate-passed", ...(await mocksAt(work, "pre-provision")) } };
    }
    case "provision":
      await provision(work);
      return { event: { type: "provisioned" } };
    case "shift":
      await target.shift(effect, { percent: command.percent, guard: guardOf(rollout.plan) });
      return { event: { type: "shifted", percent: command.percent } };
    case "watch": {
      const monitor = monitorLook(parts, rollout);
      const verdict = await watch({ target, at: effect, command, nowMs: parts.nowMs, signal, monitor });
      return { event: { type: "watched", verdict } };
    }
    case "promote":
      await target.promote(effect);
      return { event: { type: "promoted" } };
    case "rollback":
      await rollback(work);
      return { event: { type: "rolled-back" } };
  }
}

function refusalsAt({ parts, rollout }: Work, gate: "verify" | "pre-provision") {
  return gateRefusals(parts, rollout.tenant, rollout.id, gate);
}

async function mocksAt({ parts, rollout }: Work, gate: "verify" | "pre-provision") {
  return rollout.simulation ? mockAnswers(parts, rollout, gate) : {};
}

async function snapshot({ target, effect }: Work): Promise<Omit<Performed, "rollout">> {
  const { bytes, empty } = await target.snapshot(effect);
  return { event: { type: "snapshot-taken", sha256: sha256Digest(bytes), empty }, snapshotBytes: bytes };
}

async function provision({ rollout, target, effect }: Work): Promise<void> {
  const version = versionOf(rollout);
  // A candidate that an attempt before this one brought up takes its own room; asking again would refuse it for that.
  const there = await target.describe(effect);
  if (!there?.variants.some(({ variant }) => variant === version.variant)) {
    const capacity = await target.capacity(rollout.plan);
    if (!capacity.ok) throw new EngineError("capacity", capacity.reason);
  }
  await target.provision(effect, version);
}

/** The stored bytes are what the rollback goes to; bytes that are not those that were recorded restore nothing. */
async function rollback({ parts, rollout, target, effect }: Work): Promise<void> {
  const stored = await readSnapshot(parts.database, rollout.tenant, rollout.id);
  if (stored === undefined || sha256Digest(stored.bytes) !== rollout.snapshot?.sha256) {
    throw new EngineError("snapshot-missing", "The snapshot is not there or is not the one that was recorded.");
  }
  await target.rollback(effect, stored.bytes);
}
