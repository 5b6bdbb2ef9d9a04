import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { problemBody, sendProblem } from "./problem.ts";

/** Answers what is no HTTP, or HTTP that is not spoken here, as every other refusal: by a problem, and not by silence. */
export function refuseUnreadable(server: Server): void {
  server.on("clientError", (error: NodeJS.ErrnoException, stream) => {
    const socket = stream as Socket;
    // An answer that has begun must not be followed by the words of another.
    if (error.code === "ECONNRESET" || !socket.writable || socket.bytesWritten > 0) {
      socket.destroy();
      return;
    }
    const body = problemBody({ code: "malformed-request", detail: reasonOf(error.code), requestId: randomUUID() });
    const head = `HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\nconnection: close`;
    socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  });
  server.on("checkExpectation", (_request, response) => {
    const detail = "only 100-continue can be expected: leave the header out";
    sendProblem(response, {
      code: "malformed-request",
      detail,
      requestId: randomUUID(),
      headers: { connection: "close" },
    });
  });
}

function reasonOf(code: string | undefined): string {
  if (code === "HPE_HEADER_OVERFLOW") return "the headers are larger than 16 KiB: send fewer or shorter ones";
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return "the request did not come whole within the time: send it faster";
  return "this is not HTTP/1.1 as it can be read: look at the request line, the headers and the body's length";
}
