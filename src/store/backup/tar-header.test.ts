import { describe, expect, test } from "vitest";
import { BLOCK_BYTES, paddingBytes, readTarHeader, tarHeader } from "./tar-header.ts";

const LONG = `artifacts/${"a".repeat(64)}/${"b".repeat(64)}`;

describe("a tar header", () => {
  test.each([
    ["a short name", { path: "backup.json", sizeBytes: 0 }],
    ["a name that needs the prefix", { path: LONG, sizeBytes: 5 }],
    ["a size above what octal digits hold", { path: LONG, sizeBytes: 16 * 1024 ** 3 + 7 }],
  ])("brings back %s", (_, entry) => {
    const block = tarHeader(entry, Date.UTC(2026, 10, 23));
    expect(block).toHaveLength(BLOCK_BYTES);
    expect(readTarHeader(block)).toEqual(entry);
  });

  test("that was changed in any byte is not read as another", () => {
    const entry = { path: LONG, sizeBytes: 1234 };
    const block = tarHeader(entry, 0);
    for (let at = 0; at < BLOCK_BYTES; at += 1) {
      const changed = Buffer.from(block);
      changed[at] = (changed[at] ?? 0) ^ 0x04;
      const read = readTarHeader(changed);
      // The digits of the checksum itself have more than one spelling of the same number.
      if (read !== "damaged") expect(read).toEqual(entry);
    }
  });

  test("of zeros is the end, and what no header can hold is a bug of ours", () => {
    expect(readTarHeader(Buffer.alloc(BLOCK_BYTES))).toBeUndefined();
    expect(() => tarHeader({ path: "x".repeat(300), sizeBytes: 0 }, 0)).toThrow("broken invariant");
    expect([0, 1, 511, 512, 513].map(paddingBytes)).toEqual([0, 511, 1, 0, 511]);
  });
});
