import ipaddr from "ipaddr.js";
import type { Parsed } from "../../../core/error.ts";

/** What the operator allows beyond public HTTPS. */
export interface AddressRules {
  /** Names or literal addresses that may be inside the operator's network, on any port. */
  internalHosts: ReadonlySet<string>;
  /** Names or literal addresses that may be spoken to without TLS. */
  plainHttpHosts: ReadonlySet<string>;
  /** Ports of all other receivers. */
  ports: ReadonlySet<number>;
}

export const DEFAULT_PORTS: ReadonlySet<number> = new Set([443, 8443]);

/** An address that passed what can be said without asking the network. */
export interface CheckedUrl {
  url: URL;
  /** As names are compared: lower case, without brackets and without the dot at the end. */
  host: string;
  port: number;
  isLiteral: boolean;
  mayBeInternal: boolean;
}

/**
 * Scheme, credentials, port and host of a webhook's address. The URL parser has already turned every way of writing an
 * IPv4 address (one number, hexadecimal, octal, short) into the usual one, so that one look at a literal is enough.
 */
export function checkUrl(text: string, rules: AddressRules): Parsed<CheckedUrl> {
  if (!URL.canParse(text)) return refused("must be a URL such as https://example.com/hooks");
  const url = new URL(text);
  const host = hostOf(url);
  if (url.protocol !== "https:" && url.protocol !== "http:") return refused("must begin with https://");
  if (url.protocol === "http:" && !rules.plainHttpHosts.has(host))
    return refused(
      "must begin with https://: plain HTTP is for hosts that the operator names in webhooks.plainHttpHosts",
    );
  if (url.username !== "" || url.password !== "") return refused("must not hold a user or a password");
  if (url.hash !== "") return refused("must not end with a fragment (#)");
  const mayBeInternal = rules.internalHosts.has(host);
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  const portAllowed = mayBeInternal || rules.plainHttpHosts.has(host) || rules.ports.has(port);
  if (!portAllowed) return refused(`must use one of the ports ${[...rules.ports].join(", ")}`);
  const isLiteral = ipaddr.isValid(host);
  if (isLiteral && !isAllowedAddress(host, mayBeInternal)) return refused(NOT_PUBLIC);
  if (!isLiteral && !mayBeInternal && isLocalName(host)) return refused(NOT_PUBLIC);
  return { ok: true, value: { url, host, port, isLiteral, mayBeInternal } };
}

export const NOT_PUBLIC =
  "must be on the public internet: hosts inside the network are for the operator to name in webhooks.internalHosts";

/** Names that no public server answers for: one word alone, and those that standards keep for one's own network. */
function isLocalName(host: string): boolean {
  return !host.includes(".") || /\.(localhost|local|internal|home\.arpa|lan|test|invalid|onion)$/.test(host);
}

/** A name as it is written in the rules and compared with them. */
export function hostOf(url: URL): string {
  return url.hostname
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();
}

/** What a host that the operator named may have besides a public address; all else holds no receiver. */
const INTERNAL: ReadonlySet<string> = new Set(["loopback", "private", "carrierGradeNat", "uniqueLocal"]);
/** Metadata and machine agents that answer outside of the link-local range. */
const METADATA: ReadonlySet<string> = new Set(["168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"]);
/** IPv6 that is assigned for the public internet; all else is deprecated, local, or carries an IPv4 address inside. */
const GLOBAL_UNICAST: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse("2000::"), 3];

/**
 * Whether a message may go to this address. What carries an IPv4 address within an IPv6 one (mapped, NAT64, 6to4,
 * Teredo) is never public, and as an internal one it is judged by the address inside where it is merely mapped.
 */
export function isAllowedAddress(address: string, mayBeInternal: boolean): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (METADATA.has(parsed.toString())) return false;
  const range = parsed.range();
  if (mayBeInternal && INTERNAL.has(range)) return true;
  if (range !== "unicast") return false;
  const isMapped = ipaddr.parse(address).kind() !== parsed.kind();
  if (isMapped) return mayBeInternal;
  return parsed.kind() === "ipv4" || (parsed as ipaddr.IPv6).match(GLOBAL_UNICAST);
}

/** One form for each address, so that two ways of writing it compare alike. */
export function sameAddress(one: string, other: string): boolean {
  return ipaddr.isValid(one) && ipaddr.isValid(other) && canonical(one) === canonical(other);
}

function canonical(address: string): string {
  return ipaddr.process(address.replace(/%.*$/, "")).toString();
}

function refused(message: string): Parsed<never> {
  return { ok: false, problem: { path: "/url", message } };
}
