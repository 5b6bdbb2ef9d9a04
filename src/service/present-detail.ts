import type { Verdict } from "../core/monitor/verdict.ts";
import { type RolloutRow, readNewestVerdict } from "../store/queries/rollouts.ts";
import type { ServiceParts } from "./handler.ts";
import { presentVerdict, withVerdict } from "./present-verdict.ts";
import { type RolloutDetailView, rolloutDetailView, timeOf } from "./rollout-view.ts";
import { watchView } from "./watch-view.ts";

/** A rollout with what is measured of it now, or was recorded last, and with its watch period. */
export async function presentDetail(parts: ServiceParts, row: RolloutRow): Promise<RolloutDetailView> {
  const { state, decision } = row;
  const endedAtMs = row.endedAt?.getTime() ?? null;
  const present = await presentVerdict(parts, state);
  const [recorded, watch] = await Promise.all([
    present === undefined ? readNewestVerdict(parts.database, state.tenant, state.id) : undefined,
    watchView(parts, state, endedAtMs),
  ]);
  const newest = present === undefined ? recorded : { verdict: present, at: new Date(parts.nowMs()) };
  return {
    ...rolloutDetailView(withVerdict(state, present), decision, endedAtMs),
    verdict: newest === undefined ? null : verdictView(newest.verdict, newest.at.getTime()),
    watch,
  };
}

function verdictView({ outcome, metrics }: Verdict, atMs: number): NonNullable<RolloutDetailView["verdict"]> {
  return { outcome, at: timeOf(atMs), metrics };
}
