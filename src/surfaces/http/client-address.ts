import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import ipaddr from "ipaddr.js";

type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/**
 * Who asks, by address. What stands in X-Forwarded-For is believed as far as it was written by proxies of the
 * operator's: read from its end, the first address that is no proxy is the client's. Whatever stands before it the
 * client may have written.
 */
export class ClientAddresses {
  readonly #proxies: Network[];

  /** Addresses or networks with commas between them. Throws for anything else. */
  constructor(trustedProxies: string) {
    const list = trustedProxies.split(",").map((one) => one.trim());
    this.#proxies = list.filter((one) => one !== "").map(networkOf);
  }

  of(c: Context): string {
    const { incoming } = c.env as Partial<HttpBindings>;
    return this.from(incoming?.socket.remoteAddress ?? "unknown", c.req.header("x-forwarded-for"));
  }

  from(peer: string, forwarded: string | undefined): string {
    const hops = [...(forwarded ?? "").split(",").map((hop) => hop.trim()), peer].filter((hop) => hop !== "");
    let address = plain(peer);
    for (const hop of hops.toReversed()) {
      if (!ipaddr.isValid(hop)) break;
      address = plain(hop);
      if (!this.#isProxy(address)) break;
    }
    return address;
  }

  #isProxy(address: string): boolean {
    if (!ipaddr.isValid(address)) return false;
    const parsed = ipaddr.parse(address);
    return this.#proxies.some(
      ([network, bits]) => parsed.kind() === network.kind() && parsed.match([network, bits] as never),
    );
  }
}

function networkOf(text: string): Network {
  if (text.includes("/")) return ipaddr.parseCIDR(text);
  const address = ipaddr.parse(text);
  return [address, address.kind() === "ipv4" ? 32 : 128];
}

/** An IPv4 address that came in over a socket of IPv6 is that IPv4 address. */
function plain(address: string): string {
  return ipaddr.isValid(address) ? ipaddr.process(address).toString() : address;
}
