import { Hono } from "hono";
import { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { createOpsServer } from "./ops-server.ts";
import { serveHttp } from "./serve-http.ts";

const app = new Hono();
app.get("/slow", async (c) => {
  await new Promise((resolve) => setTimeout(resolve, 100));
  return c.text("done");
});
app.get("/never", () => new Promise<Response>(() => undefined));

describe("plain HTTP", () => {
  test.each(["0.0.0.0", "::", "192.0.2.1", "2130706433", "example.org", "127.evil.example"])(
    "is refused on %s",
    async (host) => {
      await expect(serveHttp(app, { host, port: 0 })).rejects.toMatchObject({ code: "insecure-address" });
    },
  );

  test("is served there when the operator says that TLS ends in front of it", async () => {
    const listening = await serveHttp(app, { host: "0.0.0.0", port: 0, allowInsecureHttp: true });
    expect((await fetch(`http://127.0.0.1:${listening.port}/slow`)).status).toBe(200);
    await listening.close();
  });

  test.each(["127.0.0.1", "localhost", "::1"])("is served on %s", async (host) => {
    const listening = await serveHttp(app, { host, port: 0 }).catch(
      (error: { code?: string; message: string }) => error,
    );
    // A machine without IPv6 has no ::1 to listen on, which is another matter than refusing it.
    if (host === "::1" && "code" in listening) return expect(listening.code).toBe("listen-failed");
    if (!("close" in listening)) throw new Error(listening.message);
    expect((await fetch(`${listening.url}/slow`)).status).toBe(200);
    await listening.close();
  });
});

test("a port that is taken is said to be", async () => {
  const first = await serveHttp(app, { host: "127.0.0.1", port: 0 });
  await expect(serveHttp(app, { host: "127.0.0.1", port: first.port })).rejects.toMatchObject({
    code: "address-in-use",
  });
  await first.close();
});

test("a stop lets requests end, and cuts those that do not", async () => {
  const listening = await serveHttp(app, { host: "127.0.0.1", port: 0 });
  const slow = fetch(`${listening.url}/slow`);
  const never = fetch(`${listening.url}/never`).then(
    () => "answered",
    () => "cut",
  );
  await new Promise((resolve) => setTimeout(resolve, 30));
  const startedAt = performance.now();
  await listening.close(300);
  expect(await (await slow).text()).toBe("done");
  expect(await never).toBe("cut");
  expect(performance.now() - startedAt).toBeLessThan(2000);
});

test("a process without an API answers whether it lives and can work", async () => {
  let ready = false;
  const problems = ["The worker is not registered."];
  const ops = await createOpsServer({
    registry: new Registry(),
    host: "127.0.0.1",
    port: 0,
    ready: async () => (ready ? { ready, problems: [] } : { ready, problems }),
  });
  expect((await fetch(`${ops.url}/healthz`)).status).toBe(200);
  const before = await fetch(`${ops.url}/readyz`);
  expect([before.status, await before.json()]).toEqual([503, { status: "not ready", problems }]);
  ready = true;
  expect((await fetch(`${ops.url}/readyz`)).status).toBe(200);
  expect((await fetch(`${ops.url}/metrics`)).status).toBe(200);
  expect((await fetch(`${ops.url}/v1/rollouts`)).status).toBe(404);
  await ops.close();
});
