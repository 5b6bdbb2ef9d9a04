import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { RequestError } from "@hono/node-server";
import { problemDetails, problemOf, problemResponse } from "./problem.ts";

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
    const head = `HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\nconnection: close`;
    socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  });
  server.on("checkExpectation", (_request, response) => {
    const body = problemText("Only 100-continue can be expected: leave the header out.");
    const length = Buffer.byteLength(body);
    response
      .writeHead(400, { "content-type": "application/problem+json", "content-length": length, connection: "close" })
      .end(body);
  });
}

/** A request that was parsed and has no address that could be looked at: its host or its target is none. */
export function unreadableResponse(error: unknown): Response {
  const requestId = randomUUID();
  if (!(error instanceof RequestError)) return problemResponse(problemOf(error, requestId));
  const detail = "The request's host or its target is no address: send a path, and the host that is asked.";
  return problemResponse(problemDetails({ code: "malformed-request", detail, requestId }));
}

function problemText(detail: string): string {
  return JSON.stringify(problemDetails({ code: "malformed-request", detail, requestId: randomUUID() }));
}

function reasonOf(code: string | undefined): string {
  if (code === "HPE_HEADER_OVERFLOW") return "The headers are larger than 16 KiB: send fewer or shorter ones.";
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return "The request did not come whole within the time: send it faster.";
  return "This is not HTTP/1.1 as it can be read: look at the request line, the headers and the body's length.";
}
