import fc from "fast-check";

/** A request as a caller of bad will or poor program would write it. */
export interface HttpRequest {
  method: string;
  path: string;
  headers: [string, string][];
  body: Uint8Array;
  framing: "length" | "chunked" | "short" | "long" | "both" | "none";
}

const METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "PROPFIND", "get"];

export const otherMethods = fc.constantFrom(...METHODS);

/** Headers that somebody reads. */
export const strangeHeaders: fc.Arbitrary<[string, string][]> = fc.array(
  fc.tuple(
    fc.constantFrom(
      ...["content-type", "accept", "content-encoding", "expect", "transfer-encoding", "content-length", "host"],
      ...["authorization", "idempotency-key", "last-event-id", "x-request-id", "upgrade", "range", "origin", "cookie"],
      ...["inference-header-content-length", "if-none-match", "te", "traceparent", "x-forwarded-for", "__proto__"],
    ),
    fc.constantFrom(
      ...[
        "",
        "0",
        "-1",
        "1",
        "99999999999999999999",
        "1e3",
        "NaN",
        "identity",
        "gzip",
        "chunked",
        "100-continue",
        "*/*",
      ],
      ...[
        "application/json",
        "text/csv",
        "text/csv; charset=utf-16",
        "application/json;;;",
        "x".repeat(300),
        "\xff\xfe",
      ],
      ...["Bearer", "Bearer x", "Basic YTpi", "../../etc/passwd", "text/event-stream", "a\tb", "x".repeat(9000), "{}"],
    ),
  ),
  { maxLength: 3 },
);

export const framings = fc.oneof(
  { weight: 12, arbitrary: fc.constant<HttpRequest["framing"]>("length") },
  { weight: 4, arbitrary: fc.constant<HttpRequest["framing"]>("chunked") },
  { weight: 1, arbitrary: fc.constantFrom<HttpRequest["framing"]>("short", "long", "both", "none") },
);

/** As bytes; one request for each connection. */
export function requestBytes({ method, path, headers, body, framing }: HttpRequest): Uint8Array {
  const lengths: Record<HttpRequest["framing"], [string, string][]> = {
    length: [["content-length", String(body.length)]],
    short: [["content-length", String(Math.max(0, body.length - 3))]],
    long: [["content-length", String(body.length + 10)]],
    chunked: [["transfer-encoding", "chunked"]],
    both: [
      ["content-length", String(body.length)],
      ["transfer-encoding", "chunked"],
    ],
    none: [],
  };
  const all: [string, string][] = [["host", "127.0.0.1"], ["connection", "close"], ...headers, ...lengths[framing]];
  const head = `${method} ${path} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  const chunked = framing === "chunked" || framing === "both";
  return Buffer.concat([Buffer.from(head, "latin1"), chunked ? chunks(body) : body]);
}

function chunks(body: Uint8Array): Buffer {
  const half = Math.ceil(body.length / 2);
  const parts = [body.subarray(0, half), body.subarray(half)].filter((part) => part.length > 0);
  const written = parts.flatMap((part) => [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n")]);
  return Buffer.concat([...written, Buffer.from("0\r\n\r\n")]);
}

/** Whether a server has all it needs to answer; when not, it may wait for more until we go. */
export function isWhole({ framing, headers, method }: HttpRequest): boolean {
  const spoilt = headers.some(([name]) => ["content-length", "transfer-encoding", "expect", "upgrade"].includes(name));
  return framing !== "long" && !spoilt && method !== "CONNECT";
}
