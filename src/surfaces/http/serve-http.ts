import { createServer, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { isIP } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import { ContinuumError } from "../../core/error.ts";
import { checkedMaterial, contextOf, keepCertificate, type TlsLog, type TlsMaterial, type TlsSource } from "./tls.ts";
import { refuseUnreadable, unreadableResponse } from "./unreadable.ts";

export interface Listening {
  url: string;
  port: number;
  /** Takes no new connection, lets running requests end for `graceMs` (default 2 s), then cuts the rest. */
  close(graceMs?: number): Promise<void>;
}

export type HttpServerErrorCode = "insecure-address" | "address-in-use" | "listen-failed";

export interface ServeOptions {
  host: string;
  port: number;
  allowInsecureHttp?: boolean;
  /** The server's own certificate; without one plain HTTP is served. */
  tls?: { source: TlsSource; log: TlsLog; nowMs(): number };
}

/**
 * Serves the app. Plain HTTP would show tokens to the network, so an address other than loopback is refused unless the
 * operator says that something in front of it speaks TLS. Port 0 takes a free one. Errors: `HttpServerErrorCode`.
 */
export async function serveHttp(app: Hono, options: ServeOptions): Promise<Listening> {
  if (options.tls === undefined && !isLoopback(options.host) && options.allowInsecureHttp !== true) {
    throw new ContinuumError<HttpServerErrorCode>(
      "insecure-address",
      `Refusing to serve plain HTTP on ${options.host}: tokens would cross the network in clear. ` +
        "Listen on 127.0.0.1, set tls.certificate and tls.key, or set api.allowInsecureHttp when TLS ends in front of it.",
    );
  }
  return listen(app, options);
}

export async function listen(
  app: Hono,
  { host, port, tls }: Omit<ServeOptions, "allowInsecureHttp">,
): Promise<Listening> {
  const material = tls === undefined ? undefined : checkedMaterial(await tls.source.read(), tls.nowMs());
  const { server, unwatch } = serverOf(app, material, tls);
  await started(server, host, port).catch((error: unknown) => {
    unwatch();
    throw error;
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `${material === undefined ? "http" : "https"}://${isIP(host) === 6 ? `[${host}]` : host}:${bound}`,
    port: bound,
    close: (graceMs = 2000) => {
      unwatch();
      return stop(server, graceMs);
    },
  };
}

function serverOf(
  app: Hono,
  material: TlsMaterial | undefined,
  tls: ServeOptions["tls"],
): { server: Server; unwatch(): void } {
  const errorHandler = unreadableResponse;
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false, errorHandler });
  // The listener says what is wrong with a request without a host; Node would refuse it in silence.
  const own = { requireHostHeader: false };
  if (material === undefined || tls === undefined)
    return { server: readable(createServer(own, listener)), unwatch: () => undefined };
  const server = createSecureServer({ ...own, ...contextOf(material) }, listener);
  return { server: readable(server), unwatch: keepCertificate(server, { ...tls, first: material }) };
}

function readable<S extends Server>(server: S): S {
  refuseUnreadable(server);
  return server;
}

function started(server: Server, hostname: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const failed = (cause: NodeJS.ErrnoException) => {
    const isTaken = cause.code === "EADDRINUSE";
    const code: HttpServerErrorCode = isTaken ? "address-in-use" : "listen-failed";
    const why = isTaken
      ? "another program listens there: stop it, or set another port (0 picks a free one); `continuum doctor` looks closer"
      : (cause.code ?? cause.message);
    reject(new ContinuumError(code, `Cannot listen on ${hostname}:${port}: ${why}`, { cause }));
  };
  server.once("error", failed);
  server.listen(port, hostname, () => {
    server.removeListener("error", failed);
    resolve();
  });
  return promise;
}

async function stop(server: Server, graceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await promise;
  clearTimeout(timer);
}

/** `localhost` and every literal of the loopback networks; any other name could resolve to anywhere. */
function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
