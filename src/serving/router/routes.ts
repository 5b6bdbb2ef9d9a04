import type { IncomingHttpHeaders } from "node:http";
import { INPUT_FORMAT, type InputFormat, OUTPUT_FORMAT, type OutputFormat } from "../replica/frames.ts";

export type Protocol = "sagemaker" | "open-inference";

export type Route =
  | { kind: "invoke"; protocol: Protocol; name: string }
  | { kind: "model"; name: string }
  | { kind: "model-ready"; name: string }
  | { kind: "live" }
  | { kind: "ready" }
  | { kind: "metrics" }
  | { kind: "server" }
  | { kind: "wrong-method"; allow: string }
  | { kind: "none" };

const SAGEMAKER = /^\/endpoints\/([a-z0-9-]{1,64})\/invocations$/;
const OPEN_INFERENCE = /^\/v2\/models\/([a-z0-9-]{1,64})(\/infer|\/ready)?$/;

/** What a request line asks for. The query string plays no part. */
export function matchRoute(method: string, url: string): Route {
  const queryAt = url.indexOf("?");
  const path = queryAt === -1 ? url : url.slice(0, queryAt);
  const sagemaker = SAGEMAKER.exec(path)?.[1];
  if (sagemaker !== undefined)
    return onlyFor("POST", method, { kind: "invoke", protocol: "sagemaker", name: sagemaker });
  const open = OPEN_INFERENCE.exec(path);
  const name = open?.[1];
  if (name !== undefined) {
    if (open?.[2] === "/infer") return onlyFor("POST", method, { kind: "invoke", protocol: "open-inference", name });
    return onlyFor("GET", method, { kind: open?.[2] === "/ready" ? "model-ready" : "model", name });
  }
  switch (path) {
    case "/healthz":
    case "/v2/health/live":
      return onlyFor("GET", method, { kind: "live" });
    case "/readyz":
    case "/v2/health/ready":
      return onlyFor("GET", method, { kind: "ready" });
    case "/v2":
      return onlyFor("GET", method, { kind: "server" });
    case "/metrics":
      return onlyFor("GET", method, { kind: "metrics" });
    default:
      return { kind: "none" };
  }
}

function onlyFor(allow: "GET" | "POST", method: string, route: Route): Route {
  return method === allow ? route : { kind: "wrong-method", allow };
}

/** How the body is written, or one sentence that says why it cannot be read. */
export function inputFormat(protocol: Protocol, headers: IncomingHttpHeaders): InputFormat | string {
  const coding = headers["content-encoding"];
  if (coding !== undefined && coding !== "identity") return "no content-encoding is supported: send the body plain";
  if (headers["inference-header-content-length"] !== undefined) return "binary tensors are not supported: send JSON";
  const type = mediaType(headers["content-type"]);
  if (protocol === "open-inference")
    return type === "application/json" || type === "" ? INPUT_FORMAT.openInference : "send application/json";
  if (type === "application/json") return INPUT_FORMAT.json;
  if (type === "text/csv") return INPUT_FORMAT.csv;
  return "send application/json or text/csv";
}

/** CSV is answered to who asks for it, or who sent it and accepts anything. */
export function outputFormat(protocol: Protocol, input: InputFormat, accept: string | undefined): OutputFormat {
  if (protocol === "open-inference" || accept === undefined) return OUTPUT_FORMAT.json;
  const types = accept.split(",").map(mediaType);
  if (types.includes("application/json")) return OUTPUT_FORMAT.json;
  if (types.includes("text/csv")) return OUTPUT_FORMAT.csv;
  return input === INPUT_FORMAT.csv && types.includes("text/*") ? OUTPUT_FORMAT.csv : OUTPUT_FORMAT.json;
}

function mediaType(value: string | undefined): string {
  return (value ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}
