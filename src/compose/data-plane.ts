import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import { inheritedListener, keepListener } from "../roles/kept-listener.ts";
import type { ProgramLog } from "../roles/program-log.ts";
import type { RunningRole } from "../roles/role-process.ts";
import { runServing } from "../serving/run-serving.ts";
import { composeArtifacts } from "./compose-artifacts.ts";
import { composeCapture } from "./compose-capture.ts";
import { controlSocket } from "./control-socket.ts";

/** The data plane: it gets the artifact store and nothing of the control plane or its database. */
export async function composeServing(
  config: Config,
  { log, version }: { log: ProgramLog; version: string },
): Promise<RunningRole> {
  // What serves goes on serving: replicas that live have their models, and only new ones would miss them.
  const artifacts = await composeArtifacts(config, (refusal) =>
    log.error("artifact-store-keys", { reason: refusal.message }),
  );
  const listener = await inheritedListener();
  const serving = await runServing({
    controlSocket: await controlSocket(config),
    host: config.serving.host,
    port: config.serving.port,
    stateDir: join(config.dataDir, "serving"),
    captureDir: join(config.dataDir, "capture"),
    readModel: (tenant, digest) => artifacts.read(tenant, digest),
    log: log.fieldsFirst,
    ...(listener === undefined ? {} : { listener }),
    capture: { enabled: config.serving.captureEnabled, rules: await composeCapture(config) },
    programVersion: version,
    metricsNamesForAll: config.serving.metricsNamesForAll,
  });
  if (listener === undefined) keepListener(serving.listener());
  return { ready: { url: serving.url, opsUrl: serving.url }, stop: () => serving.close() };
}
