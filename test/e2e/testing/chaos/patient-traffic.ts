import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { ask } from "../../../../src/quickstart/traffic.ts";

export interface PatientTrafficOptions {
  url: string;
  token: string;
  /** Request bodies, used in turn. */
  bodies: readonly string[];
  connections: number;
  /** Requests per second over all connections. */
  ratePerSecond: number;
}

/** An answer that a client of a serving version must not see. */
export interface BadAnswer {
  atMs: number;
  url: string;
  status: number;
  version: string;
  body: string;
}

const RETRY_MS = 100;
/** What a client behind a balancer allows for a host that comes back. */
const PATIENCE_MS = 10_000;
const KEPT_MAX = 50;

/**
 * A client that goes on asking. It tries again when nobody listens or the connection breaks, as any HTTP client behind
 * a balancer does, for a few seconds; an answer is an answer, whatever its status. What a version named `broken` answers
 * is the canary's own share.
 */
export class PatientTraffic {
  requests = 0;
  /** Requests that had to be sent again, and the longest that one of them waited. */
  retried = 0;
  waitedMsMax = 0;
  brokenShare = 0;
  bad = 0;
  readonly badAnswers: BadAnswer[] = [];
  readonly #options: PatientTrafficOptions;
  readonly #agent: Agent;
  readonly #loops: Promise<void>[];
  #stopped = false;
  #next = 0;

  constructor(options: PatientTrafficOptions) {
    this.#options = options;
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.connections });
    this.#loops = Array.from({ length: options.connections }, () => this.#loop());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
    this.#agent.destroy();
  }

  async #loop(): Promise<void> {
    const pauseMs = (1000 * this.#options.connections) / this.#options.ratePerSecond;
    while (!this.#stopped) {
      const startedAtMs = Date.now();
      this.#count(await this.#patiently(startedAtMs));
      const restMs = pauseMs - (Date.now() - startedAtMs);
      if (restMs > 0) await sleep(restMs);
    }
  }

  async #patiently(startedAtMs: number): Promise<Omit<BadAnswer, "atMs" | "url">> {
    const { url, token, bodies } = this.#options;
    const body = bodies[this.#next++ % bodies.length] ?? "";
    for (let tries = 1; ; tries += 1) {
      try {
        const answer = await ask({ url, token, body, agent: this.#agent });
        if (tries > 1) {
          this.retried += 1;
          this.waitedMsMax = Math.max(this.waitedMsMax, Date.now() - startedAtMs);
        }
        return answer;
      } catch (error) {
        if (Date.now() - startedAtMs > PATIENCE_MS) return { status: 0, version: "", body: String(error) };
        await sleep(RETRY_MS);
      }
    }
  }

  #count({ status, version, body }: Omit<BadAnswer, "atMs" | "url">): void {
    this.requests += 1;
    if (status === 200) return;
    if (version.startsWith("broken")) {
      this.brokenShare += 1;
      return;
    }
    this.bad += 1;
    if (this.badAnswers.length < KEPT_MAX)
      this.badAnswers.push({ atMs: Date.now(), url: this.#options.url, status, version, body: body.slice(0, 300) });
  }
}
