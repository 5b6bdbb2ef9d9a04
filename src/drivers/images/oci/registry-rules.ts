import { lookup as systemLookup } from "node:dns/promises";
import { ContinuumError } from "../../../core/error.ts";
import { hostOf, isAllowedAddress, isLiteralAddress, isLocalName } from "../../../core/network/address.ts";
import { serverOf } from "../image-reference.ts";
import type { ImageErrorCode } from "../images.ts";

/** Which registries the operator lets the program speak to; each as an image's name has it, `host` or `host:port`. */
export interface RegistryRules {
  /** On the public internet, over TLS. */
  registries: ReadonlySet<string>;
  /** Also allowed, and may be inside the operator's network. */
  internalRegistries: ReadonlySet<string>;
  /** Those of both lists that speak no TLS. */
  plainHttpRegistries: ReadonlySet<string>;
}

export interface Address {
  address: string;
  family: number;
}

/** A place that may be spoken to, with the addresses that were looked at; the connection goes to one of exactly those. */
export interface Destination {
  url: URL;
  host: string;
  addresses: readonly Address[];
}

export type Resolve = (host: string) => Promise<Address[]>;

/** The system's own way, since the operator may have named a registry in a file of names. */
export const systemResolve: Resolve = (host) => systemLookup(host, { all: true, verbatim: true });

/** The root of a registry's API, for one that the operator named. Error: `registry-not-allowed`. */
export function registryRoot(registry: string, rules: RegistryRules): URL {
  if (!rules.registries.has(registry) && !rules.internalRegistries.has(registry)) {
    throw notAllowed(`the registry ${registry} is not among those that the operator allows (images.registries)`);
  }
  const scheme = rules.plainHttpRegistries.has(registry) ? "http" : "https";
  return new URL(`${scheme}://${serverOf(registry)}/v2/`);
}

/**
 * Looks at an address before anything is sent there: a registry's own, that of its token server, or where it redirects
 * to. The latter two are the registry's choice, so that beyond what the operator named they are public and have TLS.
 * Every address of a name must pass: one bad one among good ones is how a name is made to reach inside now and then.
 * Errors: `registry-not-allowed`, `registry-unreachable` for a name that is not found.
 */
export async function admit(url: URL, rules: RegistryRules, resolve: Resolve): Promise<Destination> {
  const host = hostOf(url);
  const isNamed = (names: ReadonlySet<string>) => [...names].some((name) => isServer(url, name));
  if (url.username !== "" || url.password !== "") throw notAllowed(`${url.host} was named with a password`);
  const isPlainAllowed = url.protocol === "http:" && isNamed(rules.plainHttpRegistries);
  if (url.protocol !== "https:" && !isPlainAllowed)
    throw notAllowed(`${url.host} would be spoken to without TLS, which images.plainHttpRegistries does not allow`);
  const mayBeInternal = isNamed(rules.internalRegistries);
  const isKnown = mayBeInternal || isNamed(rules.registries);
  if (!isKnown && url.port !== "") throw notAllowed(`${url.host} is a port that no registry may send the program to`);
  const inside = notAllowed(`${host} is inside the network, and images.internalRegistries does not name ${url.host}`);
  if (isLiteralAddress(host)) {
    if (!isAllowedAddress(host, mayBeInternal)) throw inside;
    return { url, host, addresses: [{ address: host, family: host.includes(":") ? 6 : 4 }] };
  }
  if (!mayBeInternal && isLocalName(host)) throw inside;
  const addresses = await resolve(host).catch((cause: unknown) => {
    throw unreachable(`the name ${host} was not found`, cause);
  });
  if (addresses.length === 0) throw unreachable(`the name ${host} has no address`);
  if (!addresses.every(({ address }) => isAllowedAddress(address, mayBeInternal))) throw inside;
  return { url, host, addresses };
}

/** Compared as URLs are, so that a port which the scheme has anyway makes no difference. */
function isServer(url: URL, registry: string): boolean {
  return new URL(`${url.protocol}//${serverOf(registry)}`).host === url.host;
}

export function notAllowed(message: string): ContinuumError<ImageErrorCode> {
  return new ContinuumError<ImageErrorCode>("registry-not-allowed", message);
}

export function unreachable(message: string, cause?: unknown): ContinuumError<ImageErrorCode> {
  return new ContinuumError<ImageErrorCode>("registry-unreachable", message, { cause, retryable: true });
}

export function malformedAnswer(message: string): ContinuumError<ImageErrorCode> {
  return new ContinuumError<ImageErrorCode>("registry-malformed", message);
}
