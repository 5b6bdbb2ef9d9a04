import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { monitorOpsPort } from "../config/monitor-ops-port.ts";
import type { Config } from "../config/schema.ts";
import type { DoctorFinding } from "../core/doctor/finding.ts";
import { readState } from "../serving/state-file.ts";
import { type EmbeddedLook, inspectEmbedded } from "../store/embedded/inspect.ts";
import { isAlive } from "../store/embedded/living-process.ts";
import { holderOf } from "./data-folder.ts";
import { broken, note, ok, reasonOf } from "./finding.ts";
import { descendsFrom, listenerOf, nameOf } from "./port-holder.ts";

/** Who holds the data folder, what an earlier run left running, and whether the ports can be had. */
export async function lookAtProcesses(config: Config): Promise<DoctorFinding[]> {
  const holder = await holderOf(config.dataDir);
  const supervisor = holder?.alive ? holder.mark.pid : undefined;
  return [
    lockFinding(holder),
    await lookAtLeftovers(config, supervisor),
    ...(await Promise.all(portsOf(config).map((port) => lookAtPort(port, supervisor)))),
  ];
}

function lockFinding(holder: Awaited<ReturnType<typeof holderOf>>): DoctorFinding {
  const at = { check: "processes.lock", looked: "who holds the data folder" };
  if (holder === undefined) return ok(at, "nobody: Continuum is not running from it");
  if (holder.alive) return ok(at, `continuum start, process ${holder.mark.pid}`);
  return note(at, `a start that has ended (process ${holder.mark.pid}) left its lock`, "the next start sets it aside");
}

async function lookAtLeftovers({ dataDir }: Config, supervisor: number | undefined): Promise<DoctorFinding> {
  const at = { check: "processes.leftover", looked: "processes of an earlier run" };
  if (supervisor !== undefined) return ok(at, "all belong to the start that runs");
  const database: EmbeddedLook | undefined = await inspectEmbedded(dataDir);
  const state = await readState(join(dataDir, "serving", "serving.json"));
  const variants = state.endpoints.flatMap(({ stable, candidate }) => [stable, candidate]);
  const replicas = variants
    .flatMap((variant) => variant?.replicas ?? [])
    .filter(({ pid, startTicks }) => isAlive({ pid, startedAt: startTicks ?? "" }));
  const left = [
    ...(database?.running === undefined ? [] : [`PostgreSQL, process ${database.running.pid}`]),
    ...(replicas.length === 0
      ? []
      : [`${replicas.length} replicas, processes ${replicas.map(({ pid }) => pid).join(", ")}`]),
  ];
  if (left.length === 0) return ok(at, "none");
  return note(
    at,
    left.join("; "),
    "`continuum start` takes them over; a role that was started alone may be using them",
  );
}

interface Port {
  setting: string;
  host: string;
  port: number;
}

function portsOf(config: Config): Port[] {
  const { api, serving, worker, monitor } = config;
  const workers =
    worker.opsPort === 0 ? [] : Array.from({ length: worker.count }, (_, index) => worker.opsPort + index);
  return [
    { setting: "api.port", host: api.host, port: api.port },
    { setting: "serving.port", host: serving.host, port: serving.port },
    ...workers.map((port) => ({ setting: "worker.opsPort", host: "127.0.0.1", port })),
    ...(monitor.enabled ? [{ setting: "monitor.opsPort", host: monitor.opsHost, port: monitorOpsPort(config) }] : []),
  ].filter(({ port }) => port !== 0);
}

async function lookAtPort({ setting, host, port }: Port, supervisor: number | undefined): Promise<DoctorFinding> {
  const at = { check: `ports.${port}`, looked: `${setting}: ${host}:${port}` };
  const code = await listenCode(host, port);
  if (code === undefined) return ok(at, "free");
  if (code === "EADDRNOTAVAIL")
    return broken(at, "no address of this machine", `set ${setting.replace("port", "host")} to one`);
  if (code === "EACCES") return broken(at, "not for this user", `set ${setting} to a port above 1023`);
  if (code !== "EADDRINUSE") return broken(at, `cannot be listened on: ${code}`, `set ${setting} to another`);
  const pid = await listenerOf(port);
  if (pid !== undefined && supervisor !== undefined && (await descendsFrom(pid, supervisor)))
    return ok(at, `held by this set-up, process ${pid}`);
  if (pid !== undefined && (await isRole(pid))) return ok(at, `held by a role that was started alone, process ${pid}`);
  const who = pid === undefined ? "another program" : `${await nameOf(pid)}, process ${pid}`;
  return broken(at, `taken by ${who}`, `stop it, or set ${setting} to a free port (0 picks one)`);
}

function listenCode(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error) => resolve(reasonOf(error)));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** Only what it is called is looked at: a command line may hold what is nobody's business, and none of it is shown. */
async function isRole(pid: number): Promise<boolean> {
  const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return /\0[^\0]*(main\.[jt]s|continuum(\.js)?)\0start(\0|$)/.test(line);
}
