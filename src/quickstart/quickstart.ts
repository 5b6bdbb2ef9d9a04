import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type ApiClient, createApiClient } from "../surfaces/cli/client.ts";
import { proveWhatHappened } from "./chapters/audit.ts";
import { decideAndFix } from "./chapters/deciding.ts";
import { rollBackDrifting } from "./chapters/drifting.ts";
import { prepareModels } from "./chapters/models.ts";
import { deployToProduction } from "./chapters/production.ts";
import { deployFirst, promoteCanary, rollBackBroken } from "./chapters/rollouts.ts";
import { simulateDeployments } from "./chapters/simulation.ts";
import { deployToStaging } from "./chapters/staging.ts";
import { drawInputs, promoteWatched } from "./chapters/watched.ts";
import { type Installation, install } from "./installation.ts";
import { Narrator } from "./narrator.ts";
import { type Stage, StoryFailure } from "./stage.ts";
import { throwawayPerson } from "./throwaway-person.ts";

export interface QuickstartTask {
  /** The program's entry, to start its processes from. */
  entry: string;
  /** Leave everything running and print the addresses. */
  keep: boolean;
  /** The story of a simulated deployment instead. */
  simulate: boolean;
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
    narrator.line(task.simulate ? SIMULATION : REAL);
    installation = await begin(narrator, task.entry);
    await (task.simulate ? simulate : tell)({ narrator, installation });
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

const REAL = "Continuum quickstart: a plan becomes a guarded rollout of a real model, in a throwaway folder.";
const SIMULATION =
  "Continuum quickstart, simulated: real processes and real decisions; models, CI and people are mocks.";

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

interface Telling {
  narrator: Narrator;
  installation: Installation;
}

/** Everything of it goes to the simulated target: there is nothing to train, to sign or to serve. */
async function simulate({ narrator, installation }: Telling): Promise<void> {
  const agent = await proposingAgent(installation.api, "admin");
  await simulateDeployments({ narrator, api: installation.api, agent });
}

async function proposingAgent(api: ApiClient, owner: string): Promise<ApiClient> {
  const { secret } = await api.call("tokens.create", {
    body: { principal: "release-agent", kind: "agent", owner, roles: ["proposer"] },
  });
  return createApiClient({ url: api.url, token: secret });
}

async function tell({ narrator, installation }: Telling): Promise<void> {
  const { api, folder } = installation;
  const invoker = await api.call("tokens.create", {
    body: { principal: "traffic", kind: "service", roles: ["invoker"] },
  });
  const owner = await throwawayPerson({ api }, "throwaway-omar", ["approver"]);
  const agent = await proposingAgent(api, owner.id);
  const stage: Stage = { narrator, api, agent, owner, folder, invokeToken: invoker.secret, random: randomBytes };
  const models = await prepareModels(stage);
  const plan = await decideAndFix(stage, models.v1.plan);
  const url = await deployFirst(stage, plan, models);
  await promoteCanary(stage, url, models);
  await rollBackBroken(stage, url, models);
  narrator.chapter(`Version ${models.v4.version} answers well, and its inputs drift`);
  const inputs = await drawInputs(stage, models);
  await rollBackDrifting(stage, url, { models, inputs });
  await promoteWatched(stage, url, { models, inputs });
  const signers = await deployToStaging(stage, models);
  const production = await deployToProduction(stage, models, signers);
  await proveWhatHappened(stage, production);
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
    const monitor = started.processes.find(({ name }) => name === "monitor");
    if (monitor?.url != null) narrator.say(`monitor  ${monitor.url}/metrics`);
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
