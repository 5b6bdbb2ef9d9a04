import { Agent, request } from "node:http";

/** One answered request, as the client saw it. */
export interface Answer {
  atMs: number;
  status: number;
  /** The model version that answered, from the response's own header; empty when none did. */
  version: string;
}

export interface TrafficSummary {
  requests: number;
  failed: number;
  byVersion: ReadonlyMap<string, number>;
}

export type TrafficOptions = TrafficLoad &
  /** Request bodies, used in turn. */
  (
    | { bodies: readonly string[] }
    /** The body of the next request. */
    | { nextBody(): string }
  );

interface TrafficLoad {
  url: string;
  token: string;
  connections: number;
  /** Requests per second over all connections. */
  ratePerSecond: number;
}

/** A client that goes on asking until it is stopped; it counts what it is answered and retries nothing. */
export class Traffic {
  readonly answers: Answer[] = [];
  readonly #options: TrafficOptions;
  readonly #agent: Agent;
  readonly #nextBody: () => string;
  readonly #loops: Promise<void>[];
  #stopped = false;

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.connections });
    this.#nextBody = "bodies" in options ? inTurn(options.bodies) : () => options.nextBody();
    this.#loops = Array.from({ length: options.connections }, () => this.#loop());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
    this.#agent.destroy();
  }

  /** What was answered from `sinceMs` on. */
  summary(sinceMs = 0): TrafficSummary {
    const answers = this.answers.filter((answer) => answer.atMs >= sinceMs);
    const byVersion = new Map<string, number>();
    for (const { version } of answers) byVersion.set(version, (byVersion.get(version) ?? 0) + 1);
    return { requests: answers.length, failed: answers.filter(({ status }) => status !== 200).length, byVersion };
  }

  async #loop(): Promise<void> {
    const pauseMs = (1000 * this.#options.connections) / this.#options.ratePerSecond;
    while (!this.#stopped) {
      const startedAtMs = Date.now();
      this.answers.push(await this.#ask());
      const restMs = pauseMs - (Date.now() - startedAtMs);
      if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
    }
  }

  #ask(): Promise<Answer> {
    const { url, token } = this.#options;
    return ask({ url, token, body: this.#nextBody(), agent: this.#agent }).then(
      ({ status, version }) => ({ atMs: Date.now(), status, version }),
      () => ({ atMs: Date.now(), status: 0, version: "" }),
    );
  }
}

function inTurn(bodies: readonly string[]): () => string {
  let next = 0;
  return () => bodies[next++ % bodies.length] ?? "";
}

/** One invocation with a CSV body. Rejects when no answer comes. */
export function ask(options: { url: string; token: string; body: string; agent?: Agent }): Promise<{
  status: number;
  version: string;
  body: string;
}> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${options.token}`,
      "content-type": "text/csv",
      accept: "application/json",
      "content-length": Buffer.byteLength(options.body),
    };
    const sent = request(
      options.url,
      { method: "POST", headers, agent: options.agent, timeout: 10_000 },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            version: String(response.headers["x-continuum-model-version"] ?? ""),
            body: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      },
    );
    sent.on("timeout", () => sent.destroy(new Error("no answer within 10 s")));
    sent.on("error", reject);
    sent.end(options.body);
  });
}
