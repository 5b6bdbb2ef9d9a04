import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseJsonStrict } from "../plan/strict-json.ts";
import { parseUtf8Json } from "./utf8-json.ts";

const BYTES_MAX = 8 * 1024 * 1024;
const parse = (json: string | Uint8Array): unknown => parseUtf8Json(json, BYTES_MAX);

const leaf = fc.oneof(fc.string({ maxLength: 6, unit: "grapheme" }), fc.integer(), fc.boolean(), fc.constant(null));
const values = fc.oneof(
  leaf,
  fc.array(fc.oneof(leaf, fc.dictionary(fc.string({ maxLength: 4 }), leaf, { maxKeys: 4 }))),
);

test("whatever JSON writes is read as JSON reads it", () => {
  fc.assert(
    fc.property(values, (value) => {
      const text = JSON.stringify(value);
      fc.pre(!text.includes("__proto__") && !text.includes("\\u0000"));
      expect(parse(text)).toEqual(JSON.parse(text));
      expect(parse(Buffer.from(text))).toEqual(JSON.parse(text));
    }),
  );
});

test("what the reader of plans accepts or refuses, this one does too", () => {
  const parts = ['"a"', '"b"', '"\\u0061"', '"\\""', ":", ",", "{", "}", "[", "]", "1", "-0.5e3", "true", " "];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...parts), { maxLength: 12 }), (chosen) => {
      const text = chosen.join("");
      const strict = parseJsonStrict(text);
      expect(parse(text)).toEqual(strict.ok ? strict.value : undefined);
    }),
    { numRuns: 300 },
  );
});

describe("a text is refused", () => {
  test.each<[string, string | Uint8Array]>([
    ["with a key twice", '{"a":1,"a":1}'],
    ["with a key twice, spelt differently", '{"a":1,"\\u0061":2}'],
    ["with a key twice, deep inside", '[{"x":[{"b":{"c":1,"c":2}}]}]'],
    ["with a key twice, after a list", '{"a":[1,2],"b":1,"a":3}'],
    ["with a key twice, after an object", '{"a":{"b":1},"a":3}'],
    ["with the key of every object", '{"__proto__":{}}'],
    ["with half a character", '"\\ud800"'],
    ["with half a character as it stands", '"\ud800"'],
    ["with the character that no database holds", '"\\u0000"'],
    ["with a number that is too large to be held", "9007199254740993"],
    ["with a number that is too large, written short", "1e30"],
    ["with a number that is no number", "1e400000000000000000"],
    ["nested without end", `${"[".repeat(65)}${"]".repeat(65)}`],
    ["in bytes that are not UTF-8", Buffer.from([0x22, 0xff, 0x22])],
    ["with a mark of byte order", Buffer.from("\ufeff{}")],
    ["that is cut off", '{"a":"'],
    ["that is empty", ""],
  ])("%s", (_, json) => {
    expect(parse(json)).toBeUndefined();
  });

  test("that is longer than its reader wants, unread", () => {
    expect(parseUtf8Json("[1,2]", 4)).toBeUndefined();
    expect(parseUtf8Json("[1,2]", 5)).toEqual([1, 2]);
  });
});

test("the same key may stand in different objects, and a string may look like anything", () => {
  expect(parse('[{"a":{"a":1}},{"a":[{"a":"a"}]}]')).toEqual([{ a: { a: 1 } }, { a: [{ a: "a" }] }]);
  expect(parse('{"a":"{\\"a\\":1,\\"a\\":2}","b":"],}\\\\"}')).toEqual({ a: '{"a":1,"a":2}', b: "],}\\" });
  expect(parse("[0.12345678901234567890, 123456789012345]")).toEqual([
    Number("0.1234567890123456789"),
    123456789012345,
  ]);
});

test.each<[string, string]>([
  ["numbers", `[${"0,".repeat(500_000)}0]`],
  ["keys", `{${Array.from({ length: 60_000 }, (_, index) => `"${index}":0`).join()}}`],
  ["one string", `"${"\\\\".repeat(500_000)}"`],
])("a million bytes of %s take no more than their share of time", (_, text) => {
  const before = process.cpuUsage();
  expect(parse(text)).toBeDefined();
  expect(process.cpuUsage(before).user / 1000).toBeLessThan(2000);
});
