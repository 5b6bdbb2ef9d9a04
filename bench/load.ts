import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { startChild } from "./child.ts";
import type { LoadOrder, LoadResult } from "./http-load.ts";
import { findProgram, must, scratchFolder, versionOf } from "./measure.ts";

/** Drives a server from another process: wrk where it is installed, else our own client. */
export interface Load {
  name: string;
  drive(
    order: Omit<LoadOrder, "variantHeader">,
  ): Promise<Pick<LoadResult, "answers" | "failures" | "p50Ms" | "p99Ms"> & { perSecond: number }>;
  stop(): Promise<void>;
}

export async function startLoad(): Promise<Load> {
  const wrk = findProgram("wrk");
  return wrk === undefined ? ownLoad() : wrkLoad(wrk);
}

async function ownLoad(): Promise<Load> {
  const child = await startChild("./http-load.ts");
  return {
    name: "own client",
    drive: async (order) => {
      const result = await child.call<LoadResult>("load", order);
      return { ...result, perSecond: (result.answers / result.tookMs) * 1000 };
    },
    stop: () => child.end(),
  };
}

const REPORT = `done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)))
end
`;

/** Made before the first is sent, so that the client has no more to do than with one body. */
function inTurn(bodies: readonly string[]): string[] {
  if (bodies.length === 0) return [];
  return [
    `local bodies = { ${bodies.map((body) => JSON.stringify(body)).join(", ")} }`,
    "local requests, turn = {}, 0",
    "init = function() for at, body in ipairs(bodies) do requests[at] = wrk.format(nil, nil, nil, body) end end",
    "request = function() turn = turn % #requests + 1; return requests[turn] end",
  ];
}

async function wrkLoad(program: string): Promise<Load> {
  const folder = await scratchFolder("wrk");
  const script = join(folder.path, "order.lua");
  return {
    name: `wrk ${versionOf(program, "-v")}`,
    drive: async ({ port, path, headers, body, bodies = [], connections, milliseconds }) => {
      const quoted = JSON.stringify;
      const set = Object.entries(headers).map(([name, value]) => `wrk.headers[${quoted(name)}] = ${quoted(value)}`);
      writeFileSync(
        script,
        [`wrk.method = "POST"`, `wrk.body = ${quoted(body)}`, ...set, ...inTurn(bodies), REPORT].join("\n"),
      );
      const seconds = Math.max(1, Math.round(milliseconds / 1000));
      const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "-s", script, `http://127.0.0.1:${port}${path}`];
      const { stdout } = await promisify(execFile)(program, args);
      const result = /RESULT (\d+) (\d+) (\d+) (\d+) (\d+)/.exec(stdout)?.slice(1).map(Number);
      must(result !== undefined, `wrk reports: ${stdout}`);
      const [answers = 0, microseconds = 1, failures = 0, p50 = 0, p99 = 0] = result;
      return { answers, failures, perSecond: (answers / microseconds) * 1e6, p50Ms: p50 / 1000, p99Ms: p99 / 1000 };
    },
    stop: async () => folder.remove(),
  };
}
