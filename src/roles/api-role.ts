import type { Config } from "../config/schema.ts";
import type { EngineParts } from "../engine/engine.ts";
import { engineMetrics } from "../engine/metrics.ts";
import type { WebhookParts } from "../engine/webhook-parts.ts";
import { createService } from "../service/create-service.ts";
import type { PolicyBundleParts } from "../service/policy-bundles.ts";
import type { Service } from "../service/service.ts";
import { createHttpApp } from "../surfaces/http/app.ts";
import { serveHttp } from "../surfaces/http/serve-http.ts";
import { metricsRegistry } from "./metrics-registry.ts";
import type { RunningRole } from "./role-process.ts";

export interface ApiRoleOptions {
  parts: EngineParts & { bundles: PolicyBundleParts; webhooks: WebhookParts };
  config: Config;
  version: string;
  /** What is wrong with this host's clock. */
  clockProblem(): string | undefined;
  close(): Promise<void>;
}

/** The HTTP API with its own figures. */
export async function startApiRole(options: ApiRoleOptions): Promise<RunningRole> {
  const { parts, config, version, clockProblem, close } = options;
  const registry = metricsRegistry("api");
  const control = createService({ ...parts, ...engineMetrics(registry, parts) });
  const service: Service = {
    ...control,
    readiness: async () => {
      const { ready, problems } = await control.readiness();
      const clock = clockProblem();
      return { ready, problems: clock === undefined ? problems : [...problems, clock] };
    },
  };
  const shutdown = new AbortController();
  const app = createHttpApp(service, {
    version,
    registry,
    log: parts.log,
    limits: { rawBytesMax: config.artifacts.maxBytes },
    shutdown: shutdown.signal,
  });
  const listening = await serveHttp(app, config.api);
  parts.log.info("api.ready", { host: config.api.host, port: listening.port });
  return {
    ready: { url: listening.url },
    stop: async () => {
      shutdown.abort();
      await listening.close();
      await close();
    },
  };
}
