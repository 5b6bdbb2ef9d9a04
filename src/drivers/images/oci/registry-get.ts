import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { ContinuumError } from "../../../core/error.ts";
import { isLiteralAddress, sameAddress } from "../../../core/network/address.ts";
import type { ImageErrorCode } from "../images.ts";
import { type Destination, notAllowed, unreachable } from "./registry-rules.ts";

export interface GetOptions {
  headers: Readonly<Record<string, string>>;
  /** The largest body that is taken in. */
  bytesMax: number;
  signal: AbortSignal;
  /** Certificates of authorities to trust instead of the usual ones (PEM). */
  authorities?: readonly string[];
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/**
 * One GET to a place that was looked at, over a connection of its own that goes to one of its addresses; no redirect is
 * followed and no proxy is used. Errors: `registry-unreachable`, `registry-too-large`, `registry-not-allowed`.
 */
export function registryGet(to: Destination, options: GetOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = open(to, options);
    const fail = (error: Error) => {
      reject(error);
      request.destroy();
    };
    request.on("socket", (socket) => {
      // What connects is asked where it went, so that no way of connecting goes round the look at the addresses.
      socket.once("connect", () => {
        const went = socket.remoteAddress ?? "";
        if (!to.addresses.some(({ address }) => sameAddress(address, went)))
          fail(notAllowed(`the connection to ${to.url.host} went to an address that was not looked at`));
      });
    });
    request.on("error", (error) => reject(failureOf(to, error)));
    request.on("response", (response) => {
      readBody(response, { to, bytesMax: options.bytesMax }).then((body) => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
        request.destroy();
      }, fail);
    });
    request.end();
  });
}

function open({ url, host, addresses }: Destination, { headers, signal, authorities }: GetOptions) {
  const common = {
    host,
    port: url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    headers: { ...headers, host: url.host, "user-agent": "continuum-images/1", connection: "close" },
    lookup: pinnedTo(addresses),
    signal,
  };
  if (url.protocol === "http:") return httpRequest({ ...common, agent: new HttpAgent({ keepAlive: false }) });
  return httpsRequest({
    ...common,
    agent: new HttpsAgent({ keepAlive: false, maxCachedSessions: 0 }),
    // A literal has no name to be asked for; its certificate is checked against the address.
    ...(isLiteralAddress(host) ? {} : { servername: host }),
    ...(authorities === undefined ? {} : { ca: [...authorities] }),
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
  });
}

/** Answers what was looked at, whatever the name means by now. */
function pinnedTo(addresses: Destination["addresses"]): LookupFunction {
  return (_host, options, callback) => {
    const [first] = addresses;
    if (options.all === true) callback(null, [...addresses]);
    else callback(null, first?.address ?? "", first?.family ?? 4);
  };
}

async function readBody(
  response: IncomingMessage,
  { to, bytesMax }: { to: Destination; bytesMax: number },
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > bytesMax) throw tooLarge(to, bytesMax);
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof ContinuumError ? error : failureOf(to, error);
  }
  return Buffer.concat(chunks);
}

function tooLarge(to: Destination, bytesMax: number): ContinuumError<ImageErrorCode> {
  return new ContinuumError<ImageErrorCode>(
    "registry-too-large",
    `${to.url.host} answers with more than ${bytesMax} bytes`,
  );
}

function failureOf({ url }: Destination, error: unknown): ContinuumError<ImageErrorCode> {
  const { name = "", code = "" } = error as { name?: string; code?: string };
  if (name === "AbortError" || name === "TimeoutError") return unreachable(`${url.host} did not answer in time`, error);
  const why = /^ERR_(TLS|SSL)|CERT|SIGNATURE|UNABLE_TO_|EPROTO/.test(code) ? "its certificate is not accepted" : code;
  return unreachable(`${url.host} cannot be reached${why === "" ? "" : ` (${why})`}`, error);
}
