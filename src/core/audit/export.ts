import { createHash } from "node:crypto";
import { assert } from "../error.ts";
import { canonicalText, decodeEntry, parseEntry } from "./entry.ts";
import { appendLeaf, EMPTY_FRONTIER, type Frontier, leafHash, rootFromFrontier } from "./merkle.ts";

/**
 * The export of one tenant's log: UTF-8 lines of RFC 8785 canonical JSON, each ended by one line feed.
 *
 *     {"format":"continuum-audit/v1","seal":HEX,"tenant":T,"type":"header"}
 *     {"entry":{...},"index":0,"leafHash":HEX,"type":"entry"}            one per entry, in the order of the tree
 *     {"headerSeal":HEX,"rootHash":HEX,"seal":HEX,"size":N,"type":"head"}
 *
 * `leafHash` is RFC 6962's over the entry's canonical bytes, `rootHash` the tree's over all of them, and a `seal` the
 * SHA-256 of its own line without the seal. Every line can be judged by itself, which is what locates a change; the
 * head binds their number and order. Whoever can rewrite a whole copy can also recompute it: only a head that was kept
 * elsewhere shows that, see `VerifyOptions`.
 */
export const EXPORT_FORMAT = "continuum-audit/v1";

/** What a log was at some time: enough to tell whether a copy is it, or grew out of it. */
export interface TreeHead {
  size: number;
  /** 64 hexadecimal digits in lower case. */
  rootHash: string;
}

export interface ExportWriter {
  /** The first line. */
  header(): string;
  /** The line of the next entry. Crashes when the bytes are no canonical entry of this tenant. */
  entry(bytes: Uint8Array): string;
  /** The last line. */
  head(): string;
}

/** Writes an export line by line, so that a log of any size can be streamed. Every line ends with a line feed. */
export function exportWriter(tenant: string): ExportWriter {
  const header = headerRecord(tenant);
  let frontier: Frontier = EMPTY_FRONTIER;
  return {
    header: () => line(header),
    entry(bytes) {
      const parsed = decodeEntry(bytes);
      assert(parsed.ok && parsed.value.tenant === tenant, "only canonical entries of the tenant stand in its log");
      const hash = leafHash(bytes);
      const written = entryLine(Buffer.from(bytes).toString("utf8"), { index: frontier.size, leafHash: hash });
      frontier = appendLeaf(frontier, hash);
      return written;
    },
    head: () => line(headRecord(header.seal, treeHead(frontier))),
  };
}

export interface VerifyOptions {
  /** Heads that were kept elsewhere; the copy must begin with each of them, so it can have grown but not changed. */
  trustedHeads?: readonly TreeHead[];
  /** The tenant whose log this must be. */
  tenant?: string;
}

export type ExportVerdict =
  | { ok: true; tenant: string; size: number; rootHash: string }
  | {
      ok: false;
      /** The first place that is wrong: the line counts from 1, the entry from 0, null when it is no entry. */
      at: { line: number; entry: number | null; byteOffset: number };
      reason: string;
    };

export interface ExportVerifier {
  /** Takes the next bytes, however they were cut. */
  push(chunk: Uint8Array): void;
  /** Call once, after the last byte. */
  finish(): ExportVerdict;
}

/** Checks an export that is at hand as a whole. */
export function verifyExport(bytes: Uint8Array, options: VerifyOptions = {}): ExportVerdict {
  const verifier = exportVerifier(options);
  verifier.push(bytes);
  return verifier.finish();
}

/** Checks an export as it streams in, with one line and one frontier in memory. */
export function exportVerifier(options: VerifyOptions = {}): ExportVerifier {
  const state: VerifierState = {
    options,
    tenant: null,
    headerSeal: "",
    frontier: EMPTY_FRONTIER,
    head: null,
    line: 1,
    byteOffset: 0,
    refusal: null,
  };
  let rest: Buffer = Buffer.alloc(0);
  return {
    push(chunk) {
      if (state.refusal !== null) return;
      let bytes = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
      for (let end = bytes.indexOf(LINE_FEED); end !== -1 && state.refusal === null; end = bytes.indexOf(LINE_FEED)) {
        takeLine(state, bytes.subarray(0, end));
        bytes = bytes.subarray(end + 1);
      }
      if (state.refusal === null && bytes.length > LINE_BYTES_MAX)
        refuse(state, "the line is too long for an audit log");
      rest = bytes;
    },
    finish() {
      if (state.refusal === null && rest.length > 0) refuse(state, "the copy ends inside a line");
      if (state.refusal === null && state.head === null)
        refuse(state, "the copy ends before its head line: it was cut off");
      return state.refusal ?? conclude(state);
    },
  };
}

const LINE_FEED = 0x0a;
const BACKSLASH = 0x5c;
/** An entry's fields are all bounded; this is far above the largest that passes its schema. */
const LINE_BYTES_MAX = 256 * 1024;

interface VerifierState {
  readonly options: VerifyOptions;
  /** Null until the header was read. */
  tenant: string | null;
  headerSeal: string;
  frontier: Frontier;
  /** Null until the head was read. */
  head: TreeHead | null;
  line: number;
  byteOffset: number;
  refusal: Extract<ExportVerdict, { ok: false }> | null;
}

function takeLine(state: VerifierState, bytes: Buffer): void {
  const record = bytes.length <= LINE_BYTES_MAX ? readRecord(bytes) : null;
  const reason = record === null ? "the line is not a JSON object of a log" : judgeRecord(state, bytes, record);
  if (reason !== null) refuse(state, reason, record);
  else {
    state.line += 1;
    state.byteOffset += bytes.length + 1;
  }
}

/** Null when the line is exactly the one that belongs here, else what is wrong with it. */
function judgeRecord(state: VerifierState, bytes: Buffer, record: Record<string, unknown>): string | null {
  if (state.head !== null) return "something follows the head line";
  if (state.tenant === null) return judgeHeader(state, bytes, record);
  return record["type"] === "head" ? judgeHead(state, bytes, record) : judgeEntry(state, bytes, record);
}

function judgeHeader(state: VerifierState, bytes: Buffer, record: Record<string, unknown>): string | null {
  const tenant = record["tenant"];
  if (record["type"] !== "header") return "the first line is not the header";
  if (record["format"] !== EXPORT_FORMAT || typeof tenant !== "string") return `the format is not ${EXPORT_FORMAT}`;
  const expected = headerRecord(tenant);
  if (!isText(bytes, line(expected))) return "the header was changed: its seal does not fit";
  if (state.options.tenant !== undefined && state.options.tenant !== tenant) return "the log is another tenant's";
  state.tenant = tenant;
  state.headerSeal = expected.seal;
  return null;
}

function judgeEntry(state: VerifierState, bytes: Buffer, record: Record<string, unknown>): string | null {
  const index = state.frontier.size;
  const { entry } = record;
  if (record["type"] !== "entry" || entry === undefined) return `entry ${index} was expected here`;
  if (record["index"] !== index) return `entry ${index} was expected here: one is missing, repeated or out of order`;
  const text = canonicalTextOf(entry);
  if (text === null) return `entry ${index} was changed: no log holds such a value`;
  const hash = leafHash(Buffer.from(text, "utf8"));
  if (!isText(bytes, entryLine(text, { index, leafHash: hash })))
    return `entry ${index} was changed: its hash does not fit`;
  const parsed = parseEntry(entry);
  if (!parsed.ok) return `entry ${index} is no audit entry: ${parsed.problem.path} ${parsed.problem.message}`;
  if (parsed.value.tenant !== state.tenant) return `entry ${index} is another tenant's`;
  const grown = appendLeaf(state.frontier, hash);
  const problem = trustedHeadProblem(state.options, grown);
  if (problem === null) state.frontier = grown;
  return problem;
}

function judgeHead(state: VerifierState, bytes: Buffer, record: Record<string, unknown>): string | null {
  const { size, rootHash, headerSeal } = record;
  const head = treeHead(state.frontier);
  if (
    !Number.isSafeInteger(size) ||
    typeof size !== "number" ||
    typeof rootHash !== "string" ||
    typeof headerSeal !== "string"
  ) {
    return "the head line was changed: it lacks its fields";
  }
  if (!isText(bytes, line(headRecord(headerSeal, { size, rootHash }))))
    return "the head line was changed: its seal does not fit";
  if (headerSeal !== state.headerSeal) return "the head belongs to another header";
  if (size !== head.size)
    return `the head counts ${size} entries, the copy holds ${head.size}: some are missing or added`;
  if (rootHash !== head.rootHash) return "the entries are not those that the head was made of";
  const beyond = state.options.trustedHeads?.find((trusted) => trusted.size > size);
  if (beyond !== undefined)
    return `the log had ${beyond.size} entries before, the copy holds ${size}: its end is missing`;
  const problem = trustedHeadProblem(state.options, state.frontier);
  if (problem === null) state.head = head;
  return problem;
}

/** Whether what was read so far contradicts a head that was kept elsewhere. */
function trustedHeadProblem(options: VerifyOptions, frontier: Frontier): string | null {
  const trusted = options.trustedHeads?.filter((head) => head.size === frontier.size) ?? [];
  if (trusted.length === 0) return null;
  const { rootHash } = treeHead(frontier);
  return trusted.every((head) => head.rootHash === rootHash)
    ? null
    : `the first ${frontier.size} entries are not those of the head that was kept: the log was rewritten`;
}

function conclude(state: VerifierState): ExportVerdict {
  assert(state.head !== null && state.tenant !== null, "a log is good only after its header and head were read");
  return { ok: true, tenant: state.tenant, ...state.head };
}

/** `record` is the line that is wrong, where there is one and it could be read. */
function refuse(state: VerifierState, reason: string, record: Record<string, unknown> | null = null): void {
  const isAmongEntries = state.tenant !== null && state.head === null;
  // A head that came too early stands where an entry should; a head that was itself changed stands where it belongs.
  const isHeadInPlace = record?.["type"] === "head" && record["size"] === state.frontier.size;
  const entry = isAmongEntries && !isHeadInPlace ? state.frontier.size : null;
  state.refusal = { ok: false, at: { line: state.line, entry, byteOffset: state.byteOffset }, reason };
}

interface Sealed {
  seal: string;
}

function headerRecord(tenant: string): Sealed {
  return sealed({ format: EXPORT_FORMAT, tenant, type: "header" });
}

/** Put together by hand, in the order of RFC 8785, because the entry's own text is already canonical. */
function entryLine(entry: string, place: { index: number; leafHash: Buffer }): string {
  return `{"entry":${entry},"index":${place.index},"leafHash":"${place.leafHash.toString("hex")}","type":"entry"}\n`;
}

function headRecord(headerSeal: string, head: TreeHead): Sealed {
  return sealed({ headerSeal, rootHash: head.rootHash, size: head.size, type: "head" });
}

function sealed<T extends Record<string, unknown>>(record: T): T & Sealed {
  return { ...record, seal: createHash("sha256").update(canonicalBytes(record)).digest("hex") };
}

function treeHead(frontier: Frontier): TreeHead {
  return { size: frontier.size, rootHash: rootFromFrontier(frontier).toString("hex") };
}

function line(record: object): string {
  return `${canonicalText(record)}\n`;
}

/** Whether the bytes, ended by a line feed, are exactly that text: white space, case, escapes and order all count. */
function isText(bytes: Buffer, text: string): boolean {
  return Buffer.byteLength(text) === bytes.length + 1 && bytes.equals(Buffer.from(text, "utf8").subarray(0, -1));
}

/** Null for what has no canonical form: a number beyond all limits, or nesting that never ends. */
function canonicalTextOf(value: unknown): string | null {
  try {
    return canonicalText(value);
  } catch {
    return null;
  }
}

function canonicalBytes(value: unknown): Buffer {
  return Buffer.from(canonicalText(value), "utf8");
}

/** The line's object. No field of a log needs an escape, so that a line with one is no line of a log. */
function readRecord(bytes: Buffer): Record<string, unknown> | null {
  if (bytes.includes(BACKSLASH)) return null;
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}
