import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from "yaml";
import type { Parsed } from "../error.ts";
import {
  DEPTH_MAX,
  DOCUMENT_BYTES_MAX,
  keyProblem,
  type Located,
  numberProblem,
  printable,
  quote,
  Refusal,
  stringProblem,
  textProblem,
} from "./input-rules.ts";
import { escapeSegment } from "./json-pointer.ts";

/**
 * One document of YAML 1.2's core schema, JSON included, and no more of YAML than JSON can say: no anchors, aliases,
 * tags, merge keys or directives, keys are strings and stand once. The tree is walked here rather than by the
 * library's `toJS`, so that nothing is expanded before it was looked at.
 */
export function readYaml(text: string, options: { bytesMax?: number } = {}): Parsed<Located> {
  const tooMuch = textProblem(text, options.bytesMax ?? DOCUMENT_BYTES_MAX);
  if (tooMuch !== undefined) return { ok: false, problem: { path: "", message: tooMuch } };
  const tooDeep = nestingProblem(text);
  if (tooDeep !== undefined) return { ok: false, problem: { path: "", message: tooDeep } };
  const lines = new LineCounter();
  const offsets = new Map<string, number>();
  const locate = (pointer: string) => {
    const offset = offsets.get(pointer);
    if (offset === undefined) return undefined;
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  try {
    const document = parseOne(text, lines);
    const value = new Walker(offsets).value(document.contents as Node | null, "", 0);
    return { ok: true, value: { value, locate } };
  } catch (error) {
    // The library descends by recursion: nesting that the check above could not foresee ends as a RangeError.
    if (error instanceof RangeError) return { ok: false, problem: { path: "", message: TOO_DEEP } };
    if (!(error instanceof Refusal)) throw error;
    const { line, col } = lines.linePos(error.offset);
    const { path, message } = error.problem;
    return { ok: false, problem: { path, message: `${Math.max(line, 1)}:${Math.max(col, 1)}: ${message}` } };
  }
}

const TOO_DEEP = `nested deeper than ${DEPTH_MAX} levels; flatten it`;

/**
 * Refuses hopeless nesting before the library spends a second on it: many brackets that are never closed, or many
 * block markers in a row. It is generous, for it does not know strings from structure; the walk is exact.
 */
function nestingProblem(text: string): string | undefined {
  if (/(?:[-?][ \t]+){200}/.test(text)) return TOO_DEEP;
  let open = 0;
  for (const character of text) {
    if (character === "[" || character === "{") open += 1;
    else if (character === "]" || character === "}") open -= 1;
    if (open > 1000) return TOO_DEEP;
  }
  return undefined;
}

function parseOne(text: string, lineCounter: LineCounter): Document {
  // uniqueKeys is off because its check is quadratic; the walk refuses duplicates in linear time.
  const document = parseDocument(text, {
    version: "1.2",
    schema: "core",
    merge: false,
    resolveKnownTags: false,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: "error",
    lineCounter,
  });
  const wrong = document.errors[0] ?? document.warnings[0];
  if (wrong !== undefined) {
    const several = wrong.code === "MULTIPLE_DOCS";
    const message = several ? "a second document begins here; write one per file" : oneLine(wrong.message);
    throw new Refusal(wrong.pos[0], { path: "", message });
  }
  if (document.directives?.yaml.explicit) refuse(0, "", "directives (%YAML, %TAG) are not taken; remove them");
  if (document.contents === null) refuse(0, "", "empty; write a deployment plan");
  return document;
}

class Walker {
  private readonly offsets: Map<string, number>;

  constructor(offsets: Map<string, number>) {
    this.offsets = offsets;
  }

  value(node: Node | null, path: string, depth: number): unknown {
    if (node === null) return null;
    const offset = node.range?.[0] ?? 0;
    if (!this.offsets.has(path)) this.offsets.set(path, offset);
    if (isAlias(node)) return refuse(offset, path, "aliases (*name) are not taken; repeat the value");
    if (node.anchor !== undefined) refuse(offset, path, "anchors (&name) are not taken; remove it");
    if (node.tag !== undefined) refuse(offset, path, `tag ${quote(node.tag)} is not taken; write the plain value`);
    if (isScalar(node)) return this.scalar(node.value, node.source ?? "", path, offset);
    if (depth >= DEPTH_MAX) refuse(offset, path, TOO_DEEP);
    if (isSeq(node)) return node.items.map((item, index) => this.value(item as Node, `${path}/${index}`, depth + 1));
    if (isMap(node)) return this.mapping(node.items as Pair<Node, Node | null>[], path, depth + 1);
    return refuse(offset, path, "neither a mapping, a list nor a scalar; write one of these");
  }

  private mapping(pairs: Pair<Node, Node | null>[], path: string, depth: number): Record<string, unknown> {
    const members = new Map<string, unknown>();
    for (const pair of pairs) {
      const offset = pair.key?.range?.[0] ?? 0;
      const key = this.key(pair.key, path, offset);
      const keyPath = `${path}/${escapeSegment(key)}`;
      const problem = keyProblem(key, members);
      if (problem !== undefined) refuse(offset, keyPath, problem);
      if (key === "<<") refuse(offset, keyPath, "merge keys (<<) are not taken; repeat the members");
      this.offsets.set(keyPath, offset);
      members.set(key, this.value(pair.value, keyPath, depth));
    }
    return Object.fromEntries(members);
  }

  private key(node: Node | null, path: string, offset: number): string {
    if (!isScalar(node)) return refuse(offset, path, "a key must be a string");
    if (node.anchor !== undefined || node.tag !== undefined) refuse(offset, path, "a key takes no anchor and no tag");
    if (typeof node.value === "string") return node.value;
    return refuse(offset, path, `key ${quote(node.value)} is no string; put it in quotes`);
  }

  private scalar(value: unknown, source: string, path: string, offset: number): unknown {
    if (typeof value === "string") {
      const problem = stringProblem(value);
      return problem === undefined ? value : refuse(offset, path, problem);
    }
    if (typeof value === "number") {
      const problem = numberProblem(value, source);
      if (problem !== undefined) return refuse(offset, path, problem);
      return value === 0 ? 0 : value;
    }
    if (typeof value === "boolean" || value === null) return value;
    return refuse(offset, path, "a value that JSON cannot hold; write a string, number or boolean");
  }
}

function refuse(offset: number, path: string, message: string): never {
  throw new Refusal(offset, { path, message });
}

function oneLine(text: string): string {
  return printable(text.replaceAll(/\s+/g, " ").trim());
}
