import { ContinuumError } from "../../error.ts";

/**
 * `bad-sketch`: the bytes are no sketch of a version that is known here, or are damaged. `other-profile`: a sketch
 * that was made against another baseline, which must never be added to this one.
 */
export type SketchErrorCode = "bad-sketch" | "other-profile";

export class SketchError extends ContinuumError<SketchErrorCode> {}
