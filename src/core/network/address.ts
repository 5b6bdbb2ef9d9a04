import ipaddr from "ipaddr.js";

/** Where the program may connect when somebody else chose the address. A name is judged by what it resolves to. */

/** What a host that the operator named may have besides a public address; all else holds no server of theirs. */
const INTERNAL: ReadonlySet<string> = new Set(["loopback", "private", "carrierGradeNat", "uniqueLocal"]);
/** Metadata and machine agents that answer outside of the link-local range. */
const METADATA: ReadonlySet<string> = new Set(["168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"]);
/** IPv6 that is assigned for the public internet; all else is deprecated, local, or carries an IPv4 address inside. */
const GLOBAL_UNICAST: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse("2000::"), 3];

/**
 * Whether a connection may go to this address. What carries an IPv4 address within an IPv6 one (mapped, NAT64, 6to4,
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

/** Whether the host of a URL is an address itself, so that no name is looked up. */
export function isLiteralAddress(host: string): boolean {
  return ipaddr.isValid(host);
}

/** One form for each address, so that two ways of writing it compare alike. */
export function sameAddress(one: string, other: string): boolean {
  return ipaddr.isValid(one) && ipaddr.isValid(other) && canonical(one) === canonical(other);
}

/** Names that no public server answers for: one word alone, and those that standards keep for one's own network. */
export function isLocalName(host: string): boolean {
  return !host.includes(".") || /\.(localhost|local|internal|home\.arpa|lan|test|invalid|onion)$/.test(host);
}

/** A URL's host as it is written in rules and compared with them: lower case, no brackets, no dot at the end. */
export function hostOf(url: URL): string {
  return url.hostname
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();
}

function canonical(address: string): string {
  return ipaddr.process(address.replace(/%.*$/, "")).toString();
}
