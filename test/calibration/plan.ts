import type { Job } from "./job.ts";
import { DRIFTS, type Drift, type DriftJob } from "./judge-drift.ts";
import type { RolloutJob } from "./judge-rollouts.ts";
import { EFFECT_WORLDS, NULL_WORLDS } from "./world.ts";

/** How many of everything. Peers fail in so many rollouts that a tenth of them is enough to see it. */
export interface Size {
  equal: number;
  equalPeers: number;
  effect: number;
  /** Tables of 20 columns; of 200 there are fewer, for each costs ten times as much. */
  drift: number;
  driftWide: number;
}

export const SIZES = {
  full: { equal: 10_000, equalPeers: 1000, effect: 1000, drift: 400, driftWide: 120 },
  quick: { equal: 400, equalPeers: 50, effect: 40, drift: 16, driftWide: 2 },
  /** For the tests, in the time that they have. */
  short: { equal: 40, equalPeers: 4, effect: 5, drift: 2, driftWide: 0 },
} as const satisfies Record<string, Size>;

const ROLLOUTS_A_JOB = 50;
const TABLES_A_JOB = { 20: 8, 200: 1 } as const;
/** Drifts are found by nearly every rule, so a third of the tables shows how soon. */
const DRIFTED_PART = 3;

/** All work, in pieces. `only` keeps the worlds and drifts whose part or name contains it. */
export function jobsOf({ size, seed, only }: { size: Size; seed: number; only?: string | undefined }): Job[] {
  const jobs: Job[] = [];
  const wanted = (part: string, name: string) => only === undefined || `${part} ${name}`.includes(only);
  for (const { name } of NULL_WORLDS) {
    if (!wanted("equal", name)) continue;
    jobs.push(...rolloutJobs({ part: "equal", world: name, seed, peersTo: size.equalPeers }, size.equal));
  }
  for (const { name } of EFFECT_WORLDS) {
    if (!wanted("effect", name)) continue;
    jobs.push(...rolloutJobs({ part: "effect", world: name, seed, peersTo: size.effect }, size.effect));
  }
  for (const columns of [20, 200] as const) {
    const tables = columns === 20 ? size.drift : size.driftWide;
    for (const drift of Object.keys(DRIFTS) as Drift[]) {
      if (!wanted("drift", `${drift}, ${columns} columns`)) continue;
      const isNull = drift.startsWith("none");
      jobs.push(...driftJobs({ part: "drift", drift, columns, seed }, isNull ? tables : tables / DRIFTED_PART));
    }
  }
  return jobs;
}

function rolloutJobs(of: Omit<RolloutJob, "from" | "to">, rollouts: number): RolloutJob[] {
  return pieces(rollouts, ROLLOUTS_A_JOB).map((piece) => ({ ...of, ...piece }));
}

function driftJobs(of: Omit<DriftJob, "from" | "to"> & { columns: 20 | 200 }, tables: number): DriftJob[] {
  return pieces(Math.ceil(tables), TABLES_A_JOB[of.columns]).map((piece) => ({ ...of, ...piece }));
}

function pieces(count: number, each: number): { from: number; to: number }[] {
  return Array.from({ length: Math.ceil(count / each) }, (_, at) => ({
    from: at * each,
    to: Math.min(count, (at + 1) * each),
  }));
}
