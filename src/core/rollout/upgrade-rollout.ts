import { ContinuumError } from "../error.ts";
import type { Rollout } from "./rollout.ts";

/**
 * A rollout outlives the program that began it. Its row is read by whatever program runs then: each step here turns
 * the form that one release wrote into the next one's, so that the reducer knows a single form. A step is never changed
 * once it was released; what an event says is only shown, never replayed, so events need none.
 */
type Stored = Omit<Rollout, "form"> & { form?: number };

const STEPS: readonly ((stored: Stored) => Stored)[] = [
  // The first form did not tell verdicts apart. The empty mark is unlike any: the next verdict counts as new.
  (stored) => (stored.lastVerdict === null ? stored : { ...stored, lastVerdict: { mark: "", ...stored.lastVerdict } }),
];

/** The form that this program writes; rows without one are of the first. */
export const ROLLOUT_FORM = STEPS.length + 1;

export type RolloutUpgradeErrorCode = "rollout-newer";

/** A rollout as it was stored, in this program's form. Throws `rollout-newer` for one that a later program wrote. */
export function upgradeRollout(stored: unknown): Rollout {
  const rollout = stored as Stored;
  const form = rollout.form ?? 1;
  if (form === ROLLOUT_FORM) return rollout as Rollout;
  if (form > ROLLOUT_FORM)
    throw new ContinuumError<RolloutUpgradeErrorCode>(
      "rollout-newer",
      `The rollout ${rollout.id} was last changed by a newer program (form ${form}, this one knows ${ROLLOUT_FORM}): start that version, or a newer one.`,
      { details: { rollout: rollout.id, form } },
    );
  const upgraded = STEPS.slice(form - 1).reduce((before, step) => step(before), rollout);
  return { ...upgraded, form: ROLLOUT_FORM };
}
