import type { Parsed } from "../../../core/error.ts";
import { hostOf, isAllowedAddress, isLiteralAddress, isLocalName } from "../../../core/network/address.ts";

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
  const isLiteral = isLiteralAddress(host);
  if (isLiteral && !isAllowedAddress(host, mayBeInternal)) return refused(NOT_PUBLIC);
  if (!isLiteral && !mayBeInternal && isLocalName(host)) return refused(NOT_PUBLIC);
  return { ok: true, value: { url, host, port, isLiteral, mayBeInternal } };
}

export const NOT_PUBLIC =
  "must be on the public internet: hosts inside the network are for the operator to name in webhooks.internalHosts";

function refused(message: string): Parsed<never> {
  return { ok: false, problem: { path: "/url", message } };
}
