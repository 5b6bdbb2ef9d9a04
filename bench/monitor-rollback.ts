import { Traffic } from "../src/quickstart/traffic.ts";
import { ended, submit } from "../test/e2e/testing/deployables.ts";
import { type Measurement, median, must, seededRandom } from "./measure.ts";
import { drawRow, type Installed, install, planFor, serve, untilMonitored } from "./monitor-parts.ts";

const ROWS_MIN = 300;
const REQUESTS_PER_SECOND = 200;
/** Captured lines are written four times a second and looked for once a second: what that alone takes, on average. */
const WAITS_MS = 250 / 2 + 1000 / 2;

/**
 * From the answer that completes the candidate's least sample, before which no drift may alarm, to the last answer that
 * a caller gets from the candidate: written, read, evaluated, committed, and traffic moved by a worker.
 */
export const measureMonitorRollback: Measurement = async ({ quick, say }) => {
  const installed = await install();
  try {
    await untilMonitored(installed, { endpoints: 0 });
    const rounds: Round[] = [];
    for (let round = 0; round < (quick ? 2 : 7); round += 1) {
      rounds.push(await driftAndReturn(installed, `drifts-${round}`));
      say(JSON.stringify(rounds.at(-1)));
    }
    const of = (key: keyof Round) => median(rounds.map((one) => one[key]));
    const nobody = { peer: "what the intervals of writing and looking alone take", peerValue: WAITS_MS };
    return [
      {
        ...{ name: "monitor, the row that makes DataDriftAlarm fire to the candidate's last answer", unit: "ms" },
        ...{ value: of("movedMs"), ...nobody, aim: { below: 2000 } },
      },
      {
        ...{ name: "monitor, of which until it was evaluated", value: of("evaluatedMs"), unit: "ms" },
        ...{ ...nobody, aim: null },
      },
      {
        ...{ name: "monitor, of which commit, rollback and the traffic's move", value: of("actedMs"), unit: "ms" },
        ...{ peer: "none: no peer moves traffic for drift", peerValue: null, aim: null },
      },
    ];
  } finally {
    await installed.on.stop();
    await installed.on.clear();
  }
};

interface Round {
  movedMs: number;
  evaluatedMs: number;
  actedMs: number;
}

async function driftAndReturn(installed: Installed, name: string): Promise<Round> {
  const { on } = installed;
  const monitor = { dataDrift: { rowsMin: ROWS_MIN } };
  const url = await serve(installed, name, monitor);
  const random = seededRandom(name.length);
  const nextBody = () => `${drawRow(random, 0.5).join(",")}\n`;
  const traffic = new Traffic({
    ...{ url, token: on.invokeToken, nextBody, connections: 8, ratePerSecond: REQUESTS_PER_SECOND },
  });
  try {
    const rollout = { strategy: "canary", stepPercent: 50, bakeSeconds: 60, deadlineSeconds: 120 };
    const { id } = await submit(on.admin, planFor(installed, name, { model: "same", monitor, rollout }));
    const { phase, reason } = await ended(on.admin, id);
    must(phase === "RolledBack" && reason?.code === "alarm", `drift takes it back (${phase}: ${reason?.message})`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const own = traffic.answers.filter(({ version, status }) => version === "same" && status === 200);
    const after = traffic.answers.filter(({ version, atMs }) => version === "served" && atMs > (own.at(-1)?.atMs ?? 0));
    must(after.length > 20, "the version of before answers on");
    const full = own.map(({ atMs }) => atMs).sort((a, b) => a - b)[ROWS_MIN - 1];
    must(full !== undefined, "the candidate answered its least sample");
    const { items } = await on.admin.call("alarms.history", {
      params: { environment: "development", target: "local", name },
      query: { variant: id, alarm: "DataDriftAlarm" },
    });
    const fired = items.find(({ to }) => to === "ALARM");
    must(fired !== undefined, "the alarm fired");
    const [lastMs, firedMs] = [Math.max(...own.map(({ atMs }) => atMs)), Date.parse(fired.at)];
    return { movedMs: lastMs - full, evaluatedMs: firedMs - full, actedMs: lastMs - firedMs };
  } finally {
    await traffic.stop();
  }
}
