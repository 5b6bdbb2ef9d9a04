import type { Observation } from "../src/drivers/target/target.ts";
import { TOKEN } from "../src/serving/testing/serving-fixture.ts";
import { type Balancer, startHaproxy, startNginx } from "./balancers.ts";
import { type Child, startChild } from "./child.ts";
import { type Load, startLoad } from "./load.ts";
import { type BenchOptions, type Figure, type Measurement, median, must } from "./measure.ts";

const CONNECTIONS = [1, 16, 64] as const;
const CANDIDATE_PERCENT = 10;
const BODY = JSON.stringify({ instances: [[1, 2, 3]] });

/** Something that answers inferences, and how it is asked. */
interface Contestant {
  name: string;
  port: number;
  path: string;
  headers: Record<string, string>;
}

interface Seen {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

/**
 * Our router, which also checks the token, judges every answer and captures it, beside balancers that only split. Every
 * contestant has two replicas of the same model in the same runtime, and they are driven in turns.
 */
export const measureRouter: Measurement = async (options) => {
  const children: Child[] = [];
  const balancers: Balancer[] = [];
  const load = await startLoad();
  try {
    const start = async (file: string, arg: string) => {
      const child = await startChild(file, [arg]);
      children.push(child);
      return child;
    };
    const [captured, bare] = [await start("./serving-process.ts", "on"), await start("./serving-process.ts", "off")];
    for (const ours of [captured, bare]) await ours.call("split", { percent: CANDIDATE_PERCENT, broken: false });
    const replicas = [
      await start("./inference-replica.ts", "stable"),
      await start("./inference-replica.ts", "candidate"),
    ];
    const [stablePort = 0, candidatePort = 0] = await Promise.all(replicas.map((one) => one.call<number>("port")));
    const split = { stablePort, candidatePort, candidatePercent: CANDIDATE_PERCENT };
    for (const started of [await startHaproxy(split), await startNginx(split)]) if (started) balancers.push(started);
    const contestants = [
      await ourContestant("router", captured),
      await ourContestant("router without capture", bare),
      plainContestant({ name: "one replica asked directly", port: stablePort }),
      ...balancers.map(plainContestant),
    ];
    options.say(`driven by ${load.name}; ${balancers.map(({ name }) => name).join(", ") || "no balancer installed"}`);
    const seen = await driveAll(contestants, load, options);
    await mustHaveSplit(captured, replicas, balancers);
    return figures(seen, balancers);
  } finally {
    await load.stop();
    for (const balancer of balancers) await balancer.stop();
    await Promise.all(children.map((child) => child.end()));
  }
};

async function ourContestant(name: string, serving: Child): Promise<Contestant> {
  const { port } = new URL(await serving.call<string>("url"));
  const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
  return { name, port: Number(port), path: "/endpoints/development-churn/invocations", headers };
}

function plainContestant({ name, port }: Pick<Contestant, "name" | "port">): Contestant {
  return { name, port, path: "/invocations", headers: { "content-type": "application/json" } };
}

type SeenBy = Map<string, Map<number, Seen>>;

/** Medians over rounds in which everyone has a turn, so that a busy moment strikes all. */
async function driveAll(contestants: Contestant[], load: Load, { quick, say }: BenchOptions): Promise<SeenBy> {
  const seen: SeenBy = new Map();
  for (const connections of CONNECTIONS) {
    const rounds = new Map<string, Seen[]>(contestants.map(({ name }) => [name, []]));
    for (let round = quick ? 0 : -1; round < (quick ? 1 : 3); round += 1) {
      for (const { name, ...where } of contestants) {
        const milliseconds = quick || round < 0 ? 1000 : 3000;
        const result = await load.drive({ ...where, body: BODY, connections, milliseconds });
        must(result.answers > 0 && result.failures === 0, `${name} answers everything (${result.failures} failures)`);
        if (round >= 0) rounds.get(name)?.push(result);
      }
    }
    for (const [name, results] of rounds) {
      const of = (key: keyof Seen) => median(results.map((result) => result[key]));
      const summary = { perSecond: of("perSecond"), p50Ms: of("p50Ms"), p99Ms: of("p99Ms") };
      seen.set(name, (seen.get(name) ?? new Map()).set(connections, summary));
      say(
        `c${connections} ${name}: ${summary.perSecond.toFixed(0)}/s, p50 ${summary.p50Ms} ms, p99 ${summary.p99Ms} ms`,
      );
    }
  }
  return seen;
}

/** A split that sent nothing to the candidate would be no split. */
async function mustHaveSplit(ours: Child, replicas: Child[], balancers: Balancer[]): Promise<void> {
  const { stable, candidate } = await ours.call<Observation>("observe");
  mustBeShare(candidate?.requests ?? 0, stable?.requests ?? 0, "our router");
  if (balancers.length === 0) return;
  const counts = await Promise.all(replicas.map((one) => one.call<{ answered: number }>("counts")));
  must((counts[1]?.answered ?? 0) > 100, "the balancers send to the candidate");
}

function mustBeShare(candidate: number, stable: number, who: string): void {
  const percent = (candidate / (candidate + stable)) * 100;
  must(Math.abs(percent - CANDIDATE_PERCENT) < 2, `${who} splits as asked (${percent.toFixed(1)} % to the candidate)`);
}

function figures(seen: SeenBy, balancers: Balancer[]): Figure[] {
  const haproxy = balancers.find(({ name }) => name.startsWith("haproxy"));
  const nginx = balancers.find(({ name }) => name.startsWith("nginx"));
  const of = (who: string | undefined, connections: number) => seen.get(who ?? "")?.get(connections);
  const beside = (balancer: Balancer | undefined, name: string) => balancer?.name ?? `${name}: not installed`;
  const throughput = CONNECTIONS.flatMap((connections) =>
    ["router", "router without capture"].map((who): Figure => {
      const peer = of(haproxy?.name, connections)?.perSecond ?? null;
      return {
        ...{
          name: `${who}, inferences per second, ${connections} connection${connections === 1 ? "" : "s"}`,
          unit: "/s",
        },
        ...{ value: of(who, connections)?.perSecond ?? Number.NaN, peer: beside(haproxy, "haproxy") },
        ...{ peerValue: peer, aim: { ratioAbove: 1 } },
      };
    }),
  );
  const direct = of("one replica asked directly", 1);
  const added = (["p50Ms", "p99Ms"] as const).flatMap((key) =>
    ["router", "router without capture"].map((who): Figure => {
      const above = (name: string | undefined) => {
        const latency = of(name, 1)?.[key];
        return latency === undefined || direct === undefined ? null : latency - direct[key];
      };
      return {
        ...{ name: `${who}, added ${key === "p50Ms" ? "p50" : "p99"}, 1 connection`, unit: "ms" },
        ...{ value: above(who) ?? Number.NaN, peer: beside(nginx, "nginx"), peerValue: above(nginx?.name) },
        aim: key === "p50Ms" ? { ratioBelow: 1 } : null,
      };
    }),
  );
  return [...throughput, ...added];
}
