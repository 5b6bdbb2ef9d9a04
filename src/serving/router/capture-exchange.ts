import type { IncomingHttpHeaders } from "node:http";
import { INFERENCE_ID } from "../../core/monitor/capture/pseudonym.ts";
import type { Variant } from "../endpoint.ts";
import type { Captured } from "./capture.ts";
import type { Exchange } from "./exchange.ts";
import type { Answer } from "./send-answer.ts";

const INFERENCE_ID_HEADER = "x-amzn-sagemaker-inference-id";

/** What is wrong with the caller's own id of an inference; null when nothing is, or it sent none. */
export function inferenceIdProblem(headers: IncomingHttpHeaders): string | null {
  const id = headers[INFERENCE_ID_HEADER];
  if (id === undefined || (typeof id === "string" && INFERENCE_ID.test(id))) return null;
  return "X-Amzn-SageMaker-Inference-Id must have 1 to 64 printable ASCII characters";
}

/** What is kept of an answered exchange. */
export function capturedExchange(
  exchange: Exchange,
  { assigned, answer, latencyMs, atMs }: { assigned: Variant; answer: Answer; latencyMs: number; atMs: number },
): Captured {
  const { endpoint, request } = exchange;
  const inferenceId = request.headers[INFERENCE_ID_HEADER];
  return {
    tenant: endpoint.at.tenant,
    endpoint: endpoint.servedName,
    variant: assigned.spec.variant,
    role: exchange.candidate ? "candidate" : "stable",
    modelVersion: assigned.spec.modelVersion,
    candidateProbability: exchange.probability,
    status: answer.status,
    latencyMs,
    atMs,
    requestId: exchange.requestId,
    inferenceId: typeof inferenceId === "string" ? inferenceId : undefined,
    attempts: exchange.attempts,
    failedOver: exchange.failedOver,
    input: { contentType: request.headers["content-type"] ?? "", body: exchange.body },
    output: answer,
  };
}
