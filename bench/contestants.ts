import { TOKEN } from "../src/serving/testing/serving-fixture.ts";
import { sumModel } from "../src/serving/testing/test-models.ts";
import { type Balancer, startHaproxy, startNginx } from "./balancers.ts";
import { type Child, startChild } from "./child.ts";
import { must, processTree } from "./measure.ts";
import { startPythonServer } from "./python-server.ts";

export const CANDIDATE_PERCENT = 10;
export const INSTANCES = [[1, 2, 3]];
/** The replicas' threads for inference, ours and the others'. */
const THREADS = 2;

/** Something that answers inferences, how it is asked, and whose processor time that takes. */
export interface Contestant {
  name: string;
  port: number;
  path: string;
  headers: Record<string, string>;
  /** What stands in front of the replicas; nobody where they are asked directly. */
  router: number[];
  replicas: number[];
}

export interface Contestants {
  /** In the order of their turns. */
  all: Contestant[];
  captured: Contestant;
  bare: Contestant;
  direct: Contestant;
  haproxy?: Contestant;
  nginx?: Contestant;
  python?: Contestant;
  /** Our data plane with capture. */
  ours: Child;
  /** The replicas that the balancers have. */
  replicas: Child[];
  stop(): Promise<void>;
}

/** Everybody with a stable replica and a candidate's of the same model in the same runtime; the Python server is one. */
export async function startContestants(): Promise<Contestants> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const end of stops.toReversed()) await end();
  };
  try {
    const child = async (file: string, arg: string) => {
      const started = await startChild(file, [arg]);
      stops.push(() => started.end());
      return started;
    };
    const balancer = async (started: Balancer | undefined) => {
      if (started !== undefined) stops.push(() => started.stop());
      return started;
    };
    const [ours, bare] = [await child("./serving-process.ts", "on"), await child("./serving-process.ts", "off")];
    for (const one of [ours, bare]) await one.call("split", { percent: CANDIDATE_PERCENT, broken: false });
    const replicas = [
      await child("./inference-replica.ts", "stable"),
      await child("./inference-replica.ts", "candidate"),
    ];
    const [stablePort = 0, candidatePort = 0] = await Promise.all(replicas.map((one) => one.call<number>("port")));
    const split = { stablePort, candidatePort, candidatePercent: CANDIDATE_PERCENT };
    const plain = { path: "/invocations", headers: { "content-type": "application/json" } };
    const behind = { ...plain, replicas: replicas.map(({ pid }) => pid) };
    const withPids = (one: Balancer) => ({ ...behind, name: one.name, port: one.port, router: one.pids() });
    const haproxy = await balancer(await startHaproxy(split));
    const nginx = await balancer(await startNginx(split));
    const python = await startPythonServer(sumModel({ bias: 0 }), THREADS);
    if (python !== undefined) stops.push(() => python.stop());
    const named = {
      captured: await ourContestant("router", ours),
      bare: await ourContestant("router without capture", bare),
      direct: { ...behind, name: "one replica asked directly", port: stablePort, router: [] },
      ...(haproxy === undefined ? {} : { haproxy: withPids(haproxy) }),
      ...(nginx === undefined ? {} : { nginx: withPids(nginx) }),
      ...(python === undefined
        ? {}
        : { python: { ...plain, name: python.name, port: python.port, router: [], replicas: [python.pid] } }),
    };
    return { ...named, all: Object.values(named), ours, replicas, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function ourContestant(name: string, serving: Child): Promise<Contestant> {
  const { port } = new URL(await serving.call<string>("url"));
  const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
  const path = "/endpoints/development-churn/invocations";
  return {
    name,
    port: Number(port),
    path,
    headers,
    router: [serving.pid],
    replicas: processTree(serving.pid).slice(1),
  };
}

/** Who answers something else does not do the same work. The candidate's model adds one to every sum. */
export async function mustPredict({ name, port, path, headers }: Contestant): Promise<void> {
  const body = JSON.stringify({ instances: INSTANCES });
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", headers, body });
  const said = await answer.text();
  const sum = INSTANCES[0]?.reduce((total, value) => total + value, 0) ?? 0;
  const right = [sum, sum + 1].map((value) => JSON.stringify({ predictions: [value] }));
  // Python writes 6.0 where JavaScript writes 6.
  must(answer.ok && right.includes(JSON.stringify(JSON.parse(said))), `${name} predicts (${answer.status} ${said})`);
}
