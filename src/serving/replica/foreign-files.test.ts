import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bytesField, integerField, message, packedIntegersField, stringField } from "../../quickstart/onnx/protobuf.ts";
import { labelModel, sumModel } from "../testing/test-models.ts";
import { foreignFiles } from "./foreign-files.ts";
import { Model } from "./model.ts";

const SECRET = "not for callers at all";
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "continuum-foreign-"));
  writeFileSync(join(folder, "secret"), SECRET);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A tensor of bytes that lies in another file. */
function externalTensor(location: string, length: number): Uint8Array {
  const entry = (key: string, value: string) => bytesField(13, message(stringField(1, key), stringField(2, value)));
  return message(
    ...[packedIntegersField(1, [length]), integerField(2, 2), stringField(8, "w")],
    ...[entry("location", location), entry("length", String(length)), integerField(14, 1)],
  );
}

const value = (name: string, code: number, size: number) => {
  const shape = bytesField(2, bytesField(1, integerField(1, size)));
  return message(stringField(1, name), bytesField(2, bytesField(1, message(integerField(1, code), shape))));
};
const identity = (from: string, to: string) =>
  bytesField(1, message(stringField(1, from), stringField(2, to), stringField(3, to), stringField(4, "Identity")));

function modelOf(...graphFields: Uint8Array[]): Uint8Array {
  const graph = message(...graphFields, stringField(2, "g"));
  return message(integerField(1, 8), bytesField(7, graph), bytesField(8, message(integerField(2, 17))));
}

/** Answers every request with the contents of a file of the host. */
function spy(location: string, length: number): Uint8Array {
  const outputs = [bytesField(12, value("y", 2, length)), bytesField(12, value("z", 1, 1))];
  const nodes = [identity("w", "y"), identity("x", "z")];
  const tensor = bytesField(5, externalTensor(location, length));
  return modelOf(...nodes, tensor, bytesField(11, value("x", 1, 1)), ...outputs);
}

const load = (bytes: Uint8Array) => Model.load({ bytes, threads: 1, servedName: "m", modelVersion: "1" });

describe("a model that reads the host's files", () => {
  it("is never loaded", async () => {
    const location = relative(process.cwd(), join(folder, "secret"));
    await expect(load(spy(location, SECRET.length))).rejects.toMatchObject({
      code: "bad-model",
      message: expect.stringContaining("tensors in other files"),
    });
  });

  const tensor = externalTensor("etc/passwd", 8);
  const attribute = (...fields: Uint8Array[]) => bytesField(5, message(stringField(1, "value"), ...fields));
  const node = (...fields: Uint8Array[]) => bytesField(1, message(stringField(4, "Constant"), ...fields));
  const hidden: [string, Uint8Array][] = [
    ["an initializer", modelOf(bytesField(5, tensor))],
    ["a sparse initializer's values", modelOf(bytesField(15, bytesField(1, tensor)))],
    ["a sparse initializer's indices", modelOf(bytesField(15, bytesField(2, tensor)))],
    ["a constant", modelOf(node(attribute(bytesField(5, tensor))))],
    ["a list of constants", modelOf(node(attribute(bytesField(10, tensor))))],
    ["a sparse constant", modelOf(node(attribute(bytesField(22, bytesField(1, tensor)))))],
    ["a branch", modelOf(node(attribute(bytesField(6, bytesField(5, tensor)))))],
    ["one of several branches", modelOf(node(attribute(bytesField(11, bytesField(5, tensor)))))],
    ["a function", message(bytesField(25, bytesField(7, attribute(bytesField(5, tensor)))))],
    ["a function's default", message(bytesField(25, bytesField(11, bytesField(5, tensor))))],
    ["a part for training", message(bytesField(20, bytesField(2, bytesField(5, tensor))))],
    ["a graph that comes second", message(bytesField(7, new Uint8Array()), bytesField(7, bytesField(5, tensor)))],
    ["a location alone", modelOf(bytesField(5, integerField(14, 1)))],
    ["a location above 32 bits", modelOf(bytesField(5, integerField(14, 2n ** 32n)))],
    ["a location above 35 bits", modelOf(bytesField(5, integerField(14, 2n ** 40n)))],
  ];
  it.each(hidden)("is found by %s", (_, bytes) => expect(foreignFiles(bytes)).toBe("external-data"));

  it("is told from one that is whole", () => {
    expect(foreignFiles(sumModel({ bias: 1 }))).toBe("none");
    expect(foreignFiles(labelModel())).toBe("none");
    expect(foreignFiles(modelOf(bytesField(5, integerField(14, 0))))).toBe("none");
  });
});

describe("what is no ONNX model", () => {
  const nested = Array.from({ length: 150 }).reduce<Uint8Array>(
    (inner) => message(bytesField(1, message(bytesField(5, bytesField(6, inner))))),
    new Uint8Array(),
  );
  const files: [string, Uint8Array][] = [
    ["text", Buffer.from("hello, world")],
    ["ONNX Runtime's own format", Buffer.concat([Buffer.from([8, 0, 0, 0]), Buffer.from("ORTM"), Buffer.alloc(64)])],
    ["a length beyond the end", Uint8Array.of(0x3a, 0x7f, 1)],
    ["a number without an end", new Uint8Array(16).fill(0xff)],
    ["a group", Uint8Array.of(0x3b, 0x3c)],
    ["graphs within graphs without end", message(bytesField(7, nested))],
  ];
  it.each(files)("is refused: %s", async (_, bytes) => {
    expect(foreignFiles(bytes)).toBe("not-onnx");
    await expect(load(bytes)).rejects.toMatchObject({ code: "bad-model" });
  });
});

describe("a model that asks for an input that no memory holds", () => {
  it("is refused as a bad model, and not tried again and again", async () => {
    const size = 2 ** 52;
    const bytes = modelOf(identity("x", "y"), bytesField(11, value("x", 1, size)), bytesField(12, value("y", 1, size)));
    const model = await load(bytes);
    await expect(model.warmUp()).rejects.toMatchObject({ code: "bad-model" });
  });
});
