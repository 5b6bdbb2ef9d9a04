import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { problemBody, sendProblem } from "./problem.ts";

export const KEEP_ALIVE_SECONDS = 65;
/** Who is connected and asks nothing takes another's place; a body may come slowly. */
const SLOW_CALLERS = { headersTimeout: 10_000, requestTimeout: 60_000, connectionsCheckingInterval: 5000 };

/** A server that hands on what it could read, and refuses everything else by a problem. */
export function inboundServer(handle: (request: IncomingMessage, response: ServerResponse) => void): Server {
  // Node would refuse a request without a host in silence.
  const options = { noDelay: true, requireHostHeader: false, ...SLOW_CALLERS };
  const server = createServer({ ...options, keepAliveTimeout: KEEP_ALIVE_SECONDS * 1000 }, (request, response) => {
    if (request.headers.host !== undefined || request.httpVersion === "1.0") handle(request, response);
    else sendProblem(response, { code: "malformed-request", detail: "send a host header", requestId: randomUUID() });
  });
  refuseUnreadable(server);
  return server;
}

/** What is no HTTP, or HTTP that is not spoken here, is answered and not met with silence. */
function refuseUnreadable(server: Server): void {
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
