import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { ContinuumError } from "../../../src/core/error.ts";
import { onnxModel } from "../../../src/quickstart/onnx/model.ts";
import { foreignFiles } from "../../../src/serving/replica/foreign-files.ts";
import { killQuietly, startReplica } from "../../../src/serving/supervisor/replica-process.ts";
import { brokenModel, labelModel, sumModel } from "../../../src/serving/testing/test-models.ts";
import { type FuzzTarget, openTarget } from "../fuzz-target.ts";
import { mutated } from "../mutations.ts";
import { checkLine, holds } from "../violation.ts";

const MEBIBYTE = 1024 * 1024;

/** The smallest model, with an input of a shape that no memory holds. */
function absurd(shape: readonly (number | string)[]): Uint8Array {
  return onnxModel({
    name: "absurd",
    inputs: [{ name: "features", type: "float", shape }],
    outputs: [{ name: "score", type: "float", shape }],
    nodes: [{ operator: "Add", inputs: ["features", "one"], outputs: ["score"] }],
    initializers: [{ name: "one", type: "float", shape: [1], values: [1] }],
    opset: { standard: 17 },
  });
}

const CORPUS = [sumModel({ bias: 1 }), labelModel(), brokenModel(), absurd([2 ** 31, 2 ** 31]), absurd(["N", 0, 3])];

/** Lengths and tags that lie, names of files outside, and the runtime's own format. */
const WORDS: readonly Uint8Array[] = [
  ...[
    "ffffffff07",
    "ffffffff0f",
    "ffffffffffffffffff01",
    "0800",
    "0a00",
    "3a00",
    "6a10",
    "7001",
    "0b",
    "0c",
    "ffffffff7f",
  ],
  ...[`6a${"14"}0a086c6f636174696f6e12082f6574632f706173`, "4f52544d", "0a".repeat(64), "3a80808080", "a2069f9f9f9f01"],
  ...["08ffffffffffffffff7f", "08ffffffff07", "10ffffffffffffffffff01", "ca01ffffffff0f"],
].map((hex) => Buffer.from(hex, "hex"));

/** The look at a model before its runtime sees a byte of it. */
export const modelBytes: FuzzTarget = {
  name: "model-bytes",
  share: 150,
  open: async () => {
    const nested = fc.nat(2000).map((depth) => nestedMessages(depth));
    return openTarget({
      inputs: fc.oneof({ weight: 100, arbitrary: mutated(CORPUS, WORDS) }, { weight: 1, arbitrary: nested }),
      bytesOf: (bytes) => bytes.length,
      feed: (bytes) => foreignFiles(bytes),
    });
  },
};

/** A graph in an attribute in a node in a graph, and so on. */
function nestedMessages(depth: number): Uint8Array {
  let inner: Buffer = Buffer.alloc(0);
  for (let at = 0; at < depth && inner.length < 100_000; at += 1) {
    const attribute = field(6, inner);
    inner = field(1, field(5, attribute));
  }
  return field(7, inner);
}

function field(number: number, content: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = content.length; ; rest >>>= 7) {
    if (rest < 0x80) {
      length.push(rest);
      break;
    }
    length.push((rest & 0x7f) | 0x80);
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), content]);
}

/** A replica may end of a model, and says so in one line. */
export const modelReplicas: FuzzTarget = {
  name: "model-replicas",
  share: 0.3,
  open: async () => {
    const folder = mkdtempSync(join(tmpdir(), "continuum-fuzz-replica-"));
    const feed = async (model: Uint8Array): Promise<string> => {
      try {
        const { record, child } = await startReplica({
          socketDir: folder,
          stateFile: join(folder, "serving.json"),
          variant: "v1",
          servedName: "development-churn",
          modelVersion: "1.0.0",
          size: { threads: 1, memoryBytesMax: 512 * MEBIBYTE },
          model,
          startMsMax: 20_000,
          orphanMsMax: 1000,
        });
        killQuietly(record.pid);
        await new Promise((ended) => child.once("exit", ended));
        return "taken";
      } catch (error) {
        if (!(error instanceof ContinuumError)) throw error;
        checkLine(error.message.replaceAll(/[^\x20-\x7e]/g, "?"));
        holds(["bad-model", "not-available"].includes(error.code), `a code that nobody knows: ${error.code}`);
        return `${error.code}: ${error.message.replaceAll(/["'].*|\d+/g, "").slice(0, 60)}`;
      }
    };
    // Where no model loads at all, every refusal would look right.
    holds((await feed(sumModel({ bias: 1 }))) === "taken", "a good model does not load");
    return openTarget({
      inputs: mutated(CORPUS, WORDS),
      bytesOf: (bytes) => bytes.length,
      floorMs: 5000,
      feed,
      close: async () => rmSync(folder, { recursive: true, force: true }),
    });
  },
};
