import type { OperationOutput } from "../contract/operations.ts";
import { isTerminal } from "../core/rollout/phases.ts";
import type { Phase } from "../core/rollout/rollout.ts";
import { type EventRow, listEvents } from "../store/queries/rollouts.ts";
import type { ServiceParts } from "./handler.ts";

export type EventView = OperationOutput<"rollouts.events">;

const BATCH = 200;
/** Notifications make it quick; looking all the same makes it certain. */
const LOOK_AGAIN_MS = 1000;

/**
 * Every event of a rollout after a sequence number, in order and without a gap, until the one that ends it. `ended`
 * stops it earlier.
 */
export async function* followRollout(
  parts: Pick<ServiceParts, "database">,
  from: { tenant: string; id: string; after: number; ended: AbortSignal | undefined },
): AsyncGenerator<EventView> {
  const { tenant, id: rollout, ended } = from;
  let after = from.after;
  if (await hasEndedBefore(parts, { tenant, rollout, after })) return;
  const bell = new Bell(ended);
  const stopListening = await parts.database.listen("rollout_events", (payload) => {
    // An empty payload says that notifications may have been lost.
    if (payload === "" || payload.startsWith(`${tenant}/${rollout}/`)) bell.ring();
  });
  try {
    while (ended?.aborted !== true) {
      const rows = await listEvents(parts.database, { tenant, rollout, after, limit: BATCH });
      for (const row of rows) {
        yield view(row);
        after = row.sequence;
        if (isTerminal(row.phase as Phase)) return;
      }
      if (rows.length === 0) await bell.wait(LOOK_AGAIN_MS);
    }
  } finally {
    bell.close();
    await stopListening();
  }
}

/** A reader that comes back after the end gets nothing and is done, instead of waiting for what never comes. */
async function hasEndedBefore(
  parts: Pick<ServiceParts, "database">,
  at: { tenant: string; rollout: string; after: number },
): Promise<boolean> {
  if (at.after === 0) return false;
  const [last] = await listEvents(parts.database, { ...at, after: at.after - 1, limit: 1 });
  return last !== undefined && isTerminal(last.phase as Phase);
}

function view(row: EventRow): EventView {
  // What was decided stands in the rollout itself; here it would be repeated with every reader.
  const { decision: _, admission: __, ...details } = row.payload;
  const { sequence, type, phase, weightPercent, actor, simulation } = row;
  const report = simulation ? { report: "COMPLIANT" as const } : {};
  return { sequence, at: row.at.toISOString(), type, phase, weightPercent, actor, simulation, ...report, details };
}

/** Wakes one waiter. A ring while nobody waits is kept for the next wait. */
class Bell {
  #rung = false;
  #wake: (() => void) | undefined;
  readonly #ended: AbortSignal | undefined;
  readonly #onEnd = () => this.ring();

  constructor(ended: AbortSignal | undefined) {
    this.#ended = ended;
    ended?.addEventListener("abort", this.#onEnd);
  }

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  async wait(timeoutMs: number): Promise<void> {
    if (!this.#rung) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, timeoutMs);
      this.#wake = resolve;
      await promise;
      clearTimeout(timer);
      this.#wake = undefined;
    }
    this.#rung = false;
  }

  close(): void {
    this.#ended?.removeEventListener("abort", this.#onEnd);
  }
}
