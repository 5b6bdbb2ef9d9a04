import { X509Certificate } from "node:crypto";
import { connect, type DetailedPeerCertificate } from "node:tls";
import { Hono } from "hono";
import { afterEach, describe, expect, test } from "vitest";
import { type Listening, serveHttp } from "./serve-http.ts";
import { selfSigned } from "./testing/self-signed.ts";
import { checkedMaterial, type TlsMaterial } from "./tls.ts";

let listening: Listening | undefined;
afterEach(() => listening?.close(100));

/** A server whose certificate a test replaces. */
async function served(first: TlsMaterial) {
  const logged: string[] = [];
  const holder: { material: TlsMaterial | Error; changed?: () => void } = { material: first };
  const source = {
    read: async () => {
      if (holder.material instanceof Error) throw holder.material;
      return holder.material;
    },
    watch: (changed: () => void) => {
      holder.changed = changed;
      return () => {
        delete holder.changed;
      };
    },
  };
  const write = (event: string) => void logged.push(event);
  const tls = { source, log: { info: write, error: write }, nowMs: Date.now };
  const app = new Hono().get("/", (c) => c.text("hello"));
  listening = await serveHttp(app, { host: "127.0.0.1", port: 0, tls });
  return { holder, logged, port: listening.port, url: listening.url };
}

interface Seen {
  serial: string;
  protocol: string | null;
}

function shake(port: number, how: { maxVersion?: "TLSv1.1" | "TLSv1.2" } = {}): Promise<Seen> {
  const { promise, resolve, reject } = Promise.withResolvers<Seen>();
  const socket = connect({
    port,
    host: "127.0.0.1",
    servername: "localhost",
    rejectUnauthorized: false,
    minVersion: "TLSv1",
    ...how,
  });
  socket.on("secureConnect", () => {
    const peer: DetailedPeerCertificate = socket.getPeerCertificate(true);
    resolve({ serial: peer.serialNumber, protocol: socket.getProtocol() });
    socket.destroy();
  });
  socket.on("error", reject);
  return promise;
}

const serialOf = ({ certificate }: TlsMaterial) => new X509Certificate(certificate).serialNumber;

describe("a server with a certificate of its own", () => {
  test("speaks TLS 1.2 and newer, whatever address it listens on", async () => {
    const material = selfSigned();
    const { port, url } = await served(material);
    expect(url).toBe(`https://127.0.0.1:${port}`);
    expect(await shake(port)).toEqual({ serial: serialOf(material), protocol: "TLSv1.3" });
    expect(await shake(port, { maxVersion: "TLSv1.2" })).toMatchObject({ protocol: "TLSv1.2" });
    await expect(shake(port, { maxVersion: "TLSv1.1" })).rejects.toThrow();
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  });

  test("takes a newer one over without a pause, and keeps the old one when the newer is wrong", async () => {
    const [first, second] = [selfSigned(), selfSigned()];
    const { port, holder, logged } = await served(first);
    holder.changed?.();
    holder.material = second;
    holder.changed?.();
    holder.changed?.();
    await expect.poll(() => logged).toEqual(["tls-certificate-taken"]);
    expect(await shake(port)).toMatchObject({ serial: serialOf(second) });
    const wrong = [{ certificate: first.certificate, key: second.key }, new Error("no such file")];
    for (const material of wrong) {
      holder.material = material;
      holder.changed?.();
    }
    await expect.poll(() => logged.filter((event) => event === "tls-certificate-refused").length).toBeGreaterThan(0);
    expect(await shake(port)).toMatchObject({ serial: serialOf(second) });
  });
});

test.each<[string, TlsMaterial, RegExp]>([
  ["another certificate's key", { ...selfSigned(), key: selfSigned().key }, /the key is another certificate's/],
  ["no certificate", { ...selfSigned(), certificate: "nonsense" }, /the certificate cannot be read/],
  ["no key", { ...selfSigned(), key: "nonsense" }, /the key cannot be read/],
  ["one that is over", selfSigned({ validUntil: new Date(Date.now() - 60_000) }), /has been over since/],
])("%s is refused before anybody connects", (_, material, what) => {
  expect(() => checkedMaterial(material, Date.now())).toThrow(what);
});
