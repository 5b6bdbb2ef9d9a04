import type { Observation } from "../src/drivers/target/target.ts";
import {
  CANDIDATE_PERCENT,
  type Contestant,
  type Contestants,
  INSTANCES,
  mustPredict,
  startContestants,
} from "./contestants.ts";
import { type Load, startLoad } from "./load.ts";
import { type BenchOptions, cpuSeconds, type Figure, type Measurement, median, must } from "./measure.ts";

const CONNECTIONS = [1, 16, 64] as const;
const ROUNDS = 5;
const ROUND_MS = 2000;
const BODY = JSON.stringify({ instances: INSTANCES });

interface Seen {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Processor time a request, which says what a busy machine hides. */
  routerMicros: number;
  replicaMicros: number;
}

/**
 * Our router, which also checks the token, judges every answer and captures it, beside balancers that only split, and
 * beside a Python server. They are driven in turns.
 */
export const measureRouter: Measurement = async (options) => {
  const load = await startLoad();
  try {
    const contestants = await startContestants();
    try {
      const { haproxy, nginx, python } = contestants;
      const missing = Object.entries({ haproxy, nginx, python }).filter(([, one]) => one === undefined);
      for (const [name] of missing) options.say(`${name} is skipped: not installed`);
      options.say(`driven by ${load.name}: ${contestants.all.map(({ name }) => name).join("; ")}`);
      for (const contestant of contestants.all) await mustPredict(contestant);
      const seen = await driveAll(contestants.all, load, options);
      await mustHaveSplit(contestants);
      return figures(seen, contestants);
    } finally {
      await contestants.stop();
    }
  } finally {
    await load.stop();
  }
};

type SeenBy = Map<string, Map<number, Seen>>;

/** Medians over rounds in which everyone has a turn, forth and back, so that a busy moment strikes all. */
async function driveAll(contestants: Contestant[], load: Load, { quick, say }: BenchOptions): Promise<SeenBy> {
  const seen: SeenBy = new Map();
  for (const connections of CONNECTIONS) {
    const rounds = new Map<string, Seen[]>(contestants.map(({ name }) => [name, []]));
    for (let round = quick ? 0 : -1; round < (quick ? 1 : ROUNDS); round += 1) {
      const turns = round % 2 === 0 ? contestants : contestants.toReversed();
      for (const contestant of turns) {
        const milliseconds = quick || round < 0 ? 1000 : ROUND_MS;
        const result = await driveOne(contestant, load, { connections, milliseconds });
        if (round >= 0) rounds.get(contestant.name)?.push(result);
      }
    }
    for (const [name, results] of rounds) {
      const summary = medians(results);
      seen.set(name, (seen.get(name) ?? new Map()).set(connections, summary));
      const { perSecond, p50Ms, p99Ms, routerMicros, replicaMicros } = summary;
      const micros = `${routerMicros.toFixed(1)} + ${replicaMicros.toFixed(1)} µs of processor a request`;
      say(`c${connections} ${name}: ${perSecond.toFixed(0)}/s, p50 ${p50Ms} ms, p99 ${p99Ms} ms, ${micros}`);
    }
  }
  return seen;
}

async function driveOne(
  { name, router, replicas, ...where }: Contestant,
  load: Load,
  turn: { connections: number; milliseconds: number },
): Promise<Seen> {
  const used = (pids: number[]) => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const before = { router: used(router), replicas: used(replicas) };
  const { answers, failures, perSecond, p50Ms, p99Ms } = await load.drive({ ...where, ...turn, body: BODY });
  must(answers > 0 && failures === 0, `${name} answers everything (${failures} failures)`);
  const micros = (seconds: number) => (seconds * 1e6) / answers;
  return {
    ...{ perSecond, p50Ms, p99Ms, routerMicros: micros(used(router) - before.router) },
    replicaMicros: micros(used(replicas) - before.replicas),
  };
}

function medians(results: readonly Seen[]): Seen {
  const of = (key: keyof Seen) => median(results.map((result) => result[key]));
  return {
    ...{ perSecond: of("perSecond"), p50Ms: of("p50Ms"), p99Ms: of("p99Ms") },
    ...{ routerMicros: of("routerMicros"), replicaMicros: of("replicaMicros") },
  };
}

/** A split that sent nothing to the candidate would be no split. */
async function mustHaveSplit({ ours, replicas, haproxy, nginx }: Contestants): Promise<void> {
  const { stable, candidate } = await ours.call<Observation>("observe");
  const [toStable, toCandidate] = [stable?.requests ?? 0, candidate?.requests ?? 0];
  const percent = (toCandidate / (toCandidate + toStable)) * 100;
  const right = Math.abs(percent - CANDIDATE_PERCENT) < 2;
  must(right, `our router splits as asked (${percent.toFixed(1)} % to the candidate)`);
  if (haproxy === undefined && nginx === undefined) return;
  const counts = await Promise.all(replicas.map((one) => one.call<{ answered: number }>("counts")));
  must((counts[1]?.answered ?? 0) > 100, "the balancers send to the candidate");
}

type Pick = (seen: Seen) => number;

function figures(seen: SeenBy, { captured, bare, direct, haproxy, nginx, python }: Contestants): Figure[] {
  const of = (who: Contestant | undefined, connections: number, pick: Pick) => {
    const found = seen.get(who?.name ?? "")?.get(connections);
    return found === undefined ? null : pick(found);
  };
  const beside = (
    who: Contestant,
    other: { contestant: Contestant | undefined; kind: string },
    row: { what: string; unit: string; connections: number; pick: Pick; aim: Figure["aim"] },
  ): Figure => ({
    name: `${who.name}, ${row.what}, ${row.connections} connection${row.connections === 1 ? "" : "s"}`,
    ...{ unit: row.unit, value: of(who, row.connections, row.pick) ?? Number.NaN, aim: row.aim },
    peer: other.contestant?.name ?? `${other.kind}: not installed`,
    peerValue: of(other.contestant, row.connections, row.pick),
  });
  const [theHaproxy, theNginx, thePython] = [
    { contestant: haproxy, kind: "haproxy" },
    { contestant: nginx, kind: "nginx" },
    { contestant: python, kind: "a Python with onnxruntime, starlette and uvicorn" },
  ];
  const perSecond = { what: "inferences per second", unit: "/s", pick: (one: Seen) => one.perSecond };
  const own = { what: "its own processor time a request", unit: "µs", pick: (one: Seen) => one.routerMicros };
  const whole = { what: "processor time a request with the replicas", unit: "µs", pick: wholeMicros };
  const both = [captured, bare];
  const atEach = (row: (connections: number) => Figure[]) => CONNECTIONS.flatMap(row);
  const added = (["p50Ms", "p99Ms"] as const).flatMap((key) =>
    both.map((who) => {
      const above = (one: Seen) => one[key] - (of(direct, 1, (seen) => seen[key]) ?? Number.NaN);
      const row = { what: `added ${key === "p50Ms" ? "p50" : "p99"}`, unit: "ms", connections: 1, pick: above };
      return beside(who, theNginx, { ...row, aim: key === "p50Ms" ? { ratioBelow: 1 } : null });
    }),
  );
  return [
    ...atEach((connections) =>
      both.map((who) => beside(who, theHaproxy, { ...perSecond, connections, aim: { ratioAbove: 1 } })),
    ),
    ...added,
    ...atEach((connections) => both.map((who) => beside(who, theHaproxy, { ...own, connections, aim: null }))),
    ...atEach((connections) => [beside(bare, theHaproxy, { ...whole, connections, aim: null })]),
    ...atEach((connections) => [beside(captured, thePython, { ...perSecond, connections, aim: null })]),
    ...atEach((connections) => [beside(captured, thePython, { ...whole, connections, aim: null })]),
  ];
}

const wholeMicros: Pick = ({ routerMicros, replicaMicros }) => routerMicros + replicaMicros;
