import { BlockList, isIP } from "node:net";

/** A second reading of which addresses are inside, by Node's own lists, to hold the program's against. */
const INSIDE = new BlockList();
for (const [network, prefix] of [
  ...([
    ["0.0.0.0", 8],
    ["10.0.0.0", 8],
    ["100.64.0.0", 10],
    ["127.0.0.0", 8],
    ["169.254.0.0", 16],
  ] as const),
  ...([
    ["172.16.0.0", 12],
    ["192.0.0.0", 24],
    ["192.168.0.0", 16],
    ["198.18.0.0", 15],
    ["224.0.0.0", 3],
  ] as const),
])
  INSIDE.addSubnet(network, prefix, "ipv4");
for (const [network, prefix] of [
  ["::", 127],
  ["fc00::", 7],
  ["fe80::", 10],
  ["ff00::", 8],
] as const)
  INSIDE.addSubnet(network, prefix, "ipv6");

/** Of a literal address; a name is nobody's until it is looked up. */
export function isPrivate(host: string): boolean {
  const family = isIP(host);
  return family !== 0 && INSIDE.check(host, family === 4 ? "ipv4" : "ipv6");
}
