import fc from "fast-check";

/**
 * Bytes that began as something valid: some are turned, cut out, doubled, or give way to a word that is known to hurt.
 * Shrinks towards fewer and smaller changes.
 */
export function mutated(corpus: readonly (string | Uint8Array)[], words: readonly (string | Uint8Array)[] = []) {
  const bases = corpus.map((one) => Buffer.from(one as Uint8Array));
  const dictionary = [...words, ...WORDS].map((word) => Buffer.from(word as Uint8Array));
  const change = fc.tuple(fc.nat(6), fc.nat(2 ** 30), fc.nat(2 ** 30), fc.nat(2 ** 16));
  return fc.tuple(fc.nat(bases.length - 1), fc.array(change, { maxLength: 6 })).map(([base, changes]): Uint8Array => {
    let bytes: Buffer = bases[base] ?? Buffer.alloc(0);
    for (const [kind, at, length, value] of changes)
      bytes = changed(bytes, { kind, at, length, value, dictionary, bases });
    return bytes;
  });
}

interface Change {
  kind: number;
  at: number;
  length: number;
  value: number;
  dictionary: readonly Buffer[];
  bases: readonly Buffer[];
}

function changed(bytes: Buffer, { kind, at, length, value, dictionary, bases }: Change): Buffer {
  const from = at % (bytes.length + 1);
  const to = Math.min(bytes.length, from + (length % 32));
  const head = bytes.subarray(0, from);
  const word = dictionary[value % dictionary.length] ?? Buffer.alloc(0);
  switch (kind) {
    case 0:
      return Buffer.concat([head, Buffer.from([value & 0xff]), bytes.subarray(from + 1)]);
    case 1:
      return Buffer.concat([head, bytes.subarray(to)]);
    case 2:
      return Buffer.concat([head, word, bytes.subarray(from)]);
    case 3:
      return Buffer.concat([head, word, bytes.subarray(to)]);
    case 4:
      return Buffer.concat([head, ...Array(1 + (value % 64)).fill(bytes.subarray(from, to)), bytes.subarray(to)]);
    case 5:
      return head;
    default: {
      const other = bases[value % bases.length] ?? Buffer.alloc(0);
      return Buffer.concat([head, other.subarray(length % (other.length + 1))]);
    }
  }
}

/** A piece said again and again up to a size: what is quadratic or descends without an end shows here. */
export function grown(pieces: readonly string[], bytesMax: number) {
  const piece = fc.oneof(fc.constantFrom(...pieces), fc.tuple(fc.constantFrom(...pieces), fc.constantFrom(...pieces)));
  return fc
    .record({
      before: fc.constantFrom("", ...pieces),
      piece,
      bits: fc.double({ min: 6, max: Math.log2(bytesMax), noNaN: true }),
      numbered: fc.boolean(),
      after: fc.constantFrom("", ...pieces),
    })
    .map(({ before, piece, bits, numbered, after }): Uint8Array => {
      const text = Array.isArray(piece) ? piece.join("") : piece;
      const size = Math.floor(2 ** bits);
      const parts = [before];
      for (let length = 0, at = 0; length < size; length += text.length + 1, at += 1)
        parts.push(numbered ? text.replaceAll("N", String(at)) : text);
      return Buffer.from(`${parts.join("")}${after}`).subarray(0, bytesMax);
    });
}

/** Mostly small changes, now and then a large text: those cost a thousand times as much. */
export function mostly<A, B>(often: fc.Arbitrary<A>, seldom: fc.Arbitrary<B>, times = 400): fc.Arbitrary<A | B> {
  return fc.oneof({ weight: times, arbitrary: often }, { weight: 1, arbitrary: seldom });
}

/** Some readers take a text for a key, a path, a number, a command or a template. */
const WORDS: readonly (string | Uint8Array)[] = [
  ...["", "\u0000", "\ufeff", "\\ud800", "\u2028", "\u202e", "\u001b[31m", "\r\n", "\n", "\t", '"', "'", "\\", "`"],
  ...["{", "}", "[", "]", "(", ")", "<", ">", "/", "//", "/*", "#", ":", ",", "-", "--", "&a", "*a", "!!", "%", "@"],
  ...["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "null", "true", "~", "<<: *a"],
  ...["0", "-0", "-1", "1e308", "1e999", "1e-999", "NaN", ".inf", "0x7fffffff", "0o17", "9007199254740993"],
  ...["99999999999999999999999999", "1_000", "../../../etc/passwd", "file:/dev/zero", "$(id)", "%00", "%s%n"],
  ...[new Uint8Array([0xff]), new Uint8Array([0xc0, 0x80]), new Uint8Array([0xed, 0xa0, 0x80])],
  ...[new Uint8Array([0xff, 0xff, 0xff, 0xff, 0x7f]), new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
];
