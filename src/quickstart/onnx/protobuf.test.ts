import { describe, expect, it } from "vitest";
import {
  bytesField,
  floatField,
  int64Bytes,
  integerField,
  message,
  packedFloatsField,
  packedIntegersField,
  stringField,
} from "./protobuf.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("protobuf", () => {
  it("writes integers as the format's own documentation shows", () => {
    expect(hex(integerField(1, 150))).toBe("089601");
    expect(hex(integerField(1, 0))).toBe("0800");
    expect(hex(integerField(1, 127))).toBe("087f");
    expect(hex(integerField(1, 128))).toBe("088001");
  });

  it("writes a negative integer in ten bytes and the largest one without loss", () => {
    expect(hex(integerField(1, -2))).toBe("08feffffffffffffffff01");
    expect(hex(integerField(1, 2n ** 63n - 1n))).toBe("08ffffffffffffffff7f");
  });

  it("writes a field number above 15 in two bytes", () => {
    expect(hex(integerField(20, 7))).toBe("a00107");
  });

  it("writes strings in UTF-8 with their length in bytes", () => {
    expect(hex(stringField(2, "testing"))).toBe("120774657374696e67");
    expect(hex(stringField(2, "é"))).toBe("1202c3a9");
    expect(hex(stringField(2, ""))).toBe("1200");
  });

  it("embeds a message and packs repeated numbers", () => {
    expect(hex(bytesField(3, integerField(1, 150)))).toBe("1a03089601");
    expect(hex(packedIntegersField(6, [3, 270, 86942]))).toBe("3206038e029ea705");
    expect(hex(packedFloatsField(1, [1, -2]))).toBe("0a080000803f000000c0");
  });

  it("writes floats and 64-bit integers little endian", () => {
    expect(hex(floatField(2, 0.5))).toBe("150000003f");
    expect(hex(int64Bytes([1, -1]))).toBe("0100000000000000ffffffffffffffff");
  });

  it("concatenates the fields of a message in order", () => {
    expect(hex(message())).toBe("");
    expect(hex(message(integerField(1, 1), integerField(2, 2)))).toBe("08011002");
  });
});
