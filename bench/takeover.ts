import { propose } from "../src/engine/proposal.ts";
import { ROBOT, simulatedPlan, TENANT } from "../src/engine/testing/engine-fixture.ts";
import { type Child, startChild } from "./child.ts";
import { type BenchDatabase, benchDatabase, proposingParts } from "./database.ts";
import type { Stamp } from "./engine-process.ts";
import { type Figure, type Measurement, median, must, sharedClockMs, until } from "./measure.ts";

/**
 * From the moment a worker is killed or frozen in the middle of an effect to the moment another begins the same effect.
 * The peer's open-source edition has nobody who notices a dead executor, so it is given a supervisor that starts the
 * same executor again at once.
 */
export const measureTakeover: Measurement = async ({ quick, say }) => {
  const on = await benchDatabase("takeover");
  try {
    const rounds = quick ? 2 : 8;
    const killed: number[] = [];
    const frozen: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      killed.push(await ourTakeover(on, `killed-${round}`, "SIGKILL"));
      theirs.push(await theirTakeover(on, `killed-${round}`));
      if (round < (quick ? 1 : 3)) frozen.push(await ourTakeover(on, `frozen-${round}`, "SIGSTOP"));
    }
    say(`killed ${killed.map(Math.round).join(", ")} ms; frozen ${frozen.map(Math.round).join(", ")} ms`);
    const peer = "DBOS Transact, its executor started again at once by a supervisor";
    return [
      { ...figure("takeover after kill -9", killed, 1000), peer, peerValue: median(theirs) },
      { ...figure("takeover after kill -9, worst", [Math.max(...killed)], 1000), peer, peerValue: Math.max(...theirs) },
      {
        ...figure("takeover after SIGSTOP", frozen, 5000),
        ...{ peer: "DBOS Transact: nobody notices a frozen executor", peerValue: null },
      },
    ];
  } finally {
    await on.close();
  }
};

function figure(name: string, samples: number[], below: number): Pick<Figure, "name" | "value" | "unit" | "aim"> {
  return { name, value: median(samples), unit: "ms", aim: { below } };
}

async function ourTakeover(on: BenchDatabase, name: string, signal: "SIGKILL" | "SIGSTOP"): Promise<number> {
  const victim = await startChild("./engine-process.ts", [on.url, "60000"]);
  let heir: Child | undefined;
  try {
    const parts = proposingParts(on.database);
    await propose(parts, { tenant: TENANT, actor: ROBOT, plan: simulatedPlan({ name }) });
    await until("the first worker begins the effect", () => hasProvisioned(victim, name).then(Boolean));
    heir = await startChild("./engine-process.ts", [on.url]);
    const startMs = sharedClockMs();
    victim.signal(signal);
    let beganMs: number | undefined;
    const other = heir;
    await until("another worker begins the effect", async () => {
      beganMs = await hasProvisioned(other, name);
      return beganMs !== undefined;
    });
    must(beganMs !== undefined && beganMs > startMs, "the effect began after the first worker was gone");
    return beganMs - startMs;
  } finally {
    victim.signal("SIGKILL");
    await heir?.end();
    // One that was frozen may have been in the middle of a statement; its session must not wait for the next round.
    await on.database.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bench-worker'",
    );
  }
}

async function hasProvisioned(worker: Child, name: string): Promise<number | undefined> {
  const stamps = await worker.call<Stamp[]>("stamps");
  return stamps.find(({ what, about }) => what === "provision" && about === name)?.atMs;
}

async function theirTakeover(on: BenchDatabase, name: string): Promise<number> {
  const victim = await startChild("./dbos-process.ts", [on.peerUrl, "blocked"]);
  let again: Child | undefined;
  try {
    await victim.call("interrupt", name);
    await until("the peer begins the effect", async () => (await victim.call("began", name)) !== null);
    const startMs = sharedClockMs();
    victim.signal("SIGKILL");
    again = await startChild("./dbos-process.ts", [on.peerUrl, "again"]);
    const other = again;
    let beganMs: number | null = null;
    await until("the peer begins the effect again", async () => {
      beganMs = await other.call<number | null>("began", name);
      return beganMs !== null;
    });
    return (beganMs ?? Number.NaN) - startMs;
  } finally {
    victim.signal("SIGKILL");
    await again?.end();
  }
}
