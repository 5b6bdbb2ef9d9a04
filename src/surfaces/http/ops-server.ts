import { Hono } from "hono";
import type { Registry } from "prom-client";
import { addSecurityHeaders } from "./security-headers.ts";
import { type Listening, listen } from "./serve-http.ts";

export interface OpsOptions {
  registry: Registry;
  ready(): Promise<{ ready: boolean; problems: string[] }>;
}

/** What every process answers without a credential: whether it lives, whether it can work, and its figures. */
export function opsRoutes(app: Hono, { registry, ready }: OpsOptions): void {
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/readyz", async (c) => {
    const answer = await ready().catch(() => ({ ready: false, problems: ["The readiness check itself failed."] }));
    return c.json(
      { status: answer.ready ? "ready" : "not ready", problems: answer.problems },
      answer.ready ? 200 : 503,
    );
  });
  app.get("/metrics", async () => {
    return new Response(await registry.metrics(), { headers: { "content-type": registry.contentType } });
  });
}

/** The port of a process that serves no API: a worker or a monitor. */
export async function createOpsServer(options: OpsOptions & { host: string; port: number }): Promise<Listening> {
  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    addSecurityHeaders(c);
  });
  opsRoutes(app, options);
  return listen(app, options);
}
