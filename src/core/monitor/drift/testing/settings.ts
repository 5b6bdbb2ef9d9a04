import type { DriftSettings } from "../../../plan/monitor-settings.ts";

/** The documented defaults, with what a test is about put over them. */
export function driftSettings(given: Partial<DriftSettings> = {}): DriftSettings {
  return {
    ...{ methods: [], threshold: null, significance: 0.01, correction: "benjamini-hochberg", rowsMin: 1000 },
    ...{
      windowRows: 1000,
      windowSeconds: 300,
      windows: 3,
      breachingWindows: 2,
      ignore: [],
      columns: {},
      prediction: null,
    },
    ...given,
  };
}
