import { expect, test } from "vitest";
import { ClientAddresses } from "./client-address.ts";

test.each([
  ["nobody in front: what a client says of itself is not believed", "", "192.0.2.9", "203.0.113.1", "192.0.2.9"],
  ["a proxy of ours says who came", "10.0.0.0/8", "10.0.0.2", "203.0.113.1", "203.0.113.1"],
  ["a client wrote something before it", "10.0.0.0/8", "10.0.0.2", "127.0.0.1, 203.0.113.1", "203.0.113.1"],
  ["two proxies of ours", "10.0.0.0/8, ::1", "::1", "1.1.1.1, 203.0.113.1, 10.0.0.2", "203.0.113.1"],
  ["nonsense ends it", "10.0.0.0/8", "10.0.0.2", "203.0.113.1, nonsense", "10.0.0.2"],
  ["IPv4 over a socket of IPv6", "10.0.0.0/8", "::ffff:10.0.0.2", "203.0.113.1", "203.0.113.1"],
  ["all of them are ours", "10.0.0.0/8", "10.0.0.2", "10.0.0.3", "10.0.0.3"],
])("%s", (_, proxies, peer, forwarded, expected) => {
  expect(new ClientAddresses(proxies).from(peer, forwarded)).toBe(expected);
});
