import type { DoctorOptions } from "../config/doctor-options.ts";
import { monitorOpsPort } from "../config/monitor-ops-port.ts";
import type { Config } from "../config/schema.ts";
import type { DoctorFinding } from "../core/doctor/finding.ts";
import { broken, type Looked, note, ok, reasonOf } from "./finding.ts";

const PATIENCE_MS = 3000;
const SKEW_MS_MAX = 5000;

/** What answers now: the API that the commands of this user speak to, and the processes of this host. */
export async function lookAtServers({ config, server }: DoctorOptions): Promise<DoctorFinding[]> {
  const api = server === undefined ? [] : await lookAtApi(server);
  const workers = await Promise.all(workerPorts(config).map((port) => lookAtWorker(config.worker.opsHost, port)));
  return [...api, ...workers.flat(), ...(await lookAtServing(config)), ...(await lookAtMonitor(config))];
}

function workerPorts({ worker }: Config): number[] {
  return worker.opsPort === 0 ? [] : Array.from({ length: worker.count }, (_, index) => worker.opsPort + index);
}

/** A worker compares this host's clock with the database's, and says when they differ. */
async function lookAtWorker(opsHost: string, port: number): Promise<DoctorFinding[]> {
  return lookAtOps(reachable(opsHost), { port, check: `workers.${port}`, name: "worker" });
}

/** It starts last and is none that others wait for, so that nothing else tells of one that is not ready. */
async function lookAtMonitor({ monitor, worker }: Config): Promise<DoctorFinding[]> {
  const port = monitorOpsPort({ monitor, worker });
  if (!monitor.enabled || port === 0) return [];
  return lookAtOps(reachable(monitor.opsHost), { port, check: "monitor.answers", name: "monitor" });
}

/** Nothing where nothing listens: a role that does not run here may run elsewhere. */
async function lookAtOps(
  host: string,
  { port, check, name }: { port: number; check: string; name: string },
): Promise<DoctorFinding[]> {
  const at = { check, looked: `the ${name} at ${host}:${port}` };
  const ready = await ask(`http://${host}:${port}/readyz`);
  if (typeof ready === "string") return /ECONNREFUSED/.test(ready) ? [] : [note(at, ready)];
  return [readinessFinding(at, ready)];
}

function readinessFinding(at: Looked, { status, body }: Answer): DoctorFinding {
  if (status !== 200) return broken(at, `not ready: ${problemsOf(body)}`, "mend what it names; its log says more");
  const problems = listOf(body);
  return problems.length === 0
    ? ok(at, "ready")
    : note(at, `ready, and says: ${problems.join(" ").slice(0, 300)}`, "mend what it names");
}

/** Where a server that listens on every address is reached from this host. */
function reachable(host: string): string {
  return host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "[::1]" : host;
}

async function lookAtApi({ url, token }: NonNullable<DoctorOptions["server"]>): Promise<DoctorFinding[]> {
  const at = { check: "api.answers", looked: `the API at ${url}` };
  const ready = await ask(`${url}/readyz`);
  if (typeof ready === "string")
    return [note(at, ready, "nothing is wrong when it does not run; `continuum start` starts it")];
  const finding = readinessFinding(at, ready);
  if (finding.state === "broken") return [finding];
  return [finding, clockFinding("api.clock", "its clock beside this machine's", ready), await tokenFinding(url, token)];
}

async function tokenFinding(url: string, token: string | undefined): Promise<DoctorFinding> {
  const at = { check: "api.token", looked: "the token of this user" };
  if (token === undefined)
    return note(at, "none", "set CONTINUUM_TOKEN or give --token-file; `continuum token create` makes one");
  const { status } = orNothing(await ask(`${url}/v1/rollouts?limit=1`, token));
  if (status === 401) return broken(at, "not taken: unknown, expired or revoked", "ask an administrator for a new one");
  if (status === 403) return ok(at, "taken, for less than reading");
  return status === 200 ? ok(at, "taken") : note(at, `the API answered ${status}`);
}

async function lookAtServing({ serving }: Config): Promise<DoctorFinding[]> {
  if (serving.port === 0) return [];
  const host = reachable(serving.host);
  const at = { check: "serving.answers", looked: `the serving process at ${host}:${serving.port}` };
  const ready = await ask(`http://${host}:${serving.port}/readyz`);
  if (typeof ready === "string")
    return [
      note(at, ready, "nothing is wrong when no models are served here; `continuum start --role serve` starts it"),
    ];
  const clock = clockFinding("serving.clock", "its clock beside this machine's", ready);
  return [ready.status === 200 ? ok(at, "ready") : note(at, `not ready: ${problemsOf(ready.body)}`), clock];
}

interface Answer {
  status: number;
  body: unknown;
  /** Its clock less ours, by the Date header, which counts whole seconds. */
  skewMs: number | undefined;
}

async function ask(url: string, token?: string): Promise<Answer | string> {
  try {
    const beforeMs = Date.now();
    const response = await fetch(url, {
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    });
    const theirsMs = Date.parse(response.headers.get("date") ?? "");
    const body: unknown = await response.json().catch(() => undefined);
    const skewMs = Number.isNaN(theirsMs) ? undefined : theirsMs + 500 - (beforeMs + Date.now()) / 2;
    return { status: response.status, body, skewMs };
  } catch (error) {
    if (error instanceof DOMException && error.name === "TimeoutError")
      return `no answer within ${PATIENCE_MS / 1000} s`;
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    return `cannot be reached (${reasonOf(cause)})`;
  }
}

function orNothing(answer: Answer | string): Pick<Answer, "status"> {
  return typeof answer === "string" ? { status: 0 } : answer;
}

function clockFinding(check: string, looked: string, { skewMs }: Answer): DoctorFinding {
  const at = { check, looked };
  if (skewMs === undefined) return note(at, "it does not say the time");
  const seconds = Math.round(skewMs / 1000);
  if (Math.abs(skewMs) <= SKEW_MS_MAX) return ok(at, "the same, by the second");
  return broken(
    at,
    `${Math.abs(seconds)} s ${seconds > 0 ? "ahead" : "behind"}`,
    "set both by NTP: tokens and deadlines end by a clock",
  );
}

function listOf(body: unknown): string[] {
  const { problems } = (body ?? {}) as { problems?: unknown };
  return Array.isArray(problems) ? problems.map(String) : [];
}

function problemsOf(body: unknown): string {
  const { problems, detail } = (body ?? {}) as { problems?: unknown; detail?: unknown };
  const said = Array.isArray(problems) ? problems.join(" ") : String(detail ?? "it does not say why");
  return said.slice(0, 300);
}
