import type { ServerResponse } from "node:http";
import type { Endpoint, Variant } from "../endpoint.ts";
import { OPEN_INFERENCE_TYPE, type TensorSpec } from "../replica/tensor-type.ts";
import { sendProblem } from "./problem.ts";
import { sendJson } from "./send-json.ts";

/** What the Open Inference Protocol v2 says of a server, which clients ask before anything else: it names no model. */
export function sendServer(response: ServerResponse, version: string): void {
  sendJson(response, 200, { name: "continuum", version, extensions: [] });
}

/** What the Open Inference Protocol v2 says of a model: its name, version, inputs and outputs, or only readiness. */
export function sendModel(
  response: ServerResponse,
  { endpoint, readyOnly, requestId }: { endpoint: Endpoint; readyOnly: boolean; requestId: string },
): void {
  const served = endpoint.routes.stable ?? endpoint.routes.candidate;
  const signature = served?.pool.signature ?? null;
  const ready = served !== null && served.pool.healthy > 0;
  if (readyOnly) sendJson(response, ready ? 200 : 503, { name: endpoint.servedName, ready });
  else if (served === null || signature === null)
    sendProblem(response, { code: "unavailable", detail: "no replica is healthy", requestId });
  else
    sendJson(response, 200, describeModel({ name: endpoint.servedName, version: served.spec.modelVersion, signature }));
}

function describeModel(model: {
  name: string;
  version: string;
  signature: NonNullable<Variant["pool"]["signature"]>;
}): Record<string, unknown> {
  return {
    name: model.name,
    versions: [model.version],
    platform: "onnx_onnxruntime",
    inputs: model.signature.inputs.map(openInferenceTensor),
    outputs: model.signature.outputs.map(openInferenceTensor),
  };
}

function openInferenceTensor(spec: TensorSpec): Record<string, unknown> {
  const shape = spec.shape.map((size) => (typeof size === "number" ? size : -1));
  return { name: spec.name, datatype: OPEN_INFERENCE_TYPE[spec.type], shape };
}
