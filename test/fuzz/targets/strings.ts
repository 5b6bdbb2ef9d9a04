import fc from "fast-check";
import { z } from "zod";
import { checkUrl, DEFAULT_PORTS } from "../../../src/drivers/notifications/webhook/address-rules.ts";
import { decodeCursor } from "../../../src/service/cursor.ts";
import { Refusal } from "../../../src/service/refusal.ts";
import { edited } from "../edits.ts";
import { type FuzzTarget, openTarget } from "../fuzz-target.ts";
import { grown, mostly, mutated } from "../mutations.ts";
import { checkLine, holds } from "../violation.ts";
import { isPrivate } from "./private-addresses.ts";

const RULES = { internalHosts: new Set<string>(), plainHttpHosts: new Set<string>(), ports: DEFAULT_PORTS };
const URLS = [
  ...[
    "https://example.com/hook",
    "https://8.8.8.8:8443/a?b=c",
    "https://[2001:4860:4860::8888]/",
    "http://example.com/",
  ],
  ...[
    "https://127.0.0.1/",
    "https://[::ffff:10.0.0.1]/",
    "https://0x7f.1/",
    "https://2130706433/",
    "https://localhost./",
  ],
];

/** Addresses of webhooks: nothing inside is ever taken for public. */
export const addresses: FuzzTarget = {
  name: "addresses",
  share: 40,
  open: async () => {
    const parts = [
      "127.",
      "0177.0.0.1",
      "169.254.169.254",
      "[::1]",
      "[fd00::1]",
      "[64:ff9b::7f00:1]",
      "@",
      ".nip.io",
      "%2e",
      "。",
      "１２７",
      ":443",
      ":0",
      ":65536",
      "http:",
      "ftp:",
      "#",
    ];
    return openTarget({
      inputs: mostly(mutated(URLS, parts), grown(["a.", "@", "%2e", "1.", ":", "/../", "xn--"], 100_000), 2000),
      bytesOf: (bytes) => bytes.length,
      feed(bytes) {
        const checked = checkUrl(Buffer.from(bytes).toString("utf8"), RULES);
        if (!checked.ok) {
          checkLine(checked.problem.message);
          return "malformed";
        }
        const { url, host } = checked.value;
        holds(url.protocol === "https:" && url.username === "", "a plain or a signed-in address was taken");
        holds(!isPrivate(host), `${host} is inside and was taken`);
        return "taken";
      },
    });
  },
};

const CURSOR = z.tuple([z.number(), z.string()]);

/** What a list gave, as somebody else gives it back. */
export const cursors: FuzzTarget = {
  name: "cursors",
  share: 30,
  open: async () => {
    const value = edited(
      [
        ["rollouts.list", 12, "r-1"],
        ["audit.list", 1, "a"],
      ],
      ["rollouts.list", 8.64e15, "\u0000"],
    );
    const encoded = value.map((one) => Buffer.from(Buffer.from(JSON.stringify(one) ?? "").toString("base64url")));
    return openTarget({
      inputs: fc.oneof(encoded, mutated(["WyJyb2xsb3V0cy5saXN0IiwxMiwici0xIl0"])),
      bytesOf: (bytes) => bytes.length,
      feed(bytes) {
        try {
          const place = decodeCursor("rollouts.list", Buffer.from(bytes).toString("utf8"), CURSOR);
          holds(place !== undefined && place[0] >= 0 && !place[1].includes("\0"), "a place that no list has was taken");
          return "taken";
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          checkLine(error.message);
          return error.code;
        }
      },
    });
  },
};
