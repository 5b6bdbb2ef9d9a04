import { randomUUID } from "node:crypto";
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient } from "../../../src/surfaces/cli/client.ts";
import type { ScoredRow } from "./scored-model.ts";

/** One request as its sender saw it; status 0 when no answer came. */
export interface RowsAnswered {
  inferenceId: string;
  rows: readonly ScoredRow[];
  status: number;
  version: string;
}

export interface RowTrafficOptions {
  url: string;
  token: string;
  requestsPerSecond: number;
  rowsPerRequest: number;
  draw: () => ScoredRow;
}

const TICK_MS = 40;
const TRUTHS_AT_ONCE = 500;

/**
 * A client that asks about rows, names each inference, and remembers what it asked and was answered, so that what a
 * monitor counts can be held against what was sent, and what is true be told later. It does not wait for answers before
 * it asks again, and retries nothing.
 */
export class RowTraffic {
  readonly answers: RowsAnswered[] = [];
  requestsPerSecond: number;
  draw: () => ScoredRow;
  readonly #options: RowTrafficOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 });
  readonly #open = new Set<Promise<void>>();
  readonly #loop: Promise<void>;
  #stopped = false;
  #told = 0;

  constructor(options: RowTrafficOptions) {
    this.#options = options;
    this.requestsPerSecond = options.requestsPerSecond;
    this.draw = options.draw;
    this.#loop = this.#run();
  }

  /** So many requests at once. */
  burst(requests: number): void {
    for (let sent = 0; sent < requests; sent += 1) this.#send();
  }

  /** Resolves when nothing is sent any more and everything is answered. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#loop;
    await this.quiet();
    this.#agent.destroy();
  }

  /** Resolves when what was sent so far is answered. */
  async quiet(): Promise<void> {
    await Promise.all(this.#open);
  }

  get failed(): number {
    return this.answers.filter(({ status }) => status !== 200).length;
  }

  /** Rows that were answered with 200: of one version or of all. */
  rowsOf(version?: string): number {
    return this.answers
      .filter((one) => one.status === 200 && (version === undefined || one.version === version))
      .reduce((sum, { rows }) => sum + rows.length, 0);
  }

  /** Says what is true of everything that was answered and not told yet. */
  async tellTruth(
    client: ApiClient,
    at: { environment: "development"; target: "local"; name: string },
    truthOf: (row: ScoredRow) => number,
  ): Promise<void> {
    while (this.#told < this.answers.length) {
      const telling = this.answers.slice(this.#told, this.#told + TRUTHS_AT_ONCE);
      this.#told += telling.length;
      const records = telling
        .filter(({ status }) => status === 200)
        .map(({ inferenceId, rows }) => ({ inferenceId, labels: rows.map(truthOf) }));
      if (records.length > 0) await client.call("truths.add", { params: at, body: { records } });
    }
  }

  async #run(): Promise<void> {
    let owed = 0;
    let atMs = performance.now();
    while (!this.#stopped) {
      await sleep(TICK_MS);
      const nowMs = performance.now();
      // A pause of this process is not made up for.
      owed = Math.min(owed + ((nowMs - atMs) / 1000) * this.requestsPerSecond, this.requestsPerSecond / 4 + 1);
      atMs = nowMs;
      for (; owed >= 1; owed -= 1) this.#send();
    }
  }

  #send(): void {
    const rows = Array.from({ length: this.#options.rowsPerRequest }, () => this.draw());
    const inferenceId = randomUUID();
    const sending = this.#ask(inferenceId, rows)
      .catch(() => ({ status: 0, version: "" }))
      .then(({ status, version }) => {
        this.answers.push({ inferenceId, rows, status, version });
      })
      .finally(() => this.#open.delete(sending));
    this.#open.add(sending);
  }

  #ask(inferenceId: string, rows: readonly ScoredRow[]): Promise<{ status: number; version: string }> {
    const { url, token } = this.#options;
    const body = `${rows.map((row) => row.join(",")).join("\n")}\n`;
    const headers = {
      authorization: `Bearer ${token}`,
      "content-type": "text/csv",
      accept: "application/json",
      "x-amzn-sagemaker-inference-id": inferenceId,
      "content-length": Buffer.byteLength(body),
    };
    return new Promise((resolve, reject) => {
      const sent = request(url, { method: "POST", headers, agent: this.#agent, timeout: 20_000 }, (response) => {
        response.on("error", reject);
        response.on("end", () => {
          const version = String(response.headers["x-continuum-model-version"] ?? "");
          resolve({ status: response.statusCode ?? 0, version });
        });
        response.resume();
      });
      sent.on("timeout", () => sent.destroy(new Error("no answer within 20 s")));
      sent.on("error", reject);
      sent.end(body);
    });
  }
}
