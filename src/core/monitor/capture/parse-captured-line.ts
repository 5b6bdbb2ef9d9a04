import type { Parsed } from "../../error.ts";
import { fieldsOf } from "./body-values.ts";
import type { CapturedAssignment, CapturedBody, CapturedInference } from "./captured-inference.ts";

type Fields = Readonly<Record<string, unknown>>;

/**
 * One line of a capture file: a record of our own data plane, or one that SageMaker's data capture wrote
 * (docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture.html). What the problem says never holds a part
 * of the line, because that can be a person's data.
 */
export function parseCapturedLine(line: string): Parsed<CapturedInference> {
  const record = fieldsOf(parsed(line));
  if (record === null) return bad("", "the line is no JSON object: one record of a data capture was expected");
  const data = fieldsOf(record["captureData"]);
  if (data === null) return bad("/captureData", "captureData must be an object with the endpoint's input and output");
  const metadata = fieldsOf(record["eventMetadata"]);
  const atMs = Date.parse(textOf(metadata?.["inferenceTime"]) ?? "");
  if (metadata === null || Number.isNaN(atMs))
    return bad("/eventMetadata/inferenceTime", "inferenceTime must be a time as in 2030-01-31T12:00:00Z");
  const [input, output] = [bodyOf(data["endpointInput"]), bodyOf(data["endpointOutput"])];
  if (record["continuum"] === undefined) return sagemakers(metadata, { atMs, input, output });
  const continuum = assignmentOf(fieldsOf(record["continuum"]));
  if (continuum === null)
    return bad("/continuum", "continuum must say the request's id, variant, role, probability, status and latency");
  const pseudonym = textOf(metadata["inferenceId"]);
  return {
    ok: true,
    value: {
      inferenceId: pseudonym === null ? { raw: continuum.requestId } : { pseudonym },
      requestedAtMs: atMs - continuum.latencyMs,
      answeredAtMs: atMs,
      continuum,
      input,
      output,
    },
  };
}

function sagemakers(
  metadata: Fields,
  { atMs, input, output }: { atMs: number; input: CapturedBody | null; output: CapturedBody | null },
): Parsed<CapturedInference> {
  const raw = textOf(metadata["inferenceId"]) ?? textOf(metadata["eventId"]);
  if (raw === null) return bad("/eventMetadata/eventId", "a record without an inferenceId needs an eventId");
  const times = { requestedAtMs: atMs, answeredAtMs: atMs };
  return { ok: true, value: { inferenceId: { raw }, ...times, continuum: null, input, output } };
}

function assignmentOf(given: Fields | null): CapturedAssignment | null {
  if (given === null) return null;
  const { requestId, variant, role, modelVersion, candidateProbability, status, latencyMs } = given;
  const { attempts = 1, failedOver = false } = given;
  const isWhole =
    typeof requestId === "string" &&
    typeof variant === "string" &&
    (role === "stable" || role === "candidate") &&
    typeof modelVersion === "string" &&
    isShare(candidateProbability) &&
    isCount(status) &&
    typeof latencyMs === "number" &&
    Number.isFinite(latencyMs) &&
    isCount(attempts) &&
    typeof failedOver === "boolean";
  return isWhole
    ? { requestId, variant, role, modelVersion, candidateProbability, status, latencyMs, attempts, failedOver }
    : null;
}

function bodyOf(given: unknown): CapturedBody | null {
  const body = fieldsOf(given);
  if (body === null) return null;
  const contentType = textOf(body["observedContentType"])?.toLowerCase() ?? "";
  const data = textOf(body["data"]);
  const isPartial = body["partial"] === true;
  if (body["encoding"] !== "BASE64") return { encoding: body["encoding"] === "CSV" ? "CSV" : "JSON", data, isPartial };
  // So SageMaker keeps content types that its configuration does not name.
  const text = data === null ? null : Buffer.from(data, "base64").toString("utf8");
  const isJson = contentType.includes("json") || (!contentType.includes("csv") && /^\s*[[{]/.test(text ?? ""));
  return { encoding: isJson ? "JSON" : "CSV", data: text, isPartial };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function isShare(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 1;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function bad(path: string, message: string): Parsed<CapturedInference> {
  return { ok: false, problem: { path, message } };
}
