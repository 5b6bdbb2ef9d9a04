import { describe, expect, it } from "vitest";
import { eventStreamParser } from "./event-stream.ts";

const STREAM =
  ': hello\n\nid: 1\ndata: {"a":1}\n\nid: 2\r\nevent: x\r\ndata: two\r\ndata:lines\r\n\r\nid: 3\rdata: old\r\rdata\n\n';
const EVENTS = [
  { id: "1", data: '{"a":1}' },
  { id: "2", data: "two\nlines" },
  { id: "3", data: "old" },
  { id: "3", data: "" },
];

describe("eventStreamParser", () => {
  it("gives the same events however the text was cut", () => {
    for (let cut = 0; cut <= STREAM.length; cut++) {
      const parse = eventStreamParser();
      expect([...parse(STREAM.slice(0, cut)), ...parse(STREAM.slice(cut))]).toEqual(EVENTS);
    }
    const parse = eventStreamParser();
    expect([...STREAM].flatMap((character) => parse(character))).toEqual(EVENTS);
  });

  it("keeps back an event that is not complete", () => {
    expect(eventStreamParser()("data: half\n")).toEqual([]);
  });

  it("refuses a line that never ends", () => {
    const parse = eventStreamParser();
    expect(() => {
      for (let i = 0; i < 20; i++) parse("x".repeat(100_000));
    }).toThrow(RangeError);
  });
});
