import { auditMetrics } from "../engine/audit-metrics.ts";
import { AuditNotary } from "../engine/audit-notary.ts";
import type { CheckpointParts } from "../engine/audit-parts.ts";
import type { EngineParts } from "../engine/engine.ts";
import { engineMetrics } from "../engine/metrics.ts";
import { webhookMetrics } from "../engine/webhook-metrics.ts";
import type { WebhookParts } from "../engine/webhook-parts.ts";
import { WebhookPump } from "../engine/webhook-pump.ts";
import { Worker } from "../engine/worker.ts";
import { createOpsServer } from "../surfaces/http/ops-server.ts";
import { metricsRegistry } from "./metrics-registry.ts";
import type { RunningRole } from "./role-process.ts";

export interface WorkerRoleOptions {
  parts: EngineParts;
  host: string;
  opsHost: string;
  opsPort: number;
  webhooks: WebhookParts;
  /** How the audit logs are signed, and where that is published. */
  checkpoints: CheckpointParts;
  /** Brings the targets of this host to what is wanted. */
  reconcile: () => Promise<void>;
  /** Tells the data plane of this host who may invoke. */
  syncCredentials: () => Promise<void>;
  /** What is wrong with this host's clock. */
  clockProblem(): string | undefined;
  close(): Promise<void>;
}

/** A worker and, on a port of its own, what it tells of itself. */
export async function startWorkerRole(options: WorkerRoleOptions): Promise<RunningRole> {
  const registry = metricsRegistry("worker");
  const parts = { ...options.parts, ...engineMetrics(registry, options.parts) };
  const { host, reconcile, syncCredentials, webhooks } = options;
  const worker = new Worker({ parts, host, reconcile, syncCredentials });
  const telling = { ...parts, webhooks };
  const pump = new WebhookPump({ parts: telling, ...webhookMetrics(registry, telling) });
  const signing = { ...parts, checkpoints: options.checkpoints };
  const notary = new AuditNotary({ parts: signing, ...auditMetrics(registry, signing) });
  // A port that is taken is known before the worker holds any job.
  const ops = await createOpsServer({
    registry,
    host: options.opsHost,
    port: options.opsPort,
    ready: async () => {
      const registered = worker.id !== undefined;
      const clock = options.clockProblem();
      return {
        ready: registered,
        problems: [
          ...(registered ? [] : ["The worker is not registered: its database cannot be reached."]),
          ...(clock === undefined ? [] : [clock]),
          ...notary.problems(),
        ],
      };
    },
  });
  try {
    await worker.start();
    await pump.start();
    await notary.start();
  } catch (error) {
    await ops.close();
    throw error;
  }
  return {
    ready: { opsUrl: ops.url },
    stop: async () => {
      await Promise.all([worker.stop(), pump.stop(), notary.stop()]);
      await ops.close();
      await options.close();
    },
  };
}
