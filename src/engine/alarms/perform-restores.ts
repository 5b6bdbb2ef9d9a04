import { isTerminal } from "../../core/rollout/phases.ts";
import type { Phase, Rollout } from "../../core/rollout/rollout.ts";
import type { Transaction } from "../../store/database.ts";
import { openSuppressions, readAlarms, writeAlarmEffect } from "../../store/queries/alarms.ts";
import { readPlanBytes, readSnapshot } from "../../store/queries/rollouts.ts";
import {
  dueRestores,
  readStanding,
  restoreByAlarm,
  type WatchRestoreRow,
  writeRestore,
} from "../../store/queries/watch-restores.ts";
import { type EngineParts, SYSTEM } from "../engine.ts";
import { planOfBytes } from "../gate.ts";
import { propose } from "../proposal.ts";
import { loadRollout } from "../rollout-rows.ts";
import { tellAsked } from "./alarm-audit.ts";
import { wayBackApprovals } from "./way-back-approvals.ts";

const LOCK_KEY = 7_266_816_013;
const AGAIN_MS = 5_000;
const AGAIN_MS_MAX = 600_000;

/** The proposals take transactions of their own while the lock is held. */
const RESTING = { mayRest: true } as const;

/**
 * Begins the restores that alarms want: what ran before comes back as a rollout of its own, proposed by the system,
 * decided and verified like any other. The wish was stored with the alarm's state, so that whoever dies in between, it is
 * begun, and once. Answers how many it looked at.
 */
export async function performDueRestores(parts: EngineParts): Promise<number> {
  if ((await dueRestores(parts.database, parts.nowMs())).length === 0) return 0;
  return parts.database.transaction(async (lock) => {
    const { rows } = await lock.query<{ locked: boolean }>("SELECT pg_try_advisory_xact_lock($1) AS locked", [
      LOCK_KEY,
    ]);
    if (rows[0]?.locked !== true) return 0;
    const due = await dueRestores(parts.database, parts.nowMs());
    for (const wish of due) await performOne(parts, wish);
    return due.length;
  }, RESTING);
}

type Outcome =
  | { outcome: "proposed"; restore: string; message: string | null }
  | { outcome: "denied"; restore: string; message: string }
  /** Without `ask` the next evaluation of the alarm may want it again. */
  | { outcome: "given-up"; restore: null; message: string; ask: boolean }
  /** It could not be tried; it is tried again. */
  | { outcome: null; restore: null; message: string };

async function performOne(parts: EngineParts, wish: WatchRestoreRow): Promise<void> {
  const { tenant, rollout: left } = wish;
  const rollout = await loadRollout(parts.database, { tenant, rolloutId: left });
  if (rollout === undefined) throw new Error(`broken invariant: a restore leaves a rollout, and ${left} is none`);
  const ended = await begin(parts, wish, rollout).catch((error: unknown): Outcome => {
    const message = error instanceof Error ? error.message : String(error);
    parts.log.warn("restore-not-begun", { tenant, rollout: left, reason: message });
    return { outcome: null, restore: null, message };
  });
  await parts.database.transaction((tx) => settle(tx, parts, { wish, rollout, ended }));
  const { environment, name } = rollout.endpoint;
  const facts = { tenant, endpoint: `${environment}-${name}`, rollout: ended.restore ?? left };
  if (ended.outcome !== null) parts.log.warn("alarm-restore", { ...facts, code: wish.alarm, reason: ended.outcome });
}

async function begin(parts: EngineParts, wish: WatchRestoreRow, rollout: Rollout): Promise<Outcome> {
  const { tenant, alarm } = wish;
  const at = { tenant, ...rollout.endpoint };
  const begun = await restoreByAlarm(parts.database, at, rollout.id);
  if (begun !== undefined) return outcomeOf({ id: begun.id, phase: begun.phase as Phase, reason: null });
  const { live, otherRollout } = await readStanding(parts.database, at, rollout.id);
  if (!live) return givenUp("This version does not serve any more.", false);
  if (otherRollout !== null) return givenUp(`The rollout ${otherRollout} is under way.`, false);
  const raised = await readAlarms(parts.database, { tenant, variant: rollout.id });
  if (!raised.some((one) => one.alarm === alarm && one.state === "ALARM")) return givenUp("The alarm ended.", false);
  const open = await openSuppressions(parts.database, at, parts.nowMs());
  if (open.some((one) => one.alarm === alarm)) return givenUp("It is suppressed.", false);
  const snapshot = await readSnapshot(parts.database, tenant, rollout.id);
  const digest = snapshot?.livePlanDigest ?? null;
  const bytes = digest === null ? undefined : await readPlanBytes(parts.database, tenant, digest);
  if (snapshot === undefined || bytes === undefined) return givenUp("The plan that ran before is not stored.", true);
  const restores = { rollout: rollout.id, snapshotSha256: snapshot.sha256, alarm };
  const { given } = await wayBackApprovals(parts.database, parts, { tenant, restores, endpoint: rollout.endpoint });
  const plan = planOfBytes(bytes, false);
  return outcomeOf((await propose(parts, { tenant, actor: SYSTEM, plan, restores, approvals: given })).rollout);
}

function givenUp(message: string, ask: boolean): Outcome {
  return { outcome: "given-up", restore: null, message, ask };
}

function outcomeOf({ id, phase, reason }: Pick<Rollout, "id" | "phase" | "reason">): Outcome {
  if (isTerminal(phase) && phase !== "Succeeded")
    return { outcome: "denied", restore: id, message: reason?.message ?? `The restore ended: ${phase}.` };
  const message = phase === "AwaitingApproval" ? "It waits for approvals." : null;
  return { outcome: "proposed", restore: id, message };
}

async function settle(
  tx: Transaction,
  parts: EngineParts,
  { wish, rollout, ended }: { wish: WatchRestoreRow; rollout: Rollout; ended: Outcome },
): Promise<void> {
  const { tenant, rollout: left, alarm } = wish;
  const waitMs = Math.min(AGAIN_MS_MAX, AGAIN_MS * 2 ** Math.min(wish.attempts, 10));
  const { outcome, restore, message } = ended;
  await writeRestore(tx, { tenant, rollout: left, outcome, restore, message, notBeforeMs: parts.nowMs() + waitMs });
  if (outcome === null || outcome === "proposed") return;
  const asks = outcome === "denied" || ended.ask;
  const effect = asks
    ? ({ kind: "ask", message: `It waits for a person: ${message}` } as const)
    : ({ kind: "none", message } as const);
  const written = await writeAlarmEffect(tx, { tenant, variant: left, alarm, effect });
  if (!asks || !written) return;
  const about = { tenant, variant: left, endpoint: rollout.endpoint, alarm, atMs: parts.nowMs(), rollout };
  await tellAsked(tx, { ...about, reason: outcome });
}
