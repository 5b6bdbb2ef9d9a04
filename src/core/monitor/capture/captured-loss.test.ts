import { describe, expect, it } from "vitest";
import { LOSS_LINE_START, lossLine, lossOfLine } from "./captured-loss.ts";
import { parseCapturedLine } from "./parse-captured-line.ts";

describe("a line of lost requests", () => {
  it("says how many, and is no request", () => {
    expect(lossLine(12).startsWith(LOSS_LINE_START)).toBe(true);
    expect(lossOfLine(lossLine(12))).toBe(12);
    expect(parseCapturedLine(lossLine(12)).ok).toBe(false);
  });

  it.each(['{"captureLoss":', '{"captureLoss":null}', '{"captureLoss":{"requests":-1}}', '{"captureData":{}}', ""])(
    "is not read from %s",
    (line) => expect(lossOfLine(line)).toBeUndefined(),
  );
});
