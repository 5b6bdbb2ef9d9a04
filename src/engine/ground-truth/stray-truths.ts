import type { Transaction } from "../../store/database.ts";
import type { EndpointKey } from "../../store/queries/admission.ts";
import { countWaitingTruths, removeStrayTruths } from "../../store/queries/ground-truth.ts";

/** An endpoint takes twice as many labels that wait before it takes no more (service/ground-truth.ts). */
const WAITING_MAX = 500_000;
const LOOK_MS = 600_000;
/** An answer is read long before then; a label that came that long ago and has none is of an answer that is not kept. */
const READ_BY_MS = 3_600_000;

/**
 * Of more answers than are kept the labels come all the same, and wait for nothing: so many of them that no further one
 * would be taken. Those go, once there are many. Answers when it looked last.
 */
export async function tidyTruths(
  tx: Transaction,
  at: EndpointKey,
  { nowMs, lookedMs = 0, waitingMax = WAITING_MAX }: { nowMs: number; lookedMs?: number; waitingMax?: number },
): Promise<number> {
  if (nowMs - lookedMs < LOOK_MS) return lookedMs;
  if ((await countWaitingTruths(tx, at, waitingMax)) >= waitingMax)
    await removeStrayTruths(tx, at, { receivedBeforeMs: nowMs - READ_BY_MS, limit: waitingMax });
  return nowMs;
}
