/** `note`: works, and somebody should know. `broken`: something will not work until it is mended. */
export type DoctorState = "ok" | "note" | "broken";

/** One thing that `doctor` looked at. */
export interface DoctorFinding {
  /** Stable, such as `database.clock`: its area and what of it. */
  check: string;
  state: DoctorState;
  /** What was looked at, for people. */
  looked: string;
  seen: string;
  /** What to do about it; null when nothing is to be done. */
  mend: string | null;
}
