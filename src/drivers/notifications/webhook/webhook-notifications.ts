import { Resolver, lookup as systemLookup } from "node:dns/promises";
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { isAllowedAddress, sameAddress } from "../../../core/network/address.ts";
import type { Notifications, OutgoingMessage, SendFailure, SendResult } from "../notifications.ts";
import { type AddressRules, type CheckedUrl, checkUrl, NOT_PUBLIC } from "./address-rules.ts";
import { signedHeaders } from "./signature.ts";

export interface WebhookOptions {
  rules: AddressRules;
  /** One attempt from the first look at the name to the end of the answer. Default 15 s. */
  timeoutMs?: number;
  /** How a name is turned into addresses. Default: `systemAddresses` for an internal host, else `publicAddresses`. */
  resolve?: (host: string) => Promise<Address[]>;
  /** Name servers (`ADDRESS:PORT`) instead of the host's own, for `publicAddresses`. */
  nameServers?: readonly string[];
  /** Certificates of authorities to trust instead of the usual ones (PEM). */
  authorities?: string;
}

interface Address {
  address: string;
  family: number;
}

const TIMEOUT_MS = 15_000;
/** An answer is nothing to us but its status; a little of it is taken so that an ordinary server can finish it. */
const ANSWER_BYTES_MAX = 16 * 1024;

/**
 * Webhooks over HTTPS. A name is resolved once for each attempt, every address of it is looked at, and the connection
 * goes to one of exactly those: a name that answers differently the second time gains nothing. Redirects, proxies of the
 * environment and kept connections play no part, and nothing of an answer's body is kept.
 */
export function webhookNotifications(options: WebhookOptions): Notifications {
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  if (options.nameServers !== undefined) resolver.setServers(options.nameServers);
  const resolve = (to: CheckedUrl) =>
    options.resolve?.(to.host) ?? (to.mayBeInternal ? systemAddresses(to.host) : publicAddresses(resolver, to.host));
  return {
    async checkAddress(text) {
      const checked = checkUrl(text, options.rules);
      if (!checked.ok) return checked;
      const addresses = await addressesOf(checked.value, resolve).catch(() => []);
      if (addresses === "refused") return { ok: false, problem: { path: "/url", message: NOT_PUBLIC } };
      return { ok: true, value: { url: checked.value.url.href } };
    },
    async send(message) {
      const startedMs = performance.now();
      const answer = await attempt(message, { ...options, resolve });
      return { retryAfterSeconds: 0, status: null, ...answer, durationMs: Math.round(performance.now() - startedMs) };
    },
  };
}

type Answer = Pick<SendResult, "failure"> & Partial<SendResult>;
type Means = Omit<WebhookOptions, "resolve"> & { resolve: (to: CheckedUrl) => Promise<Address[]> };

/** As every other program of this host does: the operator may have named the host in a file of names. */
function systemAddresses(host: string): Promise<Address[]> {
  return systemLookup(host, { all: true, verbatim: true });
}

/**
 * Asked of the name servers by this process itself. The system's way blocks one of the few threads that files are read
 * with, for as long as a server that a tenant may have chosen takes to answer.
 */
async function publicAddresses(resolver: Resolver, host: string): Promise<Address[]> {
  const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  return [
    ...(four.status === "fulfilled" ? four.value.map((address) => ({ address, family: 4 })) : []),
    ...(six.status === "fulfilled" ? six.value.map((address) => ({ address, family: 6 })) : []),
  ];
}

async function attempt(message: OutgoingMessage, means: Means): Promise<Answer> {
  const checked = checkUrl(message.url, means.rules);
  if (!checked.ok) return { failure: "address-refused" };
  const signal = AbortSignal.timeout(means.timeoutMs ?? TIMEOUT_MS);
  const late = new Promise<"late">((resolve) =>
    signal.addEventListener("abort", () => resolve("late"), { once: true }),
  );
  const found = addressesOf(checked.value, means.resolve).catch(() => "not-found" as const);
  const addresses = await Promise.race([found, late]);
  if (addresses === "late") return { failure: "timed-out" };
  if (addresses === "not-found") return { failure: "name-not-found" };
  if (addresses === "refused") return { failure: "address-refused" };
  return exchange({ message, to: checked.value, addresses, signal, authorities: means.authorities });
}

/** Every address must be allowed: one bad one among good ones is how a name is made to reach inside now and then. */
async function addressesOf(to: CheckedUrl, resolve: Means["resolve"]): Promise<Address[] | "refused"> {
  const addresses = to.isLiteral ? [{ address: to.host, family: to.host.includes(":") ? 6 : 4 }] : await resolve(to);
  if (addresses.length === 0) throw new Error("the name has no address");
  return addresses.every(({ address }) => isAllowedAddress(address, to.mayBeInternal)) ? addresses : "refused";
}

interface Exchange {
  message: OutgoingMessage;
  to: CheckedUrl;
  addresses: Address[];
  signal: AbortSignal;
  authorities: string | undefined;
}

function exchange(task: Exchange): Promise<Answer> {
  return new Promise((resolve) => {
    const request = open(task);
    let strayed = false;
    request.on("socket", (socket) => {
      // What connects is asked where it went, so that no way of connecting goes round the look at the addresses.
      socket.once("connect", () => {
        const went = socket.remoteAddress ?? "";
        strayed = !task.addresses.some(({ address }) => sameAddress(address, went));
        if (strayed) request.destroy();
      });
    });
    request.on("error", (error) => resolve({ failure: strayed ? "address-refused" : failureOf(error) }));
    request.on("close", () => resolve({ failure: "connection-failed" }));
    request.on("response", (response) => {
      const answer = answerOf(response);
      drain(response, () => {
        resolve(answer);
        request.destroy();
      });
    });
    request.end(task.message.body);
  });
}

function open({ message, to, addresses, signal, authorities }: Exchange): ClientRequest {
  const secure = to.url.protocol === "https:";
  const common = {
    method: "POST",
    host: to.host,
    port: to.port,
    path: `${to.url.pathname}${to.url.search}`,
    headers: {
      ...signedHeaders(message),
      host: to.url.host,
      "content-type": "application/json",
      "content-length": Buffer.byteLength(message.body),
      "user-agent": "continuum-webhooks/1",
      connection: "close",
    },
    lookup: pinnedTo(addresses),
    signal,
  };
  if (!secure) return httpRequest({ ...common, agent: new HttpAgent({ keepAlive: false }) });
  const agent = new HttpsAgent({ keepAlive: false, maxCachedSessions: 0 });
  return httpsRequest({
    ...common,
    agent,
    // A literal has no name to be asked for; its certificate is checked against the address.
    ...(to.isLiteral ? {} : { servername: to.host }),
    ...(authorities === undefined ? {} : { ca: authorities }),
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
  });
}

/** Answers what was looked at, whatever the name means by now. */
function pinnedTo(addresses: readonly Address[]): LookupFunction {
  return (_host, options, callback) => {
    const [first] = addresses;
    if (options.all === true) callback(null, [...addresses]);
    else callback(null, first?.address ?? "", first?.family ?? 4);
  };
}

function answerOf(response: IncomingMessage): Answer {
  const status = response.statusCode ?? 0;
  const asked = Number(response.headers["retry-after"]);
  const retryAfterSeconds = Number.isInteger(asked) && asked > 0 ? asked : 0;
  return { failure: failureOfStatus(status), status, retryAfterSeconds };
}

function failureOfStatus(status: number): SendFailure | null {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400) return "redirect-refused";
  return status === 410 ? "gone" : "status-refused";
}

/** The status is the answer; what follows it, or breaks it off, changes nothing. */
function drain(response: IncomingMessage, done: () => void): void {
  let bytes = 0;
  response.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) done();
  });
  response.on("end", done);
  response.on("error", done);
  response.on("close", done);
}

function failureOf(error: Error & { code?: string }): SendFailure {
  const code = error.code ?? "";
  if (error.name === "AbortError" || error.name === "TimeoutError" || code === "ETIMEDOUT") return "timed-out";
  return /^ERR_(TLS|SSL)|CERT|SIGNATURE|UNABLE_TO_|EPROTO/.test(code) ? "tls-failed" : "connection-failed";
}
