import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";

/** A receiver of webhooks whose answers a test writes: a real server on loopback, with or without TLS. */
export interface Receiver {
  port: number;
  /** `http://127.0.0.1:PORT/hook`, or `https://hooks.test:PORT/hook`, a name that only a test's resolver knows. */
  url: string;
  seen: ReceivedMessage[];
  close(): Promise<void>;
}

export interface ReceivedMessage {
  headers: Record<string, string>;
  path: string;
  body: string;
}

export type Answering = (message: ReceivedMessage, response: ServerResponse) => void | Promise<void>;

/** Made for tests, for the name hooks.test, and valid for a century: it protects nothing. */
export const TEST_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBmDCCAT6gAwIBAgIUPRiIT5RA+9nlgq6jTxo3Zx/Z8eYwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKaG9va3MudGVzdDAgFw0yNjExMjMxMDQ2MzhaGA8yMTI2MTAz
MDEwNDYzOFowFTETMBEGA1UEAwwKaG9va3MudGVzdDBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABDDPtPlF4j0tETcSqvESBfDt9tyM0gjRI3FQ4sgSGPp4mOJMxf8P
pGFqXYG26rSKHT63cJBQ/xO4mkGiy0jOrDijajBoMB0GA1UdDgQWBBRr+01M3dpt
kwkZ2g45KKMeqCwr7DAfBgNVHSMEGDAWgBRr+01M3dptkwkZ2g45KKMeqCwr7DAP
BgNVHRMBAf8EBTADAQH/MBUGA1UdEQQOMAyCCmhvb2tzLnRlc3QwCgYIKoZIzj0E
AwIDSAAwRQIhAP7PZKTsJ+itvXFqAyk5+OeinFM2n8bd1zuq+U11k4+sAiA3NXZw
w5c23F4OUdDUy5tgzzXwqkeJCnGQG9c+V+DHkQ==
-----END CERTIFICATE-----
`;
export const TEST_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZvQ2zwThN2YLSTjP
mGAPyRFRxzjXJgw3kKsZlub/4vahRANCAAQwz7T5ReI9LRE3EqrxEgXw7fbcjNII
0SNxUOLIEhj6eJjiTMX/D6Rhal2Btuq0ih0+t3CQUP8TuJpBostIzqw4
-----END PRIVATE KEY-----
`;

export async function startReceiver(options: { tls?: boolean; answer?: Answering } = {}): Promise<Receiver> {
  const seen: ReceivedMessage[] = [];
  const listener: RequestListener = async (incoming: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const headers = Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]));
    const message = { headers, path: incoming.url ?? "", body: Buffer.concat(chunks).toString("utf8") };
    seen.push(message);
    if (options.answer === undefined) response.writeHead(204).end();
    else await options.answer(message, response);
  };
  const server = options.tls
    ? createHttpsServer({ cert: TEST_CERTIFICATE, key: TEST_KEY }, listener)
    : createHttpServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    ...{ port, seen },
    url: options.tls ? `https://hooks.test:${port}/hook` : `http://127.0.0.1:${port}/hook`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
