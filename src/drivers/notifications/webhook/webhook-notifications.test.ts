import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, test } from "vitest";
import { type Behaviour, notificationsConformance } from "../notifications.conformance.ts";
import { type AddressRules, DEFAULT_PORTS } from "./address-rules.ts";
import { startNameServer } from "./testing/name-server.ts";
import { type Receiver, startReceiver, TEST_CERTIFICATE } from "./testing/receiver.ts";
import { type WebhookOptions, webhookNotifications } from "./webhook-notifications.ts";

const LOOPBACK: AddressRules = {
  ...{ internalHosts: new Set(["127.0.0.1", "hooks.test"]), plainHttpHosts: new Set(["127.0.0.1"]) },
  ports: DEFAULT_PORTS,
};
const PUBLIC: AddressRules = { internalHosts: new Set(), plainHttpHosts: new Set(), ports: DEFAULT_PORTS };
const KEY = Buffer.alloc(32, 7);

let open: Receiver[] = [];
afterEach(async () => {
  await Promise.all(open.map((receiver) => receiver.close()));
  open = [];
});
async function receiver(options: Parameters<typeof startReceiver>[0] = {}): Promise<Receiver> {
  const made = await startReceiver(options);
  open.push(made);
  return made;
}
const message = (url: string, secrets: Uint8Array[] = [KEY]) => ({
  ...{ url, id: "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", atMs: Date.now(), body: '{"type":"webhook.test","data":{"ü":1}}' },
  secrets,
});
/** A resolver of the test's: what each look at the name answers, in turn. */
const resolving = (...answers: string[][]): NonNullable<WebhookOptions["resolve"]> => {
  let asked = 0;
  return async () => {
    const answer = answers[Math.min(asked++, answers.length - 1)] ?? [];
    return answer.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  };
};

notificationsConformance("webhook", async () => {
  let behaviour: Behaviour = { status: 204 };
  const on = await startReceiver({
    answer: (_, response) => {
      if (behaviour === "breaks-off") response.destroy();
      else if (behaviour === "endless") {
        response.writeHead(200);
        const timer = setInterval(() => response.write(Buffer.alloc(64 * 1024)), 5);
        response.on("close", () => clearInterval(timer));
      } else if (behaviour !== "never-answers") response.writeHead(behaviour.status, behaviour.headers).end("body");
    },
  });
  return {
    notifications: webhookNotifications({ rules: LOOPBACK, timeoutMs: 1000 }),
    url: on.url,
    behave: (how) => {
      behaviour = how;
    },
    received: () => on.seen.map(({ headers, body }) => ({ id: headers["webhook-id"] ?? "", body })),
    close: () => on.close(),
  };
});

describe("a message", () => {
  const notifications = webhookNotifications({ rules: LOOPBACK });

  test("is one that the Standard Webhooks library verifies", async () => {
    const on = await receiver();
    await notifications.send(message(on.url));
    const [got] = on.seen;
    expect(new Webhook(`whsec_${KEY.toString("base64")}`).verify(got?.body ?? "", got?.headers ?? {})).toEqual({
      type: "webhook.test",
      data: { ü: 1 },
    });
    expect(got?.headers).toMatchObject({ "content-type": "application/json", "user-agent": "continuum-webhooks/1" });
    const other = new Webhook(`whsec_${Buffer.alloc(32, 8).toString("base64")}`);
    expect(() => other.verify(got?.body ?? "", got?.headers ?? {})).toThrow("No matching signature");
    expect(() => other.verify(`${got?.body} `, got?.headers ?? {})).toThrow("No matching signature");
  });

  test("carries a signature for each secret while one is being replaced", async () => {
    const on = await receiver();
    const keys = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
    await notifications.send(message(on.url, keys));
    const [got] = on.seen;
    for (const key of keys) {
      expect(new Webhook(key.toString("base64")).verify(got?.body ?? "", got?.headers ?? {})).toBeTruthy();
    }
  });

  test("goes over TLS to the name that was asked for", async () => {
    const on = await receiver({ tls: true });
    const means = { rules: LOOPBACK, resolve: resolving(["127.0.0.1"]) };
    const trusting = webhookNotifications({ ...means, authorities: TEST_CERTIFICATE });
    expect(await trusting.send(message(on.url))).toMatchObject({ failure: null, status: 204 });
    expect(on.seen[0]?.headers["host"]).toBe(`hooks.test:${on.port}`);
    // The certificate is nobody's that others trust, and not for this address.
    expect(await webhookNotifications(means).send(message(on.url))).toMatchObject({ failure: "tls-failed" });
    const literal = `https://127.0.0.1:${on.port}/hook`;
    expect(await trusting.send(message(literal))).toMatchObject({ failure: "tls-failed" });
    expect(on.seen).toHaveLength(1);
  });

  test("does not go where nobody listens, or to a name that is none", async () => {
    const on = await startReceiver();
    await on.close();
    expect(await notifications.send(message(on.url))).toMatchObject({ failure: "connection-failed", status: null });
    const unknown = webhookNotifications({ rules: PUBLIC, resolve: () => Promise.reject(new Error("ENOTFOUND")) });
    expect(await unknown.send(message("https://nobody.example/"))).toMatchObject({ failure: "name-not-found" });
    expect(await unknown.checkAddress("https://nobody.example/")).toMatchObject({ ok: true });
  });

  test("ends in time also when the name does not", async () => {
    const slow = webhookNotifications({ rules: PUBLIC, timeoutMs: 50, resolve: () => new Promise(() => undefined) });
    expect(await slow.send(message("https://slow.example/"))).toMatchObject({ failure: "timed-out" });
  });

  test("does not go through a proxy that the environment names", async () => {
    const proxy = await receiver();
    const on = await receiver();
    process.env["HTTP_PROXY"] = proxy.url;
    process.env["NODE_USE_ENV_PROXY"] = "1";
    try {
      expect(await notifications.send(message(on.url))).toMatchObject({ failure: null });
    } finally {
      delete process.env["HTTP_PROXY"];
      delete process.env["NODE_USE_ENV_PROXY"];
    }
    expect([proxy.seen.length, on.seen.length]).toEqual([0, 1]);
  });
});

// Every way that we know of to make a sender speak to what only the sender can reach.
const INSIDE = [
  ...[
    "127.0.0.1",
    "127.1",
    "127.0.0.2",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0.0.0.0",
  ],
  ...[
    "localhost",
    "localhost.",
    "a.localhost",
    "metadata",
    "metadata.google.internal",
    "１２７.０.０.１",
    "127。0。0。1",
    "%31%32%37.0.0.1",
  ],
  ...["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "169.254.169.254", "0xa9fea9fe"],
  ...["168.63.129.16", "100.100.100.200", "192.0.0.192", "198.18.0.1", "203.0.113.1", "224.0.0.1", "240.0.0.1"],
  ...["255.255.255.255", "0.1.2.3", "192.88.99.1"],
  ...["[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]"],
  ...[
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[2001:db8::1]",
  ],
  ...["[::ffff:8.8.8.8]", "[100::1]", "[fec0::1]", "[4000::1]"],
];

describe("what is inside the operator's network", () => {
  const refusing = webhookNotifications({ rules: PUBLIC, resolve: resolving(["127.0.0.1"]) });

  test.each(INSIDE)("%s is refused as it is written", async (host) => {
    for (const url of [`https://${host}/`, `http://${host}/`, `https://${host}:8443/x?y`]) {
      expect(await refusing.send(message(url))).toMatchObject({ failure: "address-refused", status: null });
      expect((await refusing.checkAddress(url)).ok).toBe(false);
    }
  });

  test.each(INSIDE.filter((host) => /^[\d.]+$|^\[/.test(host) && (host.includes(":") || host.split(".").length === 4)))(
    "a name that means %s is refused, also as one of several",
    async (host) => {
      const address = host.replace(/[[\]]/g, "");
      for (const answer of [[address], ["93.184.216.34", address], [address, "2606:2800:220:1::1"]]) {
        const notifications = webhookNotifications({ rules: PUBLIC, resolve: resolving(answer) });
        expect(await notifications.send(message("https://hooks.example/"))).toMatchObject({
          failure: "address-refused",
        });
        expect((await notifications.checkAddress("https://hooks.example/")).ok).toBe(false);
      }
    },
  );

  test("a name that means another address the second time gains nothing", async () => {
    const inside = await receiver();
    const name = new Set(["rebinds.example"]);
    const rules = { ...PUBLIC, plainHttpHosts: name, internalHosts: name };
    let looks = 0;
    // Nobody listens at the first address; whoever looked again would reach the receiver at the second.
    const resolve = async () => [{ address: looks++ === 0 ? "127.0.0.2" : "127.0.0.1", family: 4 }];
    const notifications = webhookNotifications({ rules, resolve, timeoutMs: 500 });
    const { failure } = await notifications.send(message(`http://rebinds.example:${inside.port}/`));
    expect([failure === null, looks, inside.seen.length]).toEqual([false, 1, 0]);
    expect((await notifications.send(message(`http://rebinds.example:${inside.port}/`))).failure).toBeNull();
  });

  test("is looked for behind names as the name servers have them", async () => {
    const names = await startNameServer({
      "good.example": ["93.184.216.34"],
      "inside.example": ["10.0.0.7"],
      "mixed.example": ["93.184.216.34", "127.0.0.1"],
    });
    try {
      const notifications = webhookNotifications({ rules: PUBLIC, nameServers: [names.address] });
      const isAllowed = async (host: string) => (await notifications.checkAddress(`https://${host}/`)).ok;
      expect([
        await isAllowed("good.example"),
        await isAllowed("inside.example"),
        await isAllowed("mixed.example"),
      ]).toEqual([...[true, false, false]]);
      for (const host of ["inside.example", "mixed.example"])
        expect(await notifications.send(message(`https://${host}/`))).toMatchObject({ failure: "address-refused" });
      expect(await notifications.send(message("https://no.example/"))).toMatchObject({ failure: "name-not-found" });
    } finally {
      await names.close();
    }
  });

  test("is not reached by a redirect", async () => {
    const inside = await receiver();
    const outside = await receiver({
      answer: (_, response) => void response.writeHead(307, { location: inside.url }).end(),
    });
    const notifications = webhookNotifications({ rules: LOOPBACK });
    expect(await notifications.send(message(outside.url))).toMatchObject({ failure: "redirect-refused", status: 307 });
    expect(inside.seen).toEqual([]);
  });

  test("other schemes, ports, users and fragments are refused with what would be right", async () => {
    const notifications = webhookNotifications({ rules: PUBLIC, resolve: resolving(["93.184.216.34"]) });
    const said = async (url: string) => {
      const checked = await notifications.checkAddress(url);
      return checked.ok ? "" : checked.problem.message;
    };
    expect(await said("http://hooks.example/")).toContain("webhooks.plainHttpHosts");
    for (const port of [22, 25, 80, 5432, 6379, 7400]) {
      expect(await said(`https://hooks.example:${port}/`)).toBe("must use one of the ports 443, 8443");
    }
    expect(await said("https://user@hooks.example/")).toContain("must not hold a user");
    expect(await said("https://hooks.example/#a")).toContain("fragment");
    expect(await said("gopher://hooks.example/")).toContain("https://");
    expect(await said("https://hooks.example/a?b=c")).toBe("");
  });

  test("what the operator names is reached, but never a machine's metadata", async () => {
    const on = await receiver();
    const notifications = webhookNotifications({ rules: LOOPBACK });
    expect(await notifications.send(message(on.url))).toMatchObject({ failure: null });
    const rules = { ...PUBLIC, internalHosts: new Set(["inside.example", "169.254.169.254"]) };
    for (const address of [
      "169.254.169.254",
      "fd00:ec2::254",
      "64:ff9b::a9fe:a9fe",
      "::ffff:169.254.169.254",
      "0.0.0.0",
    ]) {
      const fooled = webhookNotifications({ rules, resolve: resolving([address]) });
      expect((await fooled.checkAddress("https://inside.example/")).ok).toBe(false);
    }
    expect((await webhookNotifications({ rules }).checkAddress("https://169.254.169.254/")).ok).toBe(false);
    const inside = webhookNotifications({ rules, resolve: resolving(["10.1.2.3"]) });
    expect((await inside.checkAddress("https://inside.example:9000/")).ok).toBe(true);
    expect((await inside.checkAddress("https://other.inside.example/")).ok).toBe(false);
  });
});
