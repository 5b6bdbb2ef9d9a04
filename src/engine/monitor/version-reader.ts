import type {
  AnsweredRow,
  CapturedInference,
  Cell,
  InferenceRows,
  RowShape,
} from "../../core/monitor/capture/captured-inference.ts";
import { readAnswers } from "../../core/monitor/capture/read-answers.ts";
import { readRows } from "../../core/monitor/capture/read-rows.ts";
import { categoryOf, numberOf } from "../../core/monitor/sketch/cell-value.ts";
import type { ColumnProfile } from "../../core/monitor/sketch/column-profile.ts";
import { type RowLayout, RowSketch } from "../../core/monitor/sketch/row-sketch.ts";
import type { NewCell } from "../../store/queries/monitor.ts";
import type { PredictionRow } from "../ground-truth/prediction-row.ts";
import type { VersionBaseline } from "./baseline-book.ts";
import { slotMs } from "./event-time.ts";
import type { ReadCounts } from "./monitor-report.ts";
import type { VersionTests } from "./version-tests.ts";
import type { WatchedVersion } from "./watched.ts";

export interface VersionReaderOptions {
  version: WatchedVersion;
  baseline: VersionBaseline | null;
  tests: VersionTests;
  /** Whether the version's answers are compared with those of the one that serves. */
  comparesAnswers: boolean;
}

/** One request of the endpoint, as the reader of a version is given it. */
export interface ReadRequest {
  inference: CapturedInference;
  assignment: NonNullable<CapturedInference["continuum"]>;
  /** When it counts; see `eventTime`. */
  atMs: number;
  /** The name that its truth will come under; null where there is no key to derive it. */
  inferenceName: string | null;
}

interface OpenCell {
  sketch: RowSketch;
  rows: number;
  firstMs: number;
  lastMs: number;
}

/**
 * Turns the requests of one batch into what is stored of one version: cells, the states of its tests, and answers for
 * truth that comes later. Nothing of a batch is left in it after `takeCells` and `takePredictions`.
 */
export class VersionReader {
  readonly options: VersionReaderOptions;
  readonly #shape: RowShape;
  /** The columns that are watched: their profiles, and where they stand in a row; -1 for the answer. */
  readonly #profiles: readonly ColumnProfile[];
  readonly #places: readonly number[];
  readonly #slotMs: number;
  readonly #facetPlace: number;
  readonly #groupPlace: number;
  #cells = new Map<number, OpenCell>();
  #predictions: PredictionRow[] = [];
  #isChanged = false;

  constructor(options: VersionReaderOptions) {
    this.options = options;
    const { settings } = options.version;
    const baseline = options.baseline;
    this.#shape = rowShape(options);
    this.#profiles = baseline?.layout.profiles ?? [];
    this.#places = this.#profiles.map(({ name }) => this.#shape.columns.indexOf(name));
    this.#slotMs = slotMs(settings);
    this.#facetPlace = placeOf(this.#shape, settings.bias?.facet);
    this.#groupPlace = placeOf(this.#shape, settings.bias?.group ?? undefined);
  }

  /** A request that this version answered, or was meant to. */
  takeOwn(request: ReadRequest, counts: ReadCounts): void {
    const read = this.#read(request.inference);
    counts.requests += 1;
    if (read.unreadRows === "failed") counts.failed += 1;
    else if (read.unreadRows === "not-captured") counts.notCaptured += 1;
    else if (read.unreadRows !== null && this.options.baseline !== null) counts.wrongShape += 1;
    if (read.unreadRows === null && read.unreadAnswers !== null) counts.answersUnread += 1;
    const layout = this.options.baseline?.layout;
    if (layout !== undefined && layout.profiles.length > 0) {
      for (const [at, row] of read.rows.entries()) this.#sketch(layout, request, { read, at, row });
      counts.rows += read.rows.length;
    }
    this.#compare(request, read);
    this.#keepPredictions(request, read);
  }

  /** A request of the version that serves, which this one is compared with. */
  takeOther(request: ReadRequest): void {
    const read = this.#read(request.inference);
    this.#compare(request, read);
    this.#keepPredictions(request, read);
  }

  takeCells(): NewCell[] {
    const cells = [...this.#cells.values()].map(({ sketch, rows, firstMs, lastMs }) => {
      return { variant: this.options.version.variant, firstMs, lastMs, rows, sketch: sketch.encode() };
    });
    this.#cells = new Map();
    return cells.toSorted((a, b) => a.firstMs - b.firstMs);
  }

  takePredictions(): PredictionRow[] {
    const taken = this.#predictions;
    this.#predictions = [];
    return taken;
  }

  /** The state of the tests when it is another than before; null else. */
  takeTests(): Uint8Array | null {
    if (!this.#isChanged) return null;
    this.#isChanged = false;
    return this.options.tests.encode();
  }

  /** Without a baseline no column is known, so that a request's rows are not; its answer is, where it asked for one. */
  #read(inference: CapturedInference): InferenceRows {
    const read = readRows(inference, this.#shape);
    if (this.options.baseline !== null || read.unreadRows === null || read.unreadRows === "failed") return read;
    const answers = readAnswers(inference.output, 1, this.#shape.answer);
    return typeof answers === "string" ? read : { ...read, answers, unreadAnswers: null };
  }

  #sketch(
    layout: RowLayout,
    request: ReadRequest,
    of: { read: InferenceRows; at: number; row: readonly Cell[] },
  ): void {
    const slot = Math.floor(request.atMs / this.#slotMs);
    let cell = this.#cells.get(slot);
    if (cell === undefined) {
      cell = { sketch: new RowSketch(layout), rows: 0, firstMs: request.atMs, lastMs: request.atMs };
      this.#cells.set(slot, cell);
    }
    cell.rows += 1;
    cell.firstMs = Math.min(cell.firstMs, request.atMs);
    cell.lastMs = Math.max(cell.lastMs, request.atMs);
    const values = this.#places.map((place, column) =>
      place < 0 ? answerOf(of.read.answers?.[of.at], this.#profiles[column]) : of.row[place],
    );
    cell.sketch.add(values);
    this.#isChanged = true;
    for (const [column, profile] of this.#profiles.entries()) {
      const value = profile.kind === "number" ? numberOf(values[column]) : categoryOf(values[column]);
      if (value === null || value === undefined) continue;
      if (typeof value === "string" || Number.isFinite(value)) this.options.tests.update(column, value);
    }
  }

  /** One bet a request, however many rows it asked for: their answers are no draws of their own. */
  #compare({ assignment }: ReadRequest, { answers }: InferenceRows): void {
    if (!this.options.comparesAnswers || answers === null) return;
    const scores = answers.flatMap(({ score, value }) => score ?? value ?? []);
    if (scores.length === 0) return;
    const { variant } = this.options.version;
    this.options.tests.scores.update({
      candidate: assignment.variant === variant,
      probability: assignment.candidateProbability,
      score: scores.reduce((sum, score) => sum + score, 0) / scores.length,
    });
    this.#isChanged = true;
  }

  #keepPredictions({ assignment, atMs, inferenceName }: ReadRequest, { rows, answers }: InferenceRows): void {
    const { settings } = this.options.version;
    if (inferenceName === null || answers === null) return;
    if (settings.modelQuality === null && settings.bias === null) return;
    for (const [row, { predicted, value, score }] of answers.entries()) {
      this.#predictions.push({
        ...{ inference: inferenceName, row, variant: assignment.variant, atMs, predicted, value, score },
        candidateProbability: assignment.candidateProbability,
        facet: textAt(rows[row], this.#facetPlace),
        group: textAt(rows[row], this.#groupPlace),
      });
    }
  }
}

function rowShape({ version, baseline }: VersionReaderOptions): RowShape {
  const { modelQuality, bias } = version.settings;
  return {
    columns: baseline?.inputs ?? [],
    optional: [bias?.facet, bias?.group ?? undefined].filter((name) => name !== undefined),
    answer: {
      problem: modelQuality?.problem ?? null,
      prediction: modelQuality?.prediction ?? null,
      probability: modelQuality?.probability ?? null,
    },
  };
}

function placeOf({ columns }: RowShape, name: string | undefined): number {
  return name === undefined ? -1 : columns.indexOf(name);
}

/** A baseline's column of classes is compared with the class, one of probabilities or values with the number. */
function answerOf(answer: AnsweredRow | undefined, profile: ColumnProfile | undefined): Cell {
  if (answer === undefined) return undefined;
  const { predicted, value, score } = answer;
  const isClass = profile?.kind === "category" || profile?.isIntegral === true;
  return value ?? (isClass ? (predicted ?? score) : (score ?? predicted)) ?? undefined;
}

function textAt(row: readonly Cell[] | undefined, place: number): string | null {
  return place < 0 ? null : (categoryOf(row?.[place]) ?? null);
}
