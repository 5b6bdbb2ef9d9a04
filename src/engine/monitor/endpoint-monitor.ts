import { performance } from "node:perf_hooks";
import type { CapturedInference } from "../../core/monitor/capture/captured-inference.ts";
import { lossOfLine } from "../../core/monitor/capture/captured-loss.ts";
import { parseCapturedLine } from "../../core/monitor/capture/parse-captured-line.ts";
import { captureTenantKey, pseudonymOfInference } from "../../core/monitor/capture/pseudonym.ts";
import type { EndpointKey } from "../../store/queries/admission.ts";
import {
  advanceOffsets,
  insertCells,
  listTests,
  type OffsetRow,
  readOffsets,
  writeTest,
} from "../../store/queries/monitor.ts";
import { recordPredictions } from "../ground-truth/record-predictions.ts";
import type { BaselineAnswer } from "./baseline-book.ts";
import { CaptureInflow } from "./capture-inflow.ts";
import { CaptureNews } from "./capture-news.ts";
import { captureFolder, readTail, type TailRead } from "./capture-tail.ts";
import { eventTime } from "./event-time.ts";
import type { LookFacts, MonitorParts } from "./monitor-parts.ts";
import { NO_COUNTS, type ReadCounts, readShare } from "./monitor-report.ts";
import { VersionEvaluator } from "./version-evaluator.ts";
import { type ReadRequest, VersionReader } from "./version-reader.ts";
import { VersionTests } from "./version-tests.ts";
import { endpointName, type WatchedEndpoint, type WatchedVersion } from "./watched.ts";

/** Read and stored at once, at most: some thousands of requests. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;
/** After so many batches the other endpoints have their turn. */
const BATCHES_MAX = 8;
/** So do they after so long: a batch of very wide rows takes seconds, and what is not looked at holds its rollout up. */
const TURN_MS = 1_000;
/** Another monitor reads the same: it is left to it for this long, and taken over when it stopped. */
const FENCED_MS = 10_000;
/** How old an evaluation gets while a rollout waits for it, and while nobody does. */
const JUDGED_MS = 5_000;
const RESTING_MS = 60_000;

const STRANGERS_MAX = 100;

/** Of a request whose size is not known, as long as none was read. */
const LINE_BYTES_GUESS = 700;

interface Reading extends OffsetRow {
  counts: ReadCounts & Record<string, number>;
}

interface Version {
  watched: WatchedVersion;
  answer: BaselineAnswer;
  reader: VersionReader;
  evaluator: VersionEvaluator;
}

/** One line of a capture: a request, or how many were lost; null when it is none of our own data plane's. */
type Captured = Pick<ReadRequest, "inference" | "assignment"> | number | null;

function capturedRequest(line: string): Captured {
  const parsed = parseCapturedLine(line);
  if (!parsed.ok) return lossOfLine(line) ?? null;
  if (parsed.value.continuum === null) return null;
  return { inference: parsed.value, assignment: parsed.value.continuum };
}

/**
 * One endpoint of this host: reads on in its capture, stores what came together with how far was read, and evaluates
 * its versions. What is in memory is what is stored; whoever throws it away loses nothing.
 */
export class EndpointMonitor {
  readonly #parts: MonitorParts;
  readonly #at: EndpointKey;
  readonly #folder: string;
  readonly #news: CaptureNews;
  readonly #inflow = new CaptureInflow();
  readonly #tenantKey: Uint8Array | undefined;
  #reading: Reading | undefined;
  #versions = new Map<string, Version>();
  #fencedUntilMs = Number.NEGATIVE_INFINITY;
  #lineBytes = LINE_BYTES_GUESS;
  /** Versions that the list was asked about again and did not have: they are past, or were never watched. */
  readonly #strangers = new Set<string>();
  /** How old what was read last is, while there is more to read; else 0. */
  lagSeconds = 0;
  /** A version came that the list does not have: nothing of its requests was stored yet. */
  isListStale = false;

  constructor(parts: MonitorParts, at: EndpointKey) {
    this.#parts = parts;
    this.#at = at;
    this.#folder = captureFolder(parts.captureDir, at);
    this.#news = new CaptureNews(this.#folder);
    this.#tenantKey = parts.captureKey === undefined ? undefined : captureTenantKey(parts.captureKey, at.tenant);
  }

  /** How fast its capture grows. */
  get bytesPerSecond(): number {
    return this.#inflow.bytesPerSecond(performance.now());
  }

  /** Reads what is new, of so many bytes a second and a random sample of what is more, and evaluates what is due. */
  async look(watched: WatchedEndpoint, signal: AbortSignal, bytesPerSecondMax = Infinity): Promise<LookFacts> {
    await this.#settle(watched);
    const before = { ...(this.#reading?.counts ?? NO_COUNTS) };
    const beganMs = performance.now();
    if (beganMs >= this.#fencedUntilMs) {
      for (let batch = 0; batch < BATCHES_MAX && !signal.aborted; batch += 1)
        if (!(await this.#readOn(watched, bytesPerSecondMax)) || performance.now() - beganMs > TURN_MS) break;
    }
    const after = this.#reading?.counts ?? NO_COUNTS;
    const evaluated = await this.#evaluate(watched, after.requests !== before.requests);
    return {
      requests: after.requests - before.requests,
      rows: after.rows - before.rows,
      late: after.late - before.late,
      unreadable: after.unreadable - before.unreadable,
      lostRequests: after.lostRequests - before.lostRequests,
      droppedRequests: after.droppedRequests - before.droppedRequests,
      notSampled: after.notSampled - before.notSampled,
      ...evaluated,
    };
  }

  /** Brings what is in memory to what is stored and to the versions that are there now. */
  async #settle(watched: WatchedEndpoint): Promise<void> {
    const { database, host } = this.#parts;
    if (this.#reading === undefined) {
      const stored = await readOffsets(database, this.#at, host);
      const counts = { ...NO_COUNTS, ...stored?.counts };
      this.#reading = { ...(stored ?? { revision: 0, files: {}, newestMs: null }), counts };
    }
    const wanted = [watched.live, watched.candidate].filter((one) => one !== null);
    for (const variant of this.#versions.keys())
      if (!wanted.some((one) => one.variant === variant)) this.#versions.delete(variant);
    for (const version of wanted) {
      const comparesAnswers = version.variant === watched.candidateVariant && watched.liveVariant !== null;
      const known = this.#versions.get(version.variant);
      if (known !== undefined && known.reader.options.comparesAnswers === comparesAnswers) continue;
      this.#versions.set(version.variant, await this.#version(version, comparesAnswers));
    }
  }

  async #version(watched: WatchedVersion, comparesAnswers: boolean): Promise<Version> {
    const { database, host, baselines } = this.#parts;
    const { tenant } = this.#at;
    const answer = await baselines.of(tenant, watched);
    const baseline = answer.ok ? answer.baseline : null;
    const seed = JSON.stringify([tenant, endpointName(this.#at), watched.variant, host]);
    const stored = (await listTests(database, this.#at, watched.variant)).find((one) => one.host === host);
    const profiles = baseline?.layout.profiles ?? [];
    const tests =
      stored === undefined
        ? VersionTests.begin(profiles, seed)
        : VersionTests.restore(profiles, { seed, bytes: stored.state });
    return {
      ...{ watched, answer },
      reader: new VersionReader({ version: watched, baseline, tests, comparesAnswers }),
      evaluator: new VersionEvaluator(this.#parts, { at: this.#at, version: watched, answer }),
    };
  }

  /** One batch; false when there was nothing more to read. */
  async #readOn(watched: WatchedEndpoint, bytesPerSecondMax: number): Promise<boolean> {
    const reading = this.#reading;
    const machineMs = Date.now();
    if (reading === undefined || !(await this.#news.hasNews(machineMs))) return false;
    await this.#news.beginLook(machineMs);
    const tail = await readTail({
      ...{ folder: this.#folder, offsets: reading.files, bytesMax: BATCH_BYTES_MAX },
      // Files carry the machine's clock and rollouts the database's.
      ...{ nowMs: machineMs, sinceMs: watched.sinceMs + machineMs - this.#parts.nowMs() },
      ...sampleOf(bytesPerSecondMax / this.bytesPerSecond),
    });
    const captured = tail.lines.map(capturedRequest);
    if (this.#meetsStranger(captured, watched)) return false;
    const next = this.#count(reading, { tail, captured }, watched);
    this.#inflow.saw(reading.files, tail.offsets, performance.now());
    const isChanged = JSON.stringify(next.files) !== JSON.stringify(reading.files);
    if (isChanged && !(await this.#store(reading.revision, next))) return false;
    this.#news.endLook(reading.files, tail.offsets);
    this.#reading = isChanged ? { ...next, revision: reading.revision + 1 } : next;
    this.lagSeconds =
      tail.more && next.newestMs !== null ? Math.max(0, (this.#parts.nowMs() - next.newestMs) / 1000) : 0;
    if (tail.more) this.#news.forget();
    return tail.more;
  }

  /** The list of versions may be older than the capture. Then it is read again first, and the capture after it. */
  #meetsStranger(captured: readonly Captured[], { liveVariant, candidateVariant }: WatchedEndpoint): boolean {
    this.isListStale = false;
    for (const one of captured) {
      if (one === null || typeof one === "number") continue;
      const { variant } = one.assignment;
      if (variant === liveVariant || variant === candidateVariant) continue;
      if (this.#strangers.has(variant)) continue;
      if (this.#strangers.size >= STRANGERS_MAX) this.#strangers.clear();
      this.#strangers.add(variant);
      this.isListStale = true;
    }
    if (this.isListStale) this.#news.forget();
    return this.isListStale;
  }

  /** Hands the lines to the versions' readers. */
  #count(
    reading: Reading,
    { tail, captured }: { tail: TailRead; captured: readonly Captured[] },
    watched: WatchedEndpoint,
  ): Reading {
    const counts = { ...reading.counts };
    let { newestMs } = reading;
    const nowMs = this.#parts.nowMs();
    counts.unreadable += tail.torn;
    counts.notSampled += tail.notSampled;
    for (const one of captured) {
      if (one === null) {
        counts.unreadable += 1;
        continue;
      }
      if (typeof one === "number") {
        counts.droppedRequests += one;
        continue;
      }
      const { inference, assignment } = one;
      const time = eventTime(inference.answeredAtMs, { newestMs, nowMs });
      newestMs = Math.max(newestMs ?? time.atMs, time.atMs);
      const inferenceName = this.#nameOf(inference);
      const isWatched = this.#take({ inference, assignment, atMs: time.atMs, inferenceName }, watched, counts);
      if (isWatched && time.late) counts.late += 1;
    }
    const lines = tail.lines.length + tail.notSampled;
    if (lines > 0) this.#lineBytes = tail.bytes / lines;
    counts.lostFiles += tail.lostFiles;
    counts.lostBytes += tail.lostBytes;
    counts.lostRequests += Math.ceil(tail.lostBytes / this.#lineBytes);
    return { revision: reading.revision, files: tail.offsets, counts, newestMs };
  }

  #take(request: ReadRequest, watched: WatchedEndpoint, counts: ReadCounts): boolean {
    const { variant } = request.assignment;
    const own = this.#versions.get(variant);
    own?.reader.takeOwn(request, counts);
    if (variant !== watched.liveVariant || watched.candidate === null) return own !== undefined;
    const candidate = this.#versions.get(watched.candidate.variant);
    if (candidate !== undefined && candidate !== own) candidate.reader.takeOther(request);
    return true;
  }

  #nameOf(inference: CapturedInference): string | null {
    return this.#tenantKey === undefined ? null : pseudonymOfInference(this.#tenantKey, inference);
  }

  /**
   * Everything of the batch and how far it went, or nothing of it. False when another monitor stored the same before:
   * then what is in memory is of another past, and is thrown away.
   */
  async #store(revision: number, next: Reading): Promise<boolean> {
    const { database, host, nowMs, log } = this.#parts;
    const at = this.#at;
    const taken = [...this.#versions.values()].map(({ watched, reader }) => ({
      watched,
      cells: reader.takeCells(),
      tests: reader.takeTests(),
      predictions: reader.takePredictions(),
    }));
    const stored = await database.transaction(async (tx) => {
      if (!(await advanceOffsets(tx, { at, host }, { ...next, revision, atMs: nowMs() }))) return false;
      for (const { watched, cells, tests, predictions } of taken) {
        await insertCells(tx, { at, host }, cells);
        if (tests !== null) await writeTest(tx, at, { variant: watched.variant, host, state: tests, atMs: nowMs() });
        if (predictions.length === 0) continue;
        await recordPredictions(tx, { at, rollout: watched.variant, settings: watched.settings, rows: predictions });
      }
      return true;
    });
    if (stored) return true;
    log.warn("monitor-fenced", { tenant: at.tenant, endpoint: endpointName(at), host });
    this.#reading = undefined;
    this.#versions = new Map();
    this.#news.forget();
    this.#fencedUntilMs = performance.now() + FENCED_MS;
    return false;
  }

  async #evaluate(
    watched: WatchedEndpoint,
    hasNews: boolean,
  ): Promise<Pick<LookFacts, "evaluationSeconds" | "alarms">> {
    let evaluationSeconds: number | null = null;
    let alarms = 0;
    for (const { watched: version, evaluator } of this.#versions.values()) {
      const isJudged = version.variant === watched.candidateVariant;
      if (!hasNews && !evaluator.isDue(isJudged ? JUDGED_MS : RESTING_MS)) continue;
      const began = performance.now();
      const evaluated = await evaluator.evaluate({
        ...{ stableVariant: isJudged ? watched.liveVariant : null },
        readShare: readShare(this.#reading?.counts ?? NO_COUNTS),
      });
      if (evaluated === undefined) continue;
      evaluationSeconds = (evaluationSeconds ?? 0) + (performance.now() - began) / 1000;
      alarms += evaluated.filter(({ state }) => state === "ALARM").length;
    }
    return { evaluationSeconds, alarms };
  }
}

/** Each line by its own draw, so that nothing that is in it, or beside it, has a part in that. */
function sampleOf(share: number): { draw?: () => boolean } {
  return share >= 1 || Number.isNaN(share) ? {} : { draw: () => Math.random() < share };
}
