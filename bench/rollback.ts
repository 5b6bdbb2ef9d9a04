import type { Observation } from "../src/drivers/target/target.ts";
import { TOKEN } from "../src/serving/testing/serving-fixture.ts";
import { startHaproxy } from "./balancers.ts";
import { startChild } from "./child.ts";
import type { LoadOrder, LoadResult } from "./http-load.ts";
import { type Measurement, median, must } from "./measure.ts";

const CONNECTIONS = 16;
const PERCENT = 50;
/** Features of 4 and more break the candidate's model, and no other. */
const BODY = JSON.stringify({ instances: [[9, 9, 9]] });
const HEADERS = { "content-type": "application/json" };

/**
 * From the alarm to the last answer that a caller got from the canary. Ours raises the alarm itself, from the answers;
 * haproxy is told by an operator's script over its own socket at a moment that we take for the alarm.
 */
export const measureRollback: Measurement = async ({ quick, say }) => {
  const client = await startChild("./http-load.ts");
  try {
    const drive = (order: Omit<LoadOrder, "body" | "connections" | "milliseconds">) =>
      client.call<LoadResult>("load", { ...order, body: BODY, connections: CONNECTIONS, milliseconds: 1500 });
    const ours: number[] = [];
    const spent: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < (quick ? 1 : 6); round += 1) {
      const { tookMs, requests } = await ourRollback(drive);
      ours.push(tookMs);
      spent.push(requests);
      const other = await haproxyRollback(drive);
      if (other !== undefined) theirs.push(other);
    }
    say(`alarm to last canary answer: ours ${ours.join(", ")} ms; haproxy ${theirs.join(", ")} ms`);
    const installed = theirs.length > 0;
    const none = { peer: "none: the peers raise no alarm", peerValue: null };
    return [
      {
        ...{ name: "rollback: alarm to last canary answer, worst", value: Math.max(...ours), unit: "ms" },
        peer: installed ? "haproxy, weight set over its socket" : "haproxy: not installed",
        ...{ peerValue: installed ? Math.max(...theirs) : null, aim: { below: 250 } },
      },
      {
        ...none,
        ...{ name: "rollback: canary requests until the alarm, every one failing", value: median(spent) },
        ...{ unit: "requests", aim: { below: 120 } },
      },
    ];
  } finally {
    await client.end();
  }
};

type Drive = (order: Omit<LoadOrder, "body" | "connections" | "milliseconds">) => Promise<LoadResult>;

async function ourRollback(drive: Drive): Promise<{ tookMs: number; requests: number }> {
  const serving = await startChild("./serving-process.ts", ["on"]);
  try {
    await serving.call("split", { percent: PERCENT, broken: true });
    const { variants } = await drive({
      port: Number(new URL(await serving.call<string>("url")).port),
      path: "/endpoints/development-churn/invocations",
      headers: { ...HEADERS, authorization: `Bearer ${TOKEN}` },
      variantHeader: "x-continuum-variant",
    });
    const { tripped } = await serving.call<Observation>("observe");
    const canary = variants["canary"];
    must(tripped !== null && canary !== undefined, "the candidate failed and traffic was sent back");
    must((variants["stable"]?.lastAtMs ?? 0) > canary.lastAtMs + 500, "stable answered on after the rollback");
    return { tookMs: Math.max(0, canary.lastAtMs - tripped.atMs), requests: tripped.candidateRequests };
  } finally {
    await serving.end();
  }
}

async function haproxyRollback(drive: Drive): Promise<number | undefined> {
  const replicas = [
    await startChild("./inference-replica.ts", ["stable"]),
    await startChild("./inference-replica.ts", ["canary"]),
  ];
  const [stablePort = 0, candidatePort = 0] = await Promise.all(replicas.map((one) => one.call<number>("port")));
  const haproxy = await startHaproxy({ stablePort, candidatePort, candidatePercent: PERCENT });
  try {
    if (haproxy === undefined) return undefined;
    const driven = drive({ port: haproxy.port, path: "/", headers: HEADERS, variantHeader: "x-variant" });
    await new Promise((resolve) => setTimeout(resolve, 500));
    const alarmMs = Date.now();
    await haproxy.allToStable();
    const { variants } = await driven;
    const canary = variants["canary"];
    must(canary !== undefined, "the canary answered before the rollback");
    must((variants["stable"]?.lastAtMs ?? 0) > canary.lastAtMs + 200, "stable answered on after the rollback");
    return Math.max(0, canary.lastAtMs - alarmMs);
  } finally {
    await haproxy?.stop();
    await Promise.all(replicas.map((one) => one.end()));
  }
}
