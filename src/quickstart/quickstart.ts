import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { createApiClient } from "../surfaces/cli/client.ts";
import { verifyAuditLog } from "./chapters/audit.ts";
import { decideAndFix } from "./chapters/deciding.ts";
import { showHigherEnvironments } from "./chapters/higher-environments.ts";
import { prepareModels } from "./chapters/models.ts";
import { deployFirst, promoteCanary, rollBackBroken } from "./chapters/rollouts.ts";
import { type Installation, install } from "./installation.ts";
import { Narrator } from "./narrator.ts";
import { modelPlan } from "./plans.ts";
import { type Stage, StoryFailure } from "./stage.ts";

export interface QuickstartTask {
  /** The program's entry, to start its processes from. */
  entry: string;
  /** Leave everything running and print the addresses. */
  keep: boolean;
  color: boolean;
}

/**
 * The main job from end to end in a throwaway folder: real processes, real models, real traffic. Every line it prints
 * comes from what happened. Answers the exit code: 0, or 1 when anything was not as it must be.
 */
export async function runQuickstart(task: QuickstartTask): Promise<number> {
  const narrator = new Narrator({ color: task.color });
  let installation: Installation | undefined;
  const interrupted = () => {
    void installation?.stop().finally(() => process.exit(130));
  };
  process.once("SIGINT", interrupted);
  process.once("SIGTERM", interrupted);
  try {
    narrator.line("Continuum quickstart: a plan becomes a guarded rollout of a real model, in a throwaway folder.");
    installation = await begin(narrator, task.entry);
    await tell({ narrator, installation });
    return await finish({ narrator, installation, keep: task.keep });
  } catch (error) {
    narrator.line("");
    narrator.line(`The quickstart failed: ${error instanceof Error ? error.message : String(error)}`);
    if (!(error instanceof StoryFailure) && error instanceof Error && process.env["CONTINUUM_DEBUG"] !== undefined)
      narrator.line(error.stack ?? "");
    if (installation !== undefined) {
      await installation.stop();
      narrator.line(`What the processes logged is in ${join(installation.folder, "continuum.log")}`);
    }
    return 1;
  } finally {
    process.removeListener("SIGINT", interrupted);
    process.removeListener("SIGTERM", interrupted);
  }
}

async function begin(narrator: Narrator, entry: string): Promise<Installation> {
  narrator.chapter("Real processes start");
  const startedAtMs = Date.now();
  const installation = await install(entry);
  narrator.say(`${installation.folder}, ready in ${((Date.now() - startedAtMs) / 1000).toFixed(1)} s:`);
  for (const { name, pid, url } of installation.started.processes) {
    narrator.say(`  ${name.padEnd(12)} process ${String(pid).padEnd(8)} ${url ?? ""}`);
  }
  return installation;
}

async function tell({ narrator, installation }: { narrator: Narrator; installation: Installation }): Promise<void> {
  const { api, folder } = installation;
  const invoker = await api.call("tokens.create", {
    body: { principal: "traffic", kind: "service", roles: ["invoker"] },
  });
  const proposer = await api.call("tokens.create", {
    body: { principal: "release-agent", kind: "agent", owner: "admin", roles: ["proposer"] },
  });
  const agent = createApiClient({ url: api.url, token: proposer.secret });
  const stage: Stage = { narrator, api, agent, folder, invokeToken: invoker.secret, random: randomBytes };
  const models = await prepareModels(stage);
  const plan = await decideAndFix(stage, modelPlan(models.v1.version, models.v1.artifactDigest, { bakeSeconds: 2 }));
  const url = await deployFirst(stage, plan, models);
  await promoteCanary(stage, url, models);
  await rollBackBroken(stage, url, models);
  await showHigherEnvironments(stage, modelPlan(models.v2.version, models.v2.artifactDigest, { bakeSeconds: 4 }));
  await verifyAuditLog(stage);
}

async function finish(end: { narrator: Narrator; installation: Installation; keep: boolean }): Promise<number> {
  const { narrator, installation } = end;
  const { folder, started } = installation;
  narrator.line("");
  if (end.keep) {
    await installation.detach();
    narrator.line(`Done in ${narrator.elapsedSeconds.toFixed(1)} s. Everything is still running:`);
    narrator.say(`API      ${started.url}   (OpenAPI: ${started.url}/v1/openapi.json)`);
    narrator.say(`serving  ${started.servingUrl}`);
    narrator.say(`try      CONTINUUM_DATA_DIR=${join(folder, "data")} npx continuum rollout list`);
    narrator.say(`stop     kill ${started.processes[0]?.pid ?? ""}`);
    return 0;
  }
  const left = await installation.stop();
  await installation.remove();
  if (left.length > 0) {
    narrator.line(`The quickstart failed: these processes were still there after the stop: ${left.join(", ")}`);
    return 1;
  }
  narrator.line(`Done in ${narrator.elapsedSeconds.toFixed(1)} s. All processes are stopped and the folder is gone.`);
  return 0;
}
