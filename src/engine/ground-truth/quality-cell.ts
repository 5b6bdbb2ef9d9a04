import { deflateRawSync, inflateRawSync } from "node:zlib";
import { BiasTally, type BiasTallyState } from "../../core/monitor/bias/bias-tally.ts";
import { QualityTally, type QualityTallyState } from "../../core/monitor/quality/quality-tally.ts";
import type { MonitorSettings } from "../../core/plan/monitor-settings.ts";

/** How much of what came has a known truth. */
export interface Coverage {
  /** Answers that came, and those of them that are kept until their truth is known (all of them below a stated rate). */
  seen: number;
  kept: number;
  /** Of the kept ones, those whose time was over, and those of them whose truth was known by then. */
  due: number;
  matched: number;
}

export function noCoverage(): Coverage {
  return { seen: 0, kept: 0, due: 0, matched: 0 };
}

interface StoredCell extends Coverage {
  form: 1;
  quality: QualityTallyState | null;
  bias: BiasTallyState | null;
}

/** What answers of one side come to; cells of several hours, and of several hosts, add up. */
export class QualityCell {
  readonly quality: QualityTally | null;
  readonly bias: BiasTally | null;
  readonly coverage: Coverage;

  private constructor(quality: QualityTally | null, bias: BiasTally | null, coverage: Coverage = noCoverage()) {
    this.quality = quality;
    this.bias = bias;
    this.coverage = coverage;
  }

  static empty({ modelQuality, bias }: MonitorSettings): QualityCell {
    return new QualityCell(
      modelQuality === null ? null : new QualityTally(modelQuality),
      bias === null ? null : new BiasTally(bias.favoured),
    );
  }

  static decode({ modelQuality, bias }: MonitorSettings, bytes: Uint8Array): QualityCell {
    const stored = JSON.parse(inflateRawSync(bytes).toString("utf8")) as StoredCell;
    if (stored.form !== 1) throw new Error("broken invariant: a cell is stored in a form that this program wrote");
    const { seen, kept, due, matched } = stored;
    return new QualityCell(
      modelQuality === null || stored.quality === null ? null : QualityTally.fromState(modelQuality, stored.quality),
      bias === null || stored.bias === null ? null : BiasTally.fromState(bias.favoured, stored.bias),
      { seen, kept, due, matched },
    );
  }

  merge(other: QualityCell): void {
    if (other.quality !== null) this.quality?.merge(other.quality);
    if (other.bias !== null) this.bias?.merge(other.bias);
    for (const count of ["seen", "kept", "due", "matched"] as const) this.coverage[count] += other.coverage[count];
  }

  encode(): Buffer {
    const stored: StoredCell = {
      ...{ form: 1, ...this.coverage },
      quality: this.quality?.toState() ?? null,
      bias: this.bias?.toState() ?? null,
    };
    return deflateRawSync(JSON.stringify(stored), { level: 1 });
  }
}
