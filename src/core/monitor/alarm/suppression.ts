/** A person says that an alarm of an endpoint is not acted on for a while. It is evaluated, recorded and shown as ever. */
export interface Suppression {
  id: string;
  by: string;
  reason: string;
  atMs: number;
  untilMs: number;
}

/** Nobody forgets an alarm for longer than a week. */
export const SUPPRESSION_SECONDS_MAX = 7 * 86_400;
export const SUPPRESSION_SECONDS_MIN = 60;

/** It ends by itself: at its last moment the alarm counts again. */
export function isSuppressing(suppression: Suppression | null | undefined, nowMs: number): boolean {
  return suppression != null && nowMs < suppression.untilMs;
}
