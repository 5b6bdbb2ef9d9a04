import { InferenceSession, Tensor } from "onnxruntime-node";
import { ContinuumError } from "../../core/error.ts";
import { foreignFiles } from "./foreign-files.ts";
import { INPUT_FORMAT, OUTPUT_FORMAT } from "./frames.ts";
import { InvalidInput } from "./invalid-input.ts";
import { allocate, type FlatTensor } from "./nested-values.ts";
import { type ReadRequest, readCsv, readJson, readOpenInference } from "./read-request.ts";
import { TENSOR_TYPES, type TensorSpec, type TensorType } from "./tensor-type.ts";
import { InvalidOutput, type OutputTensor, writeCsv, writeJson } from "./write-answer.ts";

export interface LoadOptions {
  bytes: Uint8Array;
  threads: number;
  /** What answers call the model, i.e. the endpoint's `{environment}-{name}`. */
  servedName: string;
  modelVersion: string;
}

/** An answer as the router passes it on: below 500 it is the caller's, from 500 the model's. */
export interface ModelAnswer {
  status: 200 | 400 | 500;
  output: number;
  body: string;
}

const REASON_CHARACTERS_MAX = 300;
/** A path below a device that is no folder, so that it can never be made. */
const NO_FOLDER = "/dev/null/none";

/** One ONNX model, loaded. */
export class Model {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly #session: InferenceSession;
  readonly #names: { name: string; version: string };

  private constructor(session: InferenceSession, options: LoadOptions) {
    this.#session = session;
    this.#names = { name: options.servedName, version: options.modelVersion };
    this.inputs = tensorSpecs(session.inputMetadata, "input");
    // An output that is no tensor cannot be written as JSON; a model that has others still serves those.
    this.outputs = tensorSpecs(
      session.outputMetadata.filter((output) => output.isTensor),
      "output",
    );
    if (this.outputs.length === 0) throw new ContinuumError("bad-model", "the model has no output that is a tensor");
  }

  /** Throws `bad-model`: with ONNX Runtime's reason, shortened, or because the model wants to read other files. */
  static async load(options: LoadOptions): Promise<Model> {
    const foreign = foreignFiles(options.bytes);
    if (foreign === "external-data") {
      const right = "save it with all tensors inside, as one file";
      throw new ContinuumError("bad-model", `the model keeps tensors in other files, which are never read: ${right}`);
    }
    if (foreign === "not-onnx") throw new ContinuumError("bad-model", "the file is not an ONNX model");
    let session: InferenceSession;
    try {
      session = await InferenceSession.create(options.bytes, {
        executionProviders: ["cpu"],
        intraOpNumThreads: options.threads,
        interOpNumThreads: 1,
        logSeverityLevel: 4,
        // Should a model ever name a file in a way that was not foreseen above, there is none where it is looked for.
        extra: { session: { model_external_initializers_file_folder_path: NO_FOLDER } },
      });
    } catch (error) {
      throw new ContinuumError("bad-model", `ONNX Runtime cannot load the model: ${shortReason(error)}`);
    }
    return new Model(session, options);
  }

  /** One inference on zeros, with 1 for every dimension of any length. Throws `bad-model` when it fails. */
  async warmUp(): Promise<void> {
    try {
      const tensors = new Map<string, FlatTensor>();
      for (const input of this.inputs) {
        const dims = input.shape.map((size) => (typeof size === "number" ? size : 1));
        const length = dims.reduce((product, size) => product * size, 1);
        // Allocated in here: a model may ask for an input that no memory holds.
        tensors.set(input.name, { type: input.type, data: allocate(input.type, length), dims });
      }
      await this.#run({ tensors, shape: "outputs" });
    } catch (error) {
      throw new ContinuumError("bad-model", `the warm-up inference failed: ${shortReason(error)}`);
    }
  }

  /** Never throws: whatever goes wrong is an answer. */
  async answer(body: Buffer, input: number, output: number): Promise<ModelAnswer> {
    try {
      const request = this.#read(body.toString("utf8"), input);
      const outputs = await this.#run(request);
      const asCsv = output === OUTPUT_FORMAT.csv && request.shape === "predictions";
      const text = asCsv ? writeCsv(outputs) : writeJson(request, outputs, this.#names);
      return { status: 200, output: asCsv ? OUTPUT_FORMAT.csv : OUTPUT_FORMAT.json, body: text };
    } catch (error) {
      if (error instanceof InvalidInput) return failure(400, "bad-input", error.message);
      if (error instanceof InvalidOutput) return failure(500, "model-error", error.message);
      return failure(500, "model-error", `the model failed: ${shortReason(error)}`);
    }
  }

  #read(text: string, input: number): ReadRequest {
    if (input === INPUT_FORMAT.csv) return readCsv(text, this.inputs);
    if (input === INPUT_FORMAT.openInference) return readOpenInference(text, this.inputs);
    return readJson(text, this.inputs);
  }

  async #run(request: ReadRequest): Promise<OutputTensor[]> {
    const feeds: Record<string, Tensor> = {};
    for (const [name, tensor] of request.tensors) feeds[name] = new Tensor(tensor.type, tensor.data, tensor.dims);
    const wanted = this.#wanted(request);
    const results = await this.#session.run(feeds, wanted);
    return wanted.map((name) => {
      const tensor = results[name];
      if (!(tensor instanceof Tensor)) throw new InvalidOutput(`output "${name}" is no tensor`);
      return { name, type: supportedType(tensor.type, name), dims: tensor.dims, data: tensor.data };
    });
  }

  #wanted(request: ReadRequest): string[] {
    const known = this.outputs.map((output) => output.name);
    for (const name of request.outputs ?? [])
      if (!known.includes(name)) throw new InvalidInput(`there is no output "${name}"; there is ${known.join(", ")}`);
    return request.outputs ?? known;
  }
}

function tensorSpecs(metadata: readonly InferenceSession.ValueMetadata[], what: string): TensorSpec[] {
  return metadata.map((value) => {
    if (!value.isTensor) throw new ContinuumError("bad-model", `${what} "${value.name}" is no tensor`);
    return {
      name: value.name,
      type: supportedType(value.type, value.name),
      // A dimension without a name comes as an empty text.
      shape: value.shape.map((size, at) => (size === "" ? `dim${at}` : size)),
    };
  });
}

function supportedType(type: string, name: string): TensorType {
  const known = TENSOR_TYPES.find((supported) => supported === type);
  if (known === undefined)
    throw new ContinuumError("bad-model", `tensor "${name}" is of type ${type}, which has no form in JSON here`);
  return known;
}

function failure(status: 400 | 500, code: string, message: string): ModelAnswer {
  return { status, output: OUTPUT_FORMAT.json, body: JSON.stringify({ code, message }) };
}

/** ONNX Runtime's messages name source files of its own build and run over several lines: the first one is enough. */
function shortReason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const line = (text.split("\n")[0] ?? "").replace(/\/[^\s:]*\//g, "").trim();
  return line.length > REASON_CHARACTERS_MAX ? `${line.slice(0, REASON_CHARACTERS_MAX)}...` : line;
}
