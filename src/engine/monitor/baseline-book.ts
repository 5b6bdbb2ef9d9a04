import { createHash } from "node:crypto";
import { performance } from "node:perf_hooks";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { ContinuumError, type Parsed } from "../../core/error.ts";
import type { QualityBaseline } from "../../core/monitor/quality/quality-baseline.ts";
import type { ColumnProfile } from "../../core/monitor/sketch/column-profile.ts";
import { decodeProfiles, encodeProfiles } from "../../core/monitor/sketch/profile-bytes.ts";
import { RowLayout } from "../../core/monitor/sketch/row-sketch.ts";
import type { MonitorSettings } from "../../core/plan/monitor-settings.ts";
import type { Artifacts } from "../../drivers/artifacts/artifacts.ts";
import type { Database } from "../../store/database.ts";
import { readBaseline, writeBaseline } from "../../store/queries/monitor.ts";
import { BASELINE_BYTES_MAX } from "../../tables/load-baseline.ts";
import type { WatchedVersion } from "./watched.ts";

/** A baseline as the readers of a version use it. */
export interface VersionBaseline {
  digest: string;
  rows: number;
  isExact: boolean;
  /** The columns that the model takes, in the baseline's order. */
  inputs: readonly string[];
  /** Of those that are watched, and of the answer where the baseline has a column of it. */
  layout: RowLayout;
  /** What its rows say of quality and bias; null where they say nothing. */
  quality: QualityBaseline | null;
}

export type BaselineAnswer = { ok: true; baseline: VersionBaseline | null } | { ok: false; problem: string };

/** What is made of a baseline once, and kept. */
export interface ProfiledBaseline {
  profiles: readonly ColumnProfile[];
  quality: QualityBaseline | null;
}

/** Reads an artifact as a table, or as statistics of one. A problem is one line; it holds nothing of the table. */
export type ProfileBaseline = (bytes: Uint8Array, settings: MonitorSettings) => Promise<Parsed<ProfiledBaseline>>;

export interface BaselineBookParts {
  database: Database;
  artifacts: Artifacts;
  profile: ProfileBaseline;
  nowMs(): number;
}

/** A baseline's columns take a few MiB where there are hundreds of them. */
const KEPT_MAX = 32;
/** A table that was refused is not read again for so long, however many versions name it: reading it takes a while. */
const REFUSED_MS = 600_000;
const REFUSED_MAX = 1000;
/** Each row costs time and each short while some room for every column, of a process that all tenants share. */
const COLUMNS_MAX = 2000;

/**
 * The baselines of watched versions. A table is read and profiled once for all hosts and all starts; afterwards its
 * profiles come from the database, and from memory.
 */
export class BaselineBook {
  readonly #parts: BaselineBookParts;
  readonly #kept = new Map<string, ProfiledBaseline>();
  readonly #refused = new Map<string, { problem: Extract<Parsed<never>, { ok: false }>; untilMs: number }>();

  constructor(parts: BaselineBookParts) {
    this.#parts = parts;
  }

  /** `baseline: null` where the plan names none. A problem is one sentence; it holds nothing of the table. */
  async of(tenant: string, { settings, baselineDigest: digest }: WatchedVersion): Promise<BaselineAnswer> {
    if (settings.baseline === null) return { ok: true, baseline: null };
    if (digest === null) return { ok: false, problem: "the plan's baseline is no artifact of the store" };
    try {
      const profiled = await this.#profiled({ tenant, digest, settings });
      if (!profiled.ok) return unreadable(profiled.problem.message);
      const baseline = versionBaseline(digest, profiled.value, settings);
      const columns = baseline.layout.profiles.length;
      return columns > COLUMNS_MAX ? { ok: false, problem: tooWide(columns) } : { ok: true, baseline };
    } catch (error) {
      // The store's own refusals are answers; that it, or the database, is away is none.
      if (!(error instanceof ContinuumError) || !STORE_REFUSALS.has(error.code)) throw error;
      return unreadable(error.message);
    }
  }

  async #profiled(of: {
    tenant: string;
    digest: string;
    settings: MonitorSettings;
  }): Promise<Parsed<ProfiledBaseline>> {
    const key = { tenant: of.tenant, digest: of.digest, options: optionsOf(of.settings) };
    const place = JSON.stringify(key);
    const known = this.#kept.get(place) ?? (await this.#stored(key));
    const refused = this.#refused.get(place);
    if (refused !== undefined && performance.now() < refused.untilMs) return refused.problem;
    const profiled: Parsed<ProfiledBaseline> =
      known === undefined ? await this.#made(key, of.settings) : { ok: true, value: known };
    if (!profiled.ok) {
      if (this.#refused.size >= REFUSED_MAX) this.#refused.clear();
      this.#refused.set(place, { problem: profiled, untilMs: performance.now() + REFUSED_MS });
      return profiled;
    }
    this.#kept.delete(place);
    this.#kept.set(place, profiled.value);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_MAX) break;
      this.#kept.delete(oldest);
    }
    return profiled;
  }

  async #stored(key: BaselineKey): Promise<ProfiledBaseline | undefined> {
    const bytes = await readBaseline(this.#parts.database, key);
    return bytes === undefined ? undefined : decoded(inflateRawSync(bytes));
  }

  async #made(key: BaselineKey, settings: MonitorSettings): Promise<Parsed<ProfiledBaseline>> {
    const { database, artifacts, profile, nowMs } = this.#parts;
    const info = await artifacts.stat(key.tenant, key.digest);
    if (info !== undefined && info.sizeBytes > BASELINE_BYTES_MAX) return tooLarge(info.sizeBytes);
    const made = await profile(await artifacts.read(key.tenant, key.digest), settings);
    if (!made.ok) return made;
    const bytes = encoded(made.value);
    await writeBaseline(database, { ...key, profiles: deflateRawSync(bytes), atMs: nowMs() });
    // Exactly what every other host reads.
    return { ok: true, value: decoded(bytes) };
  }
}

function tooWide(columns: number): string {
  return `the baseline has ${columns} columns to watch, and at most ${COLUMNS_MAX} are: watch a model with fewer inputs, or leave columns out by dataDrift.ignore`;
}

/** Before its bytes are in the memory that all tenants' monitors share. */
function tooLarge(sizeBytes: number): Parsed<never> {
  const message = `a baseline has at most ${BASELINE_BYTES_MAX} bytes, and this one has ${sizeBytes}; a sample of it will do`;
  return { ok: false, problem: { path: "", message } };
}

const STORE_REFUSALS: ReadonlySet<string> = new Set(["not-found", "corrupt"]);

function unreadable(why: string): BaselineAnswer {
  return { ok: false, problem: `the baseline cannot be read: ${why}` };
}

/** The length of the first part, the counts as JSON, the profiles. */
function encoded({ profiles, quality }: ProfiledBaseline): Uint8Array {
  const counts = Buffer.from(JSON.stringify(quality));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(counts.byteLength);
  return Buffer.concat([length, counts, encodeProfiles(profiles)]);
}

function decoded(bytes: Buffer | Uint8Array): ProfiledBaseline {
  const buffer = Buffer.from(bytes);
  const end = 4 + buffer.readUInt32LE(0);
  const quality = JSON.parse(buffer.toString("utf8", 4, end)) as QualityBaseline | null;
  return { quality, profiles: decodeProfiles(buffer.subarray(end)) };
}

interface BaselineKey {
  tenant: string;
  digest: string;
  options: string;
}

/** Names of columns may be as long as a plan lets them be. */
function optionsOf(settings: MonitorSettings): string {
  const { modelQuality, bias } = settings;
  const asked = JSON.stringify([FORM, answersOf(settings), modelQuality, bias]);
  return createHash("sha256").update(asked).digest("hex").slice(0, 32);
}

/** Another form of profiles is made anew beside the one of before. */
const FORM = 1;

/** Columns of the table that the model does not take: what is true, and what was answered. */
function answersOf({ modelQuality, dataDrift }: MonitorSettings): string[] {
  return [modelQuality?.label, modelQuality?.prediction, modelQuality?.probability, dataDrift?.prediction].flatMap(
    (name) => name ?? [],
  );
}

function versionBaseline(
  digest: string,
  { profiles, quality }: ProfiledBaseline,
  settings: MonitorSettings,
): VersionBaseline {
  const answers = new Set(answersOf(settings));
  const ignored = new Set(settings.dataDrift?.ignore);
  const isWatched = ({ name }: ColumnProfile) => name === settings.dataDrift?.prediction || !answers.has(name);
  return {
    ...{ digest, quality },
    rows: Math.max(0, ...profiles.map(({ rows }) => rows)),
    isExact: profiles.every((profile) => profile.kind === "category" || profile.isExact),
    inputs: profiles.map(({ name }) => name).filter((name) => !answers.has(name)),
    layout: new RowLayout(
      settings.dataDrift === null ? [] : profiles.filter((one) => isWatched(one) && !ignored.has(one.name)),
    ),
  };
}
