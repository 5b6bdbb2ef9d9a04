import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { ServerType } from "@hono/node-server";
import { problemDetails } from "./problem.ts";

/** Answers what is no HTTP, or HTTP that is not spoken here, as every other refusal: by a problem, and not by silence. */
export function refuseUnreadable(server: ServerType): void {
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    // An answer that has begun must not be followed by the words of another.
    if (error.code === "ECONNRESET" || !socket.writable || socket.bytesWritten > 0) {
      socket.destroy();
      return;
    }
    const body = problemText(reasonOf(error.code));
    const head = `HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\nconnection: close`;
    socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  });
  server.on("checkExpectation", (_request: IncomingMessage, response: ServerResponse) => {
    const body = problemText("Only 100-continue can be expected: leave the header out.");
    const length = Buffer.byteLength(body);
    response
      .writeHead(400, { "content-type": "application/problem+json", "content-length": length, connection: "close" })
      .end(body);
  });
}

function problemText(detail: string): string {
  return JSON.stringify(problemDetails({ code: "malformed-request", detail, requestId: randomUUID() }));
}

function reasonOf(code: string | undefined): string {
  if (code === "HPE_HEADER_OVERFLOW") return "The headers are larger than 16 KiB: send fewer or shorter ones.";
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return "The request did not come whole within the time: send it faster.";
  return "This is not HTTP/1.1 as it can be read: look at the request line, the headers and the body's length.";
}
