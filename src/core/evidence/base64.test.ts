import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeBase64 } from "./base64.ts";

test("base64 has one spelling for every run of bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      expect(decodeBase64(Buffer.from(bytes).toString("base64"))).toEqual(Buffer.from(bytes));
    }),
  );
  for (const text of [
    "YQ",
    "YQ=",
    "YR==",
    "YWI",
    " YWI=",
    "YWI=\n",
    "YW\nI=",
    "YWI=YWI=",
    "YWI*",
    "_-8=",
    "=",
    "YWJj=",
  ]) {
    expect(decodeBase64(text), JSON.stringify(text)).toBeNull();
  }
});
