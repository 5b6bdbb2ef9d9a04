import type { Config } from "../config/schema.ts";
import type { CheckpointParts } from "../engine/audit-parts.ts";
import type { EngineParts } from "../engine/engine.ts";
import { engineMetrics } from "../engine/metrics.ts";
import type { WebhookParts } from "../engine/webhook-parts.ts";
import { createService } from "../service/create-service.ts";
import type { GroundTruthParts } from "../service/ground-truth-parts.ts";
import type { PeopleParts } from "../service/people-parts.ts";
import type { PolicyBundleParts } from "../service/policy-bundle-parts.ts";
import type { Service } from "../service/service.ts";
import type { Tenancy } from "../service/tenancy.ts";
import type { WorkloadIssuer } from "../service/workload-parts.ts";
import { createHttpApp } from "../surfaces/http/app.ts";
import { serveHttp } from "../surfaces/http/serve-http.ts";
import type { TlsSource } from "../surfaces/http/tls.ts";
import { metricsRegistry } from "./metrics-registry.ts";
import type { RunningRole } from "./role-process.ts";

export interface ApiRoleOptions {
  parts: EngineParts & {
    bundles: PolicyBundleParts;
    checkpoints: CheckpointParts;
    tenancy: Tenancy;
    workloadIssuer?: WorkloadIssuer;
    groundTruth: GroundTruthParts;
    webhooks: WebhookParts;
  };
  config: Config;
  version: string;
  /** How people come in; `boundUrl` says where the API listens, once it does. */
  people(boundUrl: () => string | undefined): PeopleParts;
  /** The API's own certificate; undefined when it serves plain HTTP. */
  tls: TlsSource | undefined;
  /** What is wrong with this host's clock. */
  clockProblem(): string | undefined;
  close(): Promise<void>;
}

/** The HTTP API with its own figures. */
export async function startApiRole(options: ApiRoleOptions): Promise<RunningRole> {
  const { parts, config, version, clockProblem, close } = options;
  const registry = metricsRegistry("api");
  let boundUrl: string | undefined;
  const people = options.people(() => boundUrl);
  const control = createService({ ...parts, people, ...engineMetrics(registry, parts) });
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
    rate: parts.tenancy.rate,
    trustedProxies: config.api.trustedProxies,
    strictTransport: () => people.relyingParty()?.origin.startsWith("https:") === true,
    shutdown: shutdown.signal,
  });
  const { nowMs, log } = parts;
  const tls = options.tls === undefined ? {} : { tls: { source: options.tls, log, nowMs } };
  const listening = await serveHttp(app, { ...config.api, ...tls });
  boundUrl = listening.url;
  parts.log.info("api.ready", { host: config.api.host, port: listening.port });
  return {
    // A certificate is for the name that people use, and not for the address that is listened on.
    ready: { url: options.tls === undefined ? listening.url : (people.relyingParty()?.origin ?? listening.url) },
    stop: async () => {
      shutdown.abort();
      await listening.close();
      await close();
    },
  };
}
