import { availableParallelism } from "node:os";
import { type Load, startLoad } from "./load.ts";
import {
  cpuSeconds,
  type Figure,
  type Measurement,
  median,
  must,
  processTree,
  seededRandom,
  until,
} from "./measure.ts";
import {
  drawRow,
  FEATURES,
  type Installed,
  install,
  instances,
  monitorMetric,
  serve,
  untilMonitored,
} from "./monitor-parts.ts";

const CONNECTIONS = [1, 16] as const;
const ROUNDS = 4;
/** What a monitor levels is level by then, and it is in the middle of its work. */
const WARM_MS = 5000;
const ROUND_MS = 5000;
/** So many that what comes is not the same again and again. */
const BODIES = 2000;

interface Contestant {
  name: string;
  installed: Installed;
  port: number;
  path: string;
  headers: Record<string, string>;
}

interface Seen {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Processor time of the router alone. */
  routerMicros: number;
  /** Of one processor: the monitor's, and that of the database which it writes to. */
  monitorPercent: number;
  databasePercent: number;
  /** How old what the monitor read last was when the load ended, and how long it read on. */
  lagSeconds: number;
  catchUpSeconds: number;
}

/**
 * What watching costs whoever asks for inferences: captured and read by a monitor, captured and read by nobody, and not
 * captured. Three installations that take turns on one machine, so that the monitor competes with the router for its
 * processors, as fast as callers can ask.
 */
export const measureMonitor: Measurement = async ({ quick, say }) => {
  const load = await startLoad();
  const installations: Installed[] = [];
  try {
    const contestants: Contestant[] = [];
    for (const [name, environment] of Object.entries(WAYS)) {
      const installed = await install(environment);
      installations.push(installed);
      const url = new URL(await serve(installed, "wide"));
      const headers = { authorization: `Bearer ${installed.on.invokeToken}`, "content-type": "application/json" };
      contestants.push({ name, installed, port: Number(url.port), path: url.pathname, headers });
    }
    const [monitored] = contestants;
    must(monitored !== undefined, "one is monitored");
    await untilMonitored(monitored.installed, { endpoints: 1 });
    const figures: Figure[] = [];
    for (const connections of CONNECTIONS) {
      const seen = await driveAll(contestants, load, { connections, quick });
      for (const [name, one] of seen) say(`c${connections} ${name}: ${inWords(one)}`);
      figures.push(...figuresOf(seen, connections));
    }
    const lost = await monitorMetric(monitored.installed, "continuum_monitor_lost_requests_total");
    const read = await monitorMetric(monitored.installed, "continuum_monitor_requests_total");
    say(`the monitor read ${read} requests and lost ${lost}`);
    return figures;
  } finally {
    await load.stop();
    for (const { on } of installations) {
      await on.stop();
      await on.clear();
    }
  }
};

const MONITORED = "captured and monitored";
const CAPTURED = "captured, no monitor";
const BARE = "not captured";
const WAYS: Readonly<Record<string, Record<string, string>>> = {
  [MONITORED]: {},
  [CAPTURED]: { CONTINUUM_MONITOR_ENABLED: "false" },
  [BARE]: { CONTINUUM_MONITOR_ENABLED: "false", CONTINUUM_SERVING_CAPTURE_ENABLED: "false" },
};

type SeenBy = ReadonlyMap<string, Seen>;

async function driveAll(
  contestants: readonly Contestant[],
  load: Load,
  { connections, quick }: { connections: number; quick: boolean },
): Promise<SeenBy> {
  const random = seededRandom(connections);
  const bodies = Array.from({ length: BODIES }, () => instances(drawRow(random)));
  const rounds = new Map<string, Seen[]>(contestants.map(({ name }) => [name, []]));
  for (let round = quick ? 0 : -1; round < (quick ? 2 : ROUNDS); round += 1) {
    for (const contestant of round % 2 === 0 ? contestants : contestants.toReversed()) {
      const seen = await driveOne(contestant, load, { connections, bodies });
      if (round >= 0) rounds.get(contestant.name)?.push(seen);
    }
  }
  return new Map([...rounds].map(([name, results]) => [name, medians(results)]));
}

async function driveOne(
  { name, installed, port, path, headers }: Contestant,
  load: Load,
  { connections, bodies }: { connections: number; bodies: string[] },
): Promise<Seen> {
  const order = { port, path, headers, body: bodies[0] ?? "", bodies, connections };
  await load.drive({ ...order, milliseconds: WARM_MS });
  const used = () => {
    const of = (role: string) => cpuSeconds(installed.pidOf(role) ?? 0);
    const database = processTree(installed.pidOf("postgresql") ?? 0);
    return {
      ...{ router: of("serve"), monitor: name === MONITORED ? of("monitor") : 0 },
      database: database.reduce((sum, pid) => sum + cpuSeconds(pid), 0),
    };
  };
  const [before, beganMs] = [used(), performance.now()];
  const { answers, failures, perSecond, p50Ms, p99Ms } = await load.drive({ ...order, milliseconds: ROUND_MS });
  const [after, seconds] = [used(), (performance.now() - beganMs) / 1000];
  must(answers > 0 && failures === 0, `${name} answers everything (${failures} failures)`);
  const percent = (role: "database" | "monitor") => ((after[role] - before[role]) / seconds) * 100;
  return {
    ...{ perSecond, p50Ms, p99Ms, routerMicros: ((after.router - before.router) * 1e6) / answers },
    ...{ monitorPercent: percent("monitor"), databasePercent: percent("database") },
    ...(name === MONITORED ? await readOn(installed) : { lagSeconds: 0, catchUpSeconds: 0 }),
  };
}

/** Nothing that was left to be read weighs on whoever has the next turn. */
async function readOn(installed: Installed): Promise<Pick<Seen, "catchUpSeconds" | "lagSeconds">> {
  const lag = () => monitorMetric(installed, "continuum_monitor_lag_seconds");
  const lagSeconds = await lag();
  const beganMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 1500)); // The last lines are written, and one look is over.
  await until("the monitor has read everything", async () => (await lag()) === 0, { everyMs: 100, msMax: 180_000 });
  return { lagSeconds, catchUpSeconds: (performance.now() - beganMs) / 1000 };
}

function medians(results: readonly Seen[]): Seen {
  const of = (key: keyof Seen) => median(results.map((result) => result[key]));
  return {
    ...{ perSecond: of("perSecond"), p50Ms: of("p50Ms"), p99Ms: of("p99Ms"), routerMicros: of("routerMicros") },
    ...{ monitorPercent: of("monitorPercent"), databasePercent: of("databasePercent") },
    ...{ lagSeconds: of("lagSeconds"), catchUpSeconds: of("catchUpSeconds") },
  };
}

function inWords(seen: Seen): string {
  const { perSecond, p50Ms, p99Ms, routerMicros, monitorPercent, databasePercent, lagSeconds, catchUpSeconds } = seen;
  return [
    `${perSecond.toFixed(0)}/s, p50 ${p50Ms} ms, p99 ${p99Ms} ms, router ${routerMicros.toFixed(1)} µs a request`,
    `monitor ${monitorPercent.toFixed(0)} % and database ${databasePercent.toFixed(0)} % of a processor`,
    `${lagSeconds.toFixed(1)} s behind, ${catchUpSeconds.toFixed(1)} s until all was read`,
  ].join("; ");
}

function figuresOf(seen: SeenBy, connections: number): Figure[] {
  const [monitored, captured, bare] = [MONITORED, CAPTURED, BARE].map((name) => seen.get(name));
  must(monitored !== undefined && captured !== undefined && bare !== undefined, "all had their turns");
  const at = `${FEATURES} features, ${connections} connection${connections === 1 ? "" : "s"}`;
  const beside = (
    peer: string,
    other: Seen,
    row: { what: string; unit: string; key: keyof Seen; aim: Figure["aim"] },
  ): Figure => ({
    ...{ name: `monitor, ${row.what} while it reads, ${at}`, value: monitored[row.key], unit: row.unit },
    ...{ peer, peerValue: other[row.key], aim: row.aim },
  });
  const perSecond = { what: "inferences per second", unit: "/s", key: "perSecond" } as const;
  const p99 = { what: "p99", unit: "ms", key: "p99Ms" } as const;
  const alone = { peer: "none: no other reads captures", peerValue: null, aim: null };
  return [
    beside(CAPTURED, captured, { ...perSecond, aim: { ratioAbove: 0.95 } }),
    beside(BARE, bare, { ...perSecond, aim: null }),
    beside(CAPTURED, captured, { ...p99, aim: { ratioBelow: 1.05 } }),
    beside(BARE, bare, { ...p99, aim: null }),
    {
      ...{ name: `monitor, its share of all processors with its database, ${at}`, unit: "%", ...alone },
      // What it takes from whoever would use all of them, on a machine that does nothing else and on one that does.
      value: (monitored.monitorPercent + monitored.databasePercent) / availableParallelism(),
      aim: { below: 5 },
    },
    { name: `monitor, how far it is behind, ${at}`, value: monitored.lagSeconds, unit: "s", ...alone },
  ];
}
