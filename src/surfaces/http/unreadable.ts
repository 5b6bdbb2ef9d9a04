import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { RequestError } from "@hono/node-server";
import { problemDetails, problemOf, problemResponse } from "./problem.ts";
import { SECURITY_HEADERS } from "./security-headers.ts";

/** Answers what is no HTTP, or HTTP that is not spoken here, as every other refusal: by a problem, and not by silence. */
export function refuseUnreadable(server: Server): void {
  server.on("clientError", (error: NodeJS.ErrnoException, stream) => {
    const socket = stream as Socket;
    // An answer that has begun must not be followed by the words of another.
    if (error.code === "ECONNRESET" || !socket.writable || socket.bytesWritten > 0) {
      socket.destroy();
      return;
    }
    const body = problemText(reasonOf(error.code));
    const lines = Object.entries(headersOf(body)).map(([name, value]) => `${name}: ${value}`);
    socket.end(`HTTP/1.1 400 Bad Request\r\n${lines.join("\r\n")}\r\n\r\n${body}`);
  });
  server.on("checkExpectation", (_request, response) => {
    const body = problemText("Only 100-continue can be expected: leave the header out.");
    response.writeHead(400, headersOf(body)).end(body);
  });
}

function headersOf(body: string): Record<string, string> {
  const own = { "content-type": "application/problem+json", "content-length": String(Buffer.byteLength(body)) };
  return { ...SECURITY_HEADERS, ...own, connection: "close" };
}

/** A request that was parsed and has no address that could be looked at: its host or its target is none. */
export function unreadableResponse(error: unknown): Response {
  const requestId = randomUUID();
  if (!(error instanceof RequestError)) return problemResponse(problemOf(error, requestId), SECURITY_HEADERS);
  const detail = "The request's host or its target is no address: send a path, and the host that is asked.";
  return problemResponse(problemDetails({ code: "malformed-request", detail, requestId }), SECURITY_HEADERS);
}

function problemText(detail: string): string {
  return JSON.stringify(problemDetails({ code: "malformed-request", detail, requestId: randomUUID() }));
}

function reasonOf(code: string | undefined): string {
  if (code === "HPE_HEADER_OVERFLOW") return "The headers are larger than 16 KiB: send fewer or shorter ones.";
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return "The request did not come whole within the time: send it faster.";
  return "This is not HTTP/1.1 as it can be read: look at the request line, the headers and the body's length.";
}
