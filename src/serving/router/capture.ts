import { randomUUID } from "node:crypto";
import { appendFile, mkdir, readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { lossLine } from "../../core/monitor/capture/captured-loss.ts";
import type { Log } from "../log.ts";
import { CaptureFields, type CaptureRules, PROTOCOL_FIELDS } from "./capture-fields.ts";

/** One answered request for the monitor and the operators. */
export interface Captured {
  tenant: string;
  endpoint: string;
  variant: string;
  role: "stable" | "candidate";
  modelVersion: string;
  /** With which the request went to the candidate. */
  candidateProbability: number;
  status: number;
  latencyMs: number;
  atMs: number;
  requestId: string;
  /** The caller's own id of the inference, if it sent one. */
  inferenceId: string | undefined;
  /** How many replicas were asked, and whether the other version's answered in the place of the one that was drawn. */
  attempts: number;
  failedOver: boolean;
  input: { contentType: string; body: Buffer };
  output: { contentType: string; body: Buffer };
}

export interface CaptureOptions {
  directory: string;
  enabled: boolean;
  log: Log;
  /** A file is closed and the next begun at this size. */
  fileBytesMax: number;
  /** An endpoint keeps this much; the oldest files go first. */
  keptBytesMax: number;
  /** What may wait to be written; more is dropped and counted. */
  queueBytesMax: number;
  flushMs: number;
  /** What is kept of bodies; left out, numbers under the protocols' own names and nothing else. */
  rules?: CaptureRules;
}

const DEFAULT_RULES: CaptureRules = { fields: PROTOCOL_FIELDS, textFields: [], pseudonymFields: [] };

/** A body above this is left out of the record, so that one caller cannot fill the disk with a few requests. */
const BODY_BYTES_MAX = 64 * 1024;

/**
 * Lines wait as bytes outside of the heap: as texts they would live through several collections of the young objects,
 * each of which copies them, and that took longer than writing them.
 */
const CHUNK_BYTES = 64 * 1024;
/** No character of a text takes more as UTF-8. */
const UTF8_BYTES_MAX = 3;

interface Stream {
  directory: string;
  lines: number;
  /** Requests that are in no file and never will be, of which no file tells yet. */
  untold: number;
  /** Filled chunks, the last one up to `filled`. */
  chunks: Buffer[];
  filled: number;
  bytes: number;
  file: string | null;
  fileBytes: number;
  /** A write broke off, perhaps within a line: the next one must not go on in it. */
  torn: boolean;
}

/**
 * Writes requests and answers as JSON lines in the shape of SageMaker's data capture, with a `continuum` object beside
 * it that holds what a verdict rests on: the variant, the probability of the draw, the status, the latency.
 */
export class Capture {
  readonly #options: CaptureOptions;
  readonly #fields: CaptureFields;
  readonly #streams = new Map<string, Stream>();
  /** Runs only while lines wait. */
  #timer: NodeJS.Timeout | null = null;
  #queuedBytes = 0;
  #flushing: Promise<void> | null = null;
  #sequence = 0;
  dropped = 0;
  written = 0;

  constructor(options: CaptureOptions) {
    this.#options = options;
    this.#fields = new CaptureFields(options.rules ?? DEFAULT_RULES);
  }

  record(captured: Captured): void {
    if (!this.#options.enabled) return;
    const stream = this.#stream(captured);
    if (this.#queuedBytes >= this.#options.queueBytesMax) {
      this.dropped += 1;
      stream.untold += 1;
    } else this.#queuedBytes += keep(stream, captureLine(captured, this.#fields));
    this.#timer ??= setTimeout(() => void this.flush(), this.#options.flushMs).unref();
  }

  #stream({ tenant, endpoint }: Captured): Stream {
    const key = `${tenant}\n${endpoint}`;
    const known = this.#streams.get(key);
    if (known !== undefined) return known;
    const directory = join(this.#options.directory, tenantDirectory(tenant), endpoint);
    const nothing = { lines: 0, untold: 0, chunks: [], filled: 0, bytes: 0, file: null, fileBytes: 0, torn: false };
    const stream: Stream = { directory, ...nothing };
    this.#streams.set(key, stream);
    return stream;
  }

  /** Writes what waits; resolves when it is in the files. */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (this.#flushing !== null) await this.#flushing;
    this.#flushing = this.#flushAll().finally(() => {
      this.#flushing = null;
    });
    await this.#flushing;
  }

  async close(): Promise<void> {
    await this.flush();
  }

  async #flushAll(): Promise<void> {
    for (const stream of this.#streams.values()) {
      const { lines, bytes, untold } = stream;
      if (lines === 0 && untold === 0) continue;
      const waiting = taken(stream);
      const told = untold === 0 ? waiting : Buffer.concat([waiting, Buffer.from(`${lossLine(untold)}\n`)]);
      try {
        await this.#append(stream, told);
        this.written += lines;
        stream.untold -= untold;
      } catch (error) {
        // Serving goes on with a full disk; the loss is counted and said, to whoever reads the capture with the next line.
        this.dropped += lines;
        stream.untold += lines;
        stream.torn = true;
        // Somebody tidied up: only a new file makes its folder again.
        if (error instanceof Error && "code" in error && error.code === "ENOENT") stream.file = null;
        const reason = error instanceof Error ? error.message : String(error);
        this.#options.log.error({ lost: lines, reason }, "capture could not be written");
      } finally {
        this.#queuedBytes -= bytes;
      }
    }
  }

  async #append(stream: Stream, waiting: Buffer): Promise<void> {
    if (stream.file === null || stream.fileBytes >= this.#options.fileBytesMax) await this.#rotate(stream);
    const bytes = stream.torn ? Buffer.concat([Buffer.from("\n"), waiting]) : waiting;
    await appendFile(stream.file ?? "", bytes, { mode: 0o600 });
    stream.fileBytes += bytes.byteLength;
    stream.torn = false;
  }

  async #rotate(stream: Stream): Promise<void> {
    await mkdir(stream.directory, { recursive: true, mode: 0o700 });
    const names = (await readdir(stream.directory)).filter((name) => name.endsWith(".jsonl")).sort();
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(stream.directory, name))).size));
    let kept = sizes.reduce((sum, size) => sum + size, 0);
    for (const [at, name] of names.entries()) {
      if (kept <= this.#options.keptBytesMax) break;
      await unlink(join(stream.directory, name));
      kept -= sizes[at] ?? 0;
    }
    this.#sequence += 1;
    // Names sort by time, across restarts too.
    const time = new Date().toISOString().replace(/[-:.]/g, "");
    stream.file = join(stream.directory, `${time}-${String(this.#sequence).padStart(6, "0")}.jsonl`);
    stream.fileBytes = 0;
    stream.torn = false;
  }
}

/** Adds a line to what waits; answers its bytes. */
function keep(stream: Stream, line: string): number {
  const most = line.length * UTF8_BYTES_MAX;
  let chunk = stream.chunks.at(-1);
  if (chunk === undefined || chunk.byteLength - stream.filled < most) {
    if (chunk !== undefined) stream.chunks[stream.chunks.length - 1] = chunk.subarray(0, stream.filled);
    chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, most));
    stream.chunks.push(chunk);
    stream.filled = 0;
  }
  const bytes = chunk.write(line, stream.filled);
  stream.filled += bytes;
  stream.bytes += bytes;
  stream.lines += 1;
  return bytes;
}

/** All that waits, which from now on waits no more. */
function taken(stream: Stream): Buffer {
  const waiting = Buffer.concat(stream.chunks, stream.bytes);
  stream.chunks = [];
  stream.filled = 0;
  stream.bytes = 0;
  stream.lines = 0;
  return waiting;
}

/** One name in one directory, whatever the tenant is called: `..` must not lead out of it. */
function tenantDirectory(tenant: string): string {
  return encodeURIComponent(tenant).replaceAll(".", "%2E");
}

function captureLine(captured: Captured, fields: CaptureFields): string {
  // What the model did not take has no shape that is known, and what it answers then is a sentence.
  const kept = captured.status === 200 ? { fields, tenant: captured.tenant } : undefined;
  const record = {
    captureData: {
      endpointInput: { ...captureBody(captured.input, kept), mode: "INPUT" },
      endpointOutput: { ...captureBody(captured.output, kept), mode: "OUTPUT" },
    },
    eventMetadata: {
      eventId: randomUUID(),
      // A caller's own id may say who a person is. An inference without one goes by its request's id.
      inferenceId: captured.inferenceId && fields.inference(captured.tenant, captured.inferenceId),
      inferenceTime: new Date(captured.atMs).toISOString(),
    },
    eventVersion: "0",
    continuum: {
      requestId: captured.requestId,
      variant: captured.variant,
      role: captured.role,
      modelVersion: captured.modelVersion,
      candidateProbability: captured.candidateProbability,
      status: captured.status,
      latencyMs: Math.round(captured.latencyMs * 1000) / 1000,
      // Left out where they are what they nearly always are.
      attempts: captured.attempts === 1 ? undefined : captured.attempts,
      failedOver: captured.failedOver ? true : undefined,
    },
  };
  return `${JSON.stringify(record)}\n`;
}

function captureBody(
  { contentType, body }: Captured["input"],
  kept: { fields: CaptureFields; tenant: string } | undefined,
): Record<string, unknown> {
  // Its parameters are the caller's own words.
  const observedContentType = /^[a-z]+\/[a-z0-9.+-]+/.exec(contentType)?.[0] ?? "";
  const encoding = contentType.startsWith("text/csv") ? "CSV" : "JSON";
  const isRead = kept !== undefined && body.byteLength <= BODY_BYTES_MAX;
  const text = isRead ? body.toString("utf8") : "";
  const part = !isRead
    ? undefined
    : encoding === "CSV"
      ? kept.fields.csv(kept.tenant, text)
      : kept.fields.json(kept.tenant, text);
  if (part === undefined) return { observedContentType, encoding, data: null, omittedBytes: body.byteLength };
  return { observedContentType, encoding, data: part.data, partial: part.isPartial ? true : undefined };
}
