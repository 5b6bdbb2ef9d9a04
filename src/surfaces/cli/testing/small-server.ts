import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What came in, for a test to look at. */
export interface SeenRequest {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: Buffer;
}

export interface SmallServer {
  url: string;
  seen: SeenRequest[];
  close(): Promise<void>;
}

export type Handler = (request: SeenRequest, response: ServerResponse) => void | Promise<void>;

/** A real HTTP server whose answers the test writes. Keys are `METHOD /path`, without the query. */
export async function smallServer(handlers: Record<string, Handler>): Promise<SmallServer> {
  const seen: SeenRequest[] = [];
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const request = {
      method: incoming.method ?? "",
      path: incoming.url ?? "",
      headers: incoming.headers,
      body: Buffer.concat(chunks),
    };
    seen.push(request);
    const handler = handlers[`${request.method} ${request.path.split("?")[0]}`];
    if (handler === undefined)
      problem(response, { status: 404, code: "not-found", detail: "no such route in this test" });
    else await handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

export function problem(
  response: ServerResponse,
  options: { status: number; code: string; detail: string; pointer?: string },
): void {
  const body = { type: `urn:continuum:problem:${options.code}`, title: options.code, requestId: "req-1", ...options };
  response.writeHead(options.status, { "content-type": "application/problem+json" }).end(JSON.stringify(body));
}
