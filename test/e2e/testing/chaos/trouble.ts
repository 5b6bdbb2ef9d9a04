import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../../faults/random.ts";
import type { ProcessBook } from "../process-book.ts";
import type { Diary } from "./diary.ts";

export interface TroubleOptions {
  processes: ProcessBook;
  random: Random;
  diary: Diary;
  /** When PostgreSQL is killed, from the start; and again every so often. */
  databaseKillAtMs: number;
  databaseKillEveryMs: number;
  /** Between two troubles, on average. */
  pauseMs: number;
}

/** The supervisor gives a role up that falls again and again within this time; so often is never asked of it. */
const SETTLED_MS = 35_000;
const FALLS_MAX = 4;
/** A version whose replicas die three times in ten minutes is given up, and rightly so. */
const REPLICA_WINDOW_MS = 10 * 60_000;
const REPLICA_KILLS_MAX = 2;

type Blow = "kill" | "stop";
const BLOWS: { of: string; blow: Blow; share: number; stopMs?: [number, number] }[] = [
  { of: "worker-1", blow: "kill", share: 3 },
  { of: "worker-2", blow: "kill", share: 3 },
  { of: "worker-1", blow: "stop", share: 2, stopMs: [200, 7_000] },
  { of: "worker-2", blow: "stop", share: 2, stopMs: [200, 7_000] },
  { of: "api", blow: "kill", share: 2 },
  { of: "api", blow: "stop", share: 1, stopMs: [200, 3_000] },
  { of: "serve", blow: "kill", share: 2 },
  { of: "serve", blow: "stop", share: 1, stopMs: [100, 1_500] },
  { of: "replica", blow: "kill", share: 3 },
  { of: "replica", blow: "stop", share: 2, stopMs: [100, 2_000] },
];

/** Kills and freezes what an installation consists of, at random, until it is told to stop. */
export class Trouble {
  readonly #options: TroubleOptions;
  readonly #falls = new Map<string, number[]>();
  readonly #replicaKills = new Map<string, number[]>();
  readonly #thaws = new Set<Promise<void>>();
  readonly #ended: Promise<void>;
  #stopped = false;
  #paused = true;

  constructor(options: TroubleOptions) {
    this.#options = options;
    this.#ended = this.#run();
  }

  resume(): void {
    this.#paused = false;
  }

  /** Nothing is done until it is resumed; answers when everything that was frozen goes on. */
  async pause(): Promise<void> {
    this.#paused = true;
    await Promise.all(this.#thaws);
  }

  /** Nothing more is done, and everything that was frozen goes on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
    await Promise.all(this.#thaws);
  }

  async #run(): Promise<void> {
    const { random, pauseMs, databaseKillEveryMs } = this.#options;
    const order = BLOWS.flatMap((blow) => Array.from({ length: blow.share }, () => blow));
    let databaseAtMs = Date.now() + this.#options.databaseKillAtMs;
    while (!this.#stopped) {
      await sleep(random.integer(pauseMs / 3, (5 * pauseMs) / 3));
      if (this.#stopped || this.#paused) continue;
      if (Date.now() >= databaseAtMs) {
        databaseAtMs = Date.now() + databaseKillEveryMs;
        this.#strike("postgresql", this.#options.processes.pidOf("postgresql"), "SIGKILL");
        continue;
      }
      const { of, blow, stopMs = [0, 0] } = random.pick(order);
      const frozenMs = random.integer(...stopMs);
      if (of === "replica") this.#atReplica(blow, frozenMs);
      else this.#atRole(of, blow, frozenMs);
    }
  }

  #atRole(role: string, blow: Blow, frozenMs: number): void {
    const pid = this.#options.processes.pidOf(role);
    if (blow === "stop") {
      this.#freeze(role, pid, frozenMs);
      return;
    }
    const falls = this.#falls.get(role) ?? [];
    const last = falls.at(-1) ?? 0;
    const streak = Date.now() - last > SETTLED_MS ? [] : falls;
    if (streak.length >= FALLS_MAX) return;
    if (this.#strike(role, pid, "SIGKILL")) this.#falls.set(role, [...streak, Date.now()]);
  }

  #atReplica(blow: Blow, frozenMs: number): void {
    const { processes, random } = this.#options;
    const running = processes.runningReplicas();
    if (running.length === 0) return;
    const { pid, version } = random.pick(running);
    if (blow === "stop") {
      this.#freeze(`replica of ${version}`, pid, frozenMs);
      return;
    }
    const kills = (this.#replicaKills.get(version) ?? []).filter((atMs) => Date.now() - atMs < REPLICA_WINDOW_MS);
    if (kills.length >= REPLICA_KILLS_MAX) return;
    if (this.#strike(`replica of ${version}`, pid, "SIGKILL")) this.#replicaKills.set(version, [...kills, Date.now()]);
  }

  #strike(what: string, pid: number, signal: NodeJS.Signals): boolean {
    const { processes, diary } = this.#options;
    if (!processes.signal(pid, signal)) return false;
    diary.write(signal, `${what} (${pid})`);
    return true;
  }

  #freeze(what: string, pid: number, ms: number): void {
    if (!this.#strike(what, pid, "SIGSTOP")) return;
    const thaw = sleep(ms).then(() => {
      this.#strike(what, pid, "SIGCONT");
      this.#thaws.delete(thaw);
    });
    this.#thaws.add(thaw);
  }
}
