import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { VariantState } from "../../../src/serving/state-file.ts";
import { isAlive, markOf, type ProcessMark } from "../../../src/store/embedded/living-process.ts";

const LOOK_MS = 100;

/**
 * Every process that an installation ever had, as its log and the data plane's state file tell it: roles that were
 * started again, the database, replicas. So that a test can kill one by its role, and see at the end that none is left.
 */
export class ProcessBook {
  readonly #dataDir: string;
  readonly #logFile: string;
  readonly #seen = new Map<number, ProcessMark>();
  readonly #watch: NodeJS.Timeout;

  constructor(of: { dataDir: string; logFile: string; supervisor: number }) {
    this.#dataDir = of.dataDir;
    this.#logFile = of.logFile;
    this.remember([of.supervisor]);
    this.#watch = setInterval(() => this.remember(this.replicas()), LOOK_MS);
    this.#watch.unref();
  }

  remember(pids: number[]): void {
    for (const pid of pids) if (!this.#seen.has(pid)) this.#seen.set(pid, markOf(pid));
  }

  /** Of a role as it runs now: `api`, `serve`, `worker-1`, `postgresql`. */
  pidOf(name: string): number {
    const pid = this.#ofRoles().findLast((entry) => entry.name === name)?.pid;
    if (pid === undefined) throw new Error(`no process of ${name} was ever ready`);
    return pid;
  }

  /** The replicas that the data plane has in its state file, of one model version or of all. */
  replicas(modelVersion?: string): number[] {
    return this.#variants()
      .filter(({ spec }) => modelVersion === undefined || spec.modelVersion === modelVersion)
      .flatMap(({ replicas }) => replicas.map(({ pid }) => pid));
  }

  /** Every replica of the data plane's state file, with the version it serves. */
  runningReplicas(): { pid: number; version: string }[] {
    return this.#variants().flatMap(({ spec, replicas }) =>
      replicas.map(({ pid }) => ({ pid, version: `${spec.modelName} ${spec.modelVersion}` })),
    );
  }

  /** Replicas of this installation that live and that its data plane does not know; none where the system has no /proc. */
  unknownReplicas(): number[] {
    if (!existsSync("/proc/self/cmdline")) return [];
    const known = new Set(this.replicas());
    const pids = readdirSync("/proc")
      .map(Number)
      .filter((pid) => pid > 0 && !known.has(pid));
    return pids.filter((pid) => isAlive(markOf(pid)) && this.#isReplica(pid));
  }

  /** Signals a process unless it has ended: its number may be another's by now. Answers whether it was there. */
  signal(pid: number, signal: NodeJS.Signals): boolean {
    this.remember([pid]);
    const mark = this.#seen.get(pid);
    if (mark === undefined || !isAlive(mark)) return false;
    process.kill(pid, signal);
    return true;
  }

  /** Kills a role with `kill -9` and answers when another one is ready in its place. */
  async replace(name: string, timeoutMs = 20_000): Promise<number> {
    const before = this.pidOf(name);
    process.kill(before, "SIGKILL");
    const until = Date.now() + timeoutMs;
    while (Date.now() < until) {
      const pid = this.pidOf(name);
      if (pid !== before) return pid;
      await sleep(LOOK_MS / 2);
    }
    throw new Error(`nobody started ${name} again within ${timeoutMs} ms`);
  }

  /** Those that still live once every one had a moment to end. */
  async left(): Promise<number[]> {
    clearInterval(this.#watch);
    this.#readAll();
    for (const until = Date.now() + 2000; Date.now() < until && this.#alive().length > 0; ) await sleep(20);
    return this.#alive();
  }

  async endAll(): Promise<void> {
    clearInterval(this.#watch);
    this.#readAll();
    // The supervisor came first, and nothing is started again without it. A role whose supervisor is gone ends by itself.
    for (const pid of this.#alive()) killUnlessGone(pid);
    await this.left();
  }

  #readAll(): void {
    this.remember([...this.#ofRoles().map(({ pid }) => pid), ...this.replicas()]);
  }

  #isReplica(pid: number): boolean {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return (
        words.some((word) => word.includes(this.#dataDir)) && words.some((word) => /replica\/main\.[jt]s$/.test(word))
      );
    } catch {
      return false;
    }
  }

  #variants(): VariantState[] {
    const { endpoints } = this.#servingState();
    return endpoints.flatMap(({ stable, candidate }) => [stable, candidate]).filter((one) => one !== null);
  }

  #servingState(): { endpoints: { stable: VariantState | null; candidate: VariantState | null }[] } {
    const path = join(this.#dataDir, "serving", "serving.json");
    return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : { endpoints: [] };
  }

  #alive(): number[] {
    return [...this.#seen.values()].filter(isAlive).map(({ pid }) => pid);
  }

  #ofRoles(): { name: string; pid: number }[] {
    if (!existsSync(this.#logFile)) return [];
    const lines = readFileSync(this.#logFile, "utf8").split("\n");
    return lines.flatMap((line) => {
      if (!/"msg":"(role\.ready|database-started|database-attached)"/.test(line)) return [];
      const { msg, role, pid } = JSON.parse(line) as { msg: string; role: string; pid: number };
      return [{ name: msg === "role.ready" ? role : "postgresql", pid }];
    });
  }
}

function killUnlessGone(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
