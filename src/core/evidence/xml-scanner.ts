/**
 * A scanner for the small part of XML that test reports are written in: elements with attributes, text, CDATA and
 * comments. There is no document type, no entity beyond XML's own five and numbers, no processing instruction: the
 * parts of XML that blow up, read files or call home do not exist here. It works in one pass and never backtracks far.
 */

export interface XmlLimits {
  charactersMax: number;
  depthMax: number;
  attributesMax: number;
  elementsMax: number;
}

export type XmlEvent =
  | { type: "open"; name: string; attributes: ReadonlyMap<string, string> }
  | { type: "close"; name: string };

/** What is wrong and at which line, from 1. The message repeats nothing of the text. */
export class XmlProblem extends Error {
  override readonly name = "XmlProblem";
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

/**
 * The elements in order, an empty element as an open and a close. Attribute values come as they are written, entities
 * unresolved. Throws `XmlProblem` at the first thing that is not well-formed or beyond a limit.
 */
export function* scanXml(text: string, limits: XmlLimits): Generator<XmlEvent, void, undefined> {
  const scanner = new Scanner(text, limits);
  scanner.start();
  const open: string[] = [];
  let elements = 0;
  for (let tag = scanner.nextTag(open.length > 0); tag !== null; tag = scanner.nextTag(open.length > 0)) {
    if (tag.type === "close") {
      if (open.pop() !== tag.name) scanner.fail("an end tag does not belong to the element that is open");
      yield { type: "close", name: tag.name };
      continue;
    }
    if (open.length === 0 && elements > 0) scanner.fail("there is more than one root element");
    elements += 1;
    if (elements > limits.elementsMax) scanner.fail(`there are more than ${limits.elementsMax} elements`);
    yield { type: "open", name: tag.name, attributes: tag.attributes };
    if (tag.isEmpty) yield { type: "close", name: tag.name };
    else if (open.push(tag.name) > limits.depthMax) scanner.fail(`elements are nested deeper than ${limits.depthMax}`);
  }
  if (open.length > 0) scanner.fail("the text ends inside an element: it was cut off");
  if (elements === 0) scanner.fail("there is no element");
}

type Tag =
  | { type: "open"; name: string; attributes: Map<string, string>; isEmpty: boolean }
  | { type: "close"; name: string };

const DECLARATION =
  /<\?xml\s+version\s*=\s*["']1\.[0-9]["'](?:\s+encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["'])?(?:\s+standalone\s*=\s*["'](?:yes|no)["'])?\s*\?>/y;
const NAME = /[A-Za-z_][A-Za-z0-9_.:-]{0,255}/y;
const ATTRIBUTE = /\s+([A-Za-z_][A-Za-z0-9_.:-]{0,255})\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y;
const TAG_END = /\s*(\/?)>/y;
const BAD_ENTITY = /&(?!(?:lt|gt|amp|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)/;

class Scanner {
  readonly #text: string;
  readonly #limits: XmlLimits;
  #at = 0;

  constructor(text: string, limits: XmlLimits) {
    this.#text = text;
    this.#limits = limits;
  }

  start(): void {
    if (this.#text.length > this.#limits.charactersMax)
      this.fail(`the text is longer than ${this.#limits.charactersMax} characters`);
    if (this.#text.startsWith("\ufeff")) this.#at = 1;
    if (!this.#text.startsWith("<?xml", this.#at)) return;
    const declaration = this.#take(DECLARATION);
    if (declaration === null) this.fail("the XML declaration is malformed");
    // The bytes were read as UTF-8; a report that says otherwise would be misread.
    const encoding = declaration[1]?.toLowerCase() ?? "utf-8";
    if (encoding !== "utf-8" && encoding !== "us-ascii") this.fail("the encoding must be UTF-8");
  }

  /** The next start or end tag; null at the end of the text. */
  nextTag(isInside: boolean): Tag | null {
    for (;;) {
      const start = this.#text.indexOf("<", this.#at);
      this.#skipText(start === -1 ? this.#text.length : start, isInside);
      if (start === -1) return null;
      if (this.#text.startsWith("<!--", start)) this.#skipTo("-->", 4, "a comment does not end");
      else if (this.#text.startsWith("<![CDATA[", start)) {
        if (!isInside) this.fail("there is text outside the root element");
        this.#skipTo("]]>", 9, "a CDATA section does not end");
      } else if (this.#text.startsWith("<!", start)) this.fail("document types and declarations are not read");
      else if (this.#text.startsWith("<?", start)) this.fail("processing instructions are not read");
      else return this.#tag();
    }
  }

  fail(message: string): never {
    const line = this.#text.slice(0, this.#at).split("\n").length;
    throw new XmlProblem(message, line);
  }

  #tag(): Tag {
    this.#at += 1;
    const isClose = this.#text[this.#at] === "/";
    if (isClose) this.#at += 1;
    const [name] = this.#take(NAME) ?? this.fail("a tag has no proper name");
    if (isClose) {
      const end = this.#take(TAG_END);
      if (end === null || end[1] === "/") this.fail("an end tag is malformed");
      return { type: "close", name };
    }
    const attributes = new Map<string, string>();
    for (let found = this.#take(ATTRIBUTE); found !== null; found = this.#take(ATTRIBUTE)) {
      const [, attribute = "", double, single] = found;
      const value = double ?? single ?? "";
      if (attributes.has(attribute)) this.fail("an attribute stands twice in one tag");
      if (BAD_ENTITY.test(value)) this.fail("an attribute holds an entity that is not read");
      attributes.set(attribute, value);
      if (attributes.size > this.#limits.attributesMax)
        this.fail(`a tag has more than ${this.#limits.attributesMax} attributes`);
    }
    const end = this.#take(TAG_END) ?? this.fail("a tag is malformed");
    return { type: "open", name, attributes, isEmpty: end[1] === "/" };
  }

  #skipText(end: number, isInside: boolean): void {
    const between = this.#text.slice(this.#at, end);
    if (!isInside && between.trim() !== "") this.fail("there is text outside the root element");
    if (BAD_ENTITY.test(between)) this.fail("the text holds an entity that is not read");
    this.#at = end;
  }

  #skipTo(mark: string, skip: number, message: string): void {
    const end = this.#text.indexOf(mark, this.#at + skip);
    if (end === -1) this.fail(message);
    this.#at = end + mark.length;
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found !== null) this.#at = pattern.lastIndex;
    return found;
  }
}
