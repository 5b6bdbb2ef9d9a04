import type { OperationOutput } from "../contract/operations.ts";
import { isTerminal } from "../core/rollout/phases.ts";
import type { Phase, Rollout } from "../core/rollout/rollout.ts";
import { watchPeriod } from "../core/rollout/watch-period.ts";
import { type AlarmRow, readAlarms } from "../store/queries/alarms.ts";
import { readRollout } from "../store/queries/rollouts.ts";
import { readRestore, readStanding, type WatchRestoreRow } from "../store/queries/watch-restores.ts";
import type { ServiceParts } from "./handler.ts";
import { timeOf } from "./rollout-view.ts";

type WatchView = NonNullable<OperationOutput<"rollouts.get">["watch"]>;

/** The watch period of a rollout that succeeded; null where it has none, or where another version serves by now. */
export async function watchView(
  parts: Pick<ServiceParts, "database" | "nowMs">,
  rollout: Rollout,
  endedAtMs: number | null,
): Promise<WatchView | null> {
  const watch = watchPeriod(rollout, endedAtMs);
  if (watch === null) return null;
  const { tenant, id } = rollout;
  const [standing, restore, alarms] = await Promise.all([
    readStanding(parts.database, { tenant, ...rollout.endpoint }, id),
    readRestore(parts.database, { tenant, rollout: id }),
    readAlarms(parts.database, { tenant, variant: id }),
  ]);
  const began = restore?.restore ?? null;
  if (!standing.live && began === null) return null;
  return {
    until: timeOf(watch.untilMs),
    over: !standing.live || parts.nowMs() >= watch.untilMs,
    alarms: [...watch.alarms],
    onAlarm: watch.onAlarm,
    whyAsk: watch.whyAsk,
    restore: began,
    waitsFor: standing.live ? await waitsFor(parts, { tenant, alarms, restore }) : null,
  };
}

/** What a person has to decide; null when nothing waits. */
async function waitsFor(
  parts: Pick<ServiceParts, "database">,
  of: { tenant: string; alarms: readonly AlarmRow[]; restore: WatchRestoreRow | undefined },
): Promise<string | null> {
  const { restore } = of;
  const asked = of.alarms.find(
    ({ state, effect, acknowledgement }) => state === "ALARM" && effect?.kind === "ask" && acknowledgement === null,
  );
  if (asked !== undefined) return `${asked.alarm}: ${asked.effect?.message ?? asked.reason}`;
  if (restore === undefined) return null;
  if (restore.outcome === null && restore.message !== null)
    return `${restore.alarm}: what ran before could not be brought back yet, and it is tried again: ${restore.message}`;
  if (restore.outcome !== "proposed" || restore.restore === null) return null;
  const phase = (await readRollout(parts.database, of.tenant, restore.restore))?.state.phase;
  return phase === undefined ? null : restoreWords(restore.restore, phase);
}

function restoreWords(id: string, phase: Phase): string | null {
  if (phase === "AwaitingApproval") return `The restore ${id} waits for approvals.`;
  return isTerminal(phase) ? `The restore ${id} ended: ${phase}. This version serves on until a person decides.` : null;
}
