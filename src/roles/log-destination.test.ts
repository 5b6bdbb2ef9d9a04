import { expect, test } from "vitest";
import { LogDestination } from "./log-destination.ts";

/** A file that has room for so many bytes, as a disk that fills. */
function disk(room: number): { space: number; text: string; write(bytes: Uint8Array): number } {
  const at = {
    space: room,
    text: "",
    write: (bytes: Uint8Array) => {
      if (at.space === 0) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
      const taken = Math.min(at.space, bytes.byteLength);
      at.space -= taken;
      at.text += Buffer.from(bytes.subarray(0, taken)).toString("utf8");
      return taken;
    },
  };
  return at;
}

test("lines that a full disk does not take are lost, and the first that it takes again says how many", () => {
  const full = disk(10);
  const log = new LogDestination(full.write);
  for (const line of ["one\n", "two\n", "three\n", "four\n"]) log.write(line);
  full.space = 1000;
  log.write("five\n");
  log.write("six\n");
  const lines = full.text.split("\n");
  expect(lines.slice(0, 3)).toEqual(["one", "two", "th"]);
  expect(JSON.parse(lines[3] ?? "")).toMatchObject({ msg: "log-lines-lost", count: 2, level: 50 });
  expect(lines.slice(4)).toEqual(["five", "six", ""]);
});

test("a reader that is behind is waited for", () => {
  let busy = 3;
  const taken: string[] = [];
  const log = new LogDestination((bytes) => {
    busy -= 1;
    if (busy > 0) throw Object.assign(new Error("busy"), { code: "EAGAIN" });
    taken.push(Buffer.from(bytes).toString("utf8"));
    return bytes.byteLength;
  });
  log.write("line\n");
  expect(taken).toEqual(["line\n"]);
});
