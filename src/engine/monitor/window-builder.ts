import { driftOf, type WindowDrift } from "../../core/monitor/drift/column-drift.ts";
import { type RowLayout, RowSketch } from "../../core/monitor/sketch/row-sketch.ts";
import { SketchError } from "../../core/monitor/sketch/sketch-error.ts";
import type { DriftSettings } from "../../core/plan/monitor-settings.ts";
import type { Queryable, Transaction } from "../../store/database.ts";
import type { EndpointKey } from "../../store/queries/admission.ts";
import { type CellRow, deleteCells, insertCells, listCellIds, readCells } from "../../store/queries/monitor.ts";
import { insertWindow, listWindows } from "../../store/queries/monitor-windows.ts";
import type { Logger } from "../engine.ts";
import { LATE_MS } from "./event-time.ts";

/** A window that closed, as it is compared with the baseline. */
export interface ClosedWindow {
  number: number;
  firstMs: number;
  lastMs: number;
  rows: number;
  /** Of this window and all before it. */
  totalRows: number;
  drift: WindowDrift;
}

export interface WindowBuilderOptions {
  at: EndpointKey;
  variant: string;
  layout: RowLayout;
  settings: DriftSettings;
  nowMs(): number;
  log: Logger;
}

interface OpenWindow {
  /** The cells that are in it, which are deleted when it closes. */
  ids: number[];
  sketch: RowSketch;
  rows: number;
  firstMs: number;
  lastMs: number;
}

/** However many rows come, a window lasts this share of `windowSeconds`, so that a busy endpoint has no window a second. */
const SHORTEST_SHARE = 1 / 30;
/** An open window of many small cells is made one: it may last a week. */
const CELLS_MAX = 64;
const CELLS_AT_ONCE = 256;

/**
 * Adds the cells of all hosts up to windows, in the order of what they are about, and remembers what it added, so that
 * each look has to read what is new alone. What is remembered is checked against what is stored and made anew where
 * another monitor was at work.
 */
export class WindowBuilder {
  readonly #options: WindowBuilderOptions;
  #open: OpenWindow | undefined;
  #closed: ClosedWindow[] | undefined;
  /** Of the closed windows that count and the open one together. */
  #recent: RowSketch | undefined;

  constructor(options: WindowBuilderOptions) {
    this.#options = options;
  }

  /** After a transaction that did not happen, what is remembered did not either. */
  forget(): void {
    this.#open = undefined;
    this.#closed = undefined;
    this.#recent = undefined;
  }

  /** The newest that count, oldest first. */
  get closed(): readonly ClosedWindow[] {
    return this.#closed ?? [];
  }

  get open(): { rows: number; firstMs: number | null } {
    return { rows: this.#open?.rows ?? 0, firstMs: this.#open?.firstMs ?? null };
  }

  /** When the youngest row came; null before the first. */
  get newestMs(): number | null {
    return this.#open?.lastMs ?? this.#closed?.at(-1)?.lastMs ?? null;
  }

  /** All rows of the version so far. */
  get rows(): number {
    return (this.#closed?.at(-1)?.totalRows ?? 0) + (this.#open?.rows ?? 0);
  }

  /** The newest rows beside the baseline: all columns, or those that are named. */
  recentDrift(columns?: ReadonlySet<string>): WindowDrift {
    const { layout, settings } = this.#options;
    const { profiles } = layout;
    const counts = this.#recent?.counts() ?? [];
    const watched = columns === undefined ? profiles : profiles.filter(({ name }) => columns.has(name));
    return driftOf({ profiles: watched, counts, settings });
  }

  /** Takes in what came since the last look, and closes what is full or over. */
  async advance(tx: Transaction): Promise<void> {
    await this.#checkMemory(tx);
    const known = new Set(this.#open?.ids);
    const { at, variant } = this.#options;
    const fresh = (await listCellIds(tx, at, variant)).filter((id) => !known.has(id));
    for (let from = 0; from < fresh.length; from += CELLS_AT_ONCE) {
      const ids = fresh.slice(from, from + CELLS_AT_ONCE);
      for (const cell of await readCells(tx, at, { variant, ids })) await this.#take(tx, cell);
    }
    if (this.#open !== undefined && this.#isOver(this.#open)) await this.#close(tx, this.#open);
    if (this.#open !== undefined && this.#open.ids.length > CELLS_MAX) await this.#compact(tx, this.#open);
  }

  /** Another monitor may have closed windows, or taken cells away, since this one looked. */
  async #checkMemory(tx: Queryable): Promise<void> {
    const { at, variant, settings } = this.#options;
    const stored = await listWindows(tx, at, { variant, limit: settings.windows, withSketch: false });
    const isSame = stored.at(-1)?.number === this.#closed?.at(-1)?.number;
    const ids = new Set(this.#open === undefined ? [] : await listCellIds(tx, at, variant));
    if (this.#closed !== undefined && isSame && (this.#open?.ids ?? []).every((id) => ids.has(id))) return;
    this.forget();
    this.#closed = [];
    const recent = new RowSketch(this.#options.layout);
    for (const window of await listWindows(tx, at, { variant, limit: settings.windows, withSketch: true })) {
      const sketch = window.sketch === null ? undefined : this.#decoded(window.sketch);
      if (sketch === undefined) continue;
      this.#closed.push({ ...window, drift: this.#driftOf(sketch) });
      recent.merge(sketch);
    }
    this.#recent = recent;
  }

  async #take(tx: Transaction, cell: CellRow): Promise<void> {
    const sketch = this.#decoded(cell.sketch);
    if (sketch === undefined) {
      await deleteCells(tx, this.#options.at, { variant: this.#options.variant, ids: [cell.id] });
      return;
    }
    // By time a window ends where it ends, and what comes next is in the next.
    if (this.#open !== undefined && cell.firstMs >= this.#open.firstMs + this.#windowMs)
      await this.#close(tx, this.#open);
    const { id, rows, firstMs, lastMs } = cell;
    this.#recent?.merge(sketch);
    if (this.#open === undefined) this.#open = { ids: [id], sketch, rows, firstMs, lastMs };
    else {
      this.#open.ids.push(id);
      this.#open.sketch.merge(sketch);
      this.#open.rows += rows;
      this.#open.firstMs = Math.min(this.#open.firstMs, firstMs);
      this.#open.lastMs = Math.max(this.#open.lastMs, lastMs);
    }
    if (this.#isFull(this.#open)) await this.#close(tx, this.#open);
  }

  get #windowMs(): number {
    return this.#options.settings.windowSeconds * 1000;
  }

  #isFull({ rows, firstMs, lastMs }: OpenWindow): boolean {
    return rows >= this.#options.settings.windowRows && lastMs - firstMs >= this.#windowMs * SHORTEST_SHARE;
  }

  /** Nothing that is in time can come into it any more. */
  #isOver({ firstMs }: OpenWindow): boolean {
    return this.#options.nowMs() >= firstMs + this.#windowMs + Math.min(LATE_MS, this.#windowMs);
  }

  async #close(tx: Transaction, open: OpenWindow): Promise<void> {
    const { at, variant, settings, nowMs } = this.#options;
    const { ids, sketch, rows, firstMs, lastMs } = open;
    await deleteCells(tx, at, { variant, ids });
    const stored = { variant, firstMs, lastMs, rows, sketch: sketch.encode(), atMs: nowMs() };
    const placed = await insertWindow(tx, at, { ...stored, keepSketches: settings.windows });
    const closed = [...(this.#closed ?? []), { ...placed, firstMs, lastMs, rows, drift: this.#driftOf(sketch) }];
    this.#closed = closed.slice(-settings.windows);
    this.#open = undefined;
    if (closed.length > settings.windows) await this.#addUpRecent(tx);
  }

  /** A sketch cannot be taken out of a sum. */
  async #addUpRecent(tx: Queryable): Promise<void> {
    const { at, variant, settings, layout } = this.#options;
    const recent = new RowSketch(layout);
    for (const { sketch } of await listWindows(tx, at, { variant, limit: settings.windows, withSketch: true })) {
      const decoded = sketch === null ? undefined : this.#decoded(sketch);
      if (decoded !== undefined) recent.merge(decoded);
    }
    this.#recent = recent;
  }

  async #compact(tx: Transaction, open: OpenWindow): Promise<void> {
    const { at, variant } = this.#options;
    await deleteCells(tx, at, { variant, ids: open.ids });
    const { rows, firstMs, lastMs } = open;
    const merged = { variant, rows, firstMs, lastMs, sketch: open.sketch.encode() };
    open.ids = await insertCells(tx, { at, host: MERGED }, [merged]);
  }

  #driftOf(sketch: RowSketch): WindowDrift {
    const { layout, settings } = this.#options;
    return driftOf({ profiles: layout.profiles, counts: sketch.counts(), settings });
  }

  /** What was made against another baseline, or damaged, cannot be added to anything; it is left out, loudly. */
  #decoded(bytes: Uint8Array): RowSketch | undefined {
    try {
      return RowSketch.decode(this.#options.layout, bytes);
    } catch (error) {
      if (!(error instanceof SketchError)) throw error;
      const { tenant, environment, name } = this.#options.at;
      this.#options.log.error("monitor-sketch-unusable", {
        ...{ tenant, endpoint: `${environment}-${name}`, variant: this.#options.variant, code: error.code },
      });
      return undefined;
    }
  }
}

/** In the host's place of a cell that was added up of several. */
const MERGED = "";
