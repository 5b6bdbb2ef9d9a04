import { setTimeout as sleep } from "node:timers/promises";
import type { OperationOutput } from "../../contract/operations.ts";
import { FIGURE_COLUMNS } from "../../surfaces/cli/alarm-text.ts";
import { textTable } from "../../surfaces/cli/text-table.ts";
import { dimensionsOf, inAnotherUnit, UNIT_RATIO } from "../drawn-rows.ts";
import { ended, follow, type Rollout, seconds } from "../follow.ts";
import { WATCHED_DRIFT, watchedPlan } from "../plans.ts";
import { expectThat, type Models, type Stage } from "../stage.ts";
import type { Traffic } from "../traffic.ts";
import type { Dataset } from "../training/dataset.ts";
import { element } from "../training/element.ts";
import { DECISION_THRESHOLD } from "../training/metrics.ts";
import { submit } from "./proposing.ts";
import { sayServing, splitLine, startTraffic } from "./rollouts.ts";
import { sayMetrics, type WatchedInputs } from "./watched.ts";

type Verdict = NonNullable<Rollout["verdict"]>;
type Raised = OperationOutput<"alarms.history">["items"][number];

/** One of so many hospitals has the new device. */
const HOSPITALS = 4;
/** The device changes when the version has been healthy beside the other one for so long. */
const HEALTHY_MS = 3000;
const LOOK_MS = 200;
/** How many columns that drifted are shown, and how many of the others that came nearest to it. */
const DRIFTED_SHOWN = 4;
const OTHERS_SHOWN = 2;

/** A version that answers well, and whose inputs become others than it was made for: the drift alone takes it back. */
export async function rollBackDrifting(
  stage: Stage,
  url: string,
  { models, inputs }: { models: Models; inputs: WatchedInputs },
): Promise<void> {
  const { narrator } = stage;
  const { version, plan } = models.v4;
  const watched = watchedPlan(plan, inputs.baseline);
  narrator.say(`the plan's monitor: dataDrift ${JSON.stringify(WATCHED_DRIFT)}, against that baseline`);
  const device = new Device(inputs, models.trained.split.train);
  const traffic = startTraffic(stage, url, { nextBody: () => device.nextBody() });
  let rollout: Rollout;
  let seen: Verdict | undefined;
  try {
    const started = await submit(stage, watched);
    [rollout, seen] = await Promise.all([
      follow(stage, started, { live: () => splitLine(traffic.summary()) }),
      changeWhenHealthy(stage, { started, device }),
    ]);
    await sleep(500);
  } finally {
    await traffic.stop();
  }
  expectThat(rollout.phase === "RolledBack", `expected RolledBack, got ${ended(rollout)}`);
  expectThat(rollout.reason?.code === "alarm", `expected an alarm to be the reason, got ${ended(rollout)}`);
  sayHealth(stage, { verdict: seen, device, version });
  const raised = await sayDrift(stage, { rollout, device });
  sayTimes(stage, { raised, device, traffic, version });
  sayWhatNobodyTold(stage, models);
  await sayServing(stage, url, { body: inputs.rows.next().join(","), version: models.v2.version });
}

/** What is asked: drawn rows, some of which a device may tell in another unit. */
class Device {
  readonly #inputs: WatchedInputs;
  readonly #dimensions: readonly number[];
  readonly of: number;
  /** Those that its unit changes. */
  readonly columns: readonly string[];
  #asked = 0;
  changedAtMs: number | undefined;

  constructor(inputs: WatchedInputs, { featureNames }: Dataset) {
    this.#inputs = inputs;
    this.of = featureNames.length;
    this.#dimensions = dimensionsOf(featureNames);
    this.columns = featureNames.filter((_, column) => element(this.#dimensions, column) > 0);
  }

  nextBody(): string {
    const row = this.#inputs.rows.next();
    this.#asked += 1;
    const isOfThatHospital = this.changedAtMs !== undefined && this.#asked % HOSPITALS === 0;
    return (isOfThatHospital ? inAnotherUnit(row, this.#dimensions) : row).join(",");
  }
}

/** Lets the device change once the version has been healthy for a while; answers the newest verdict from before the alarm. */
async function changeWhenHealthy(
  { api, narrator }: Stage,
  { started, device }: { started: Rollout; device: Device },
): Promise<Verdict | undefined> {
  let healthySinceMs: number | undefined;
  let newest: Verdict | undefined;
  for (;;) {
    const { phase, terminal, verdict, weightPercent } = await api.call("rollouts.get", { params: { id: started.id } });
    if (terminal || phase === "RollingBack") return newest;
    if (phase === "Baking" && verdict != null && isComparison(verdict)) {
      newest = verdict;
      healthySinceMs = isHealthy(verdict) ? (healthySinceMs ?? Date.now()) : undefined;
    }
    const isLongHealthy = healthySinceMs !== undefined && Date.now() - healthySinceMs >= HEALTHY_MS;
    // What has all traffic was found healthy by the rollout itself.
    if ((isLongHealthy || weightPercent === 100) && device.changedAtMs === undefined) {
      device.changedAtMs = Date.now();
      narrator.tell(
        `  from now on the new device of one of ${HOSPITALS} hospitals measures in a unit ${UNIT_RATIO} times as long: radius and ` +
          `perimeter are a ${UNIT_RATIO}th of what they were, area a ${UNIT_RATIO ** 2}th, ${device.columns.length} of ` +
          `${device.of} columns. Both versions get these rows; only this plan has a monitor`,
      );
    }
    await sleep(LOOK_MS);
  }
}

/** Both versions have answered, so that there are figures. */
function isComparison({ metrics }: Verdict): boolean {
  return metrics.filter(({ metric, figures }) => isOfAnswers(metric) && figures !== undefined).length === 2;
}

function isHealthy({ metrics }: Verdict): boolean {
  return metrics.every(({ metric, outcome }) => !isOfAnswers(metric) || outcome === "pass");
}

function isOfAnswers(metric: string): boolean {
  return metric === "errors" || metric === "latency";
}

function sayHealth(
  stage: Stage,
  { verdict, device, version }: { verdict: Verdict | undefined; device: Device; version: string },
): void {
  const { changedAtMs } = device;
  expectThat(verdict !== undefined && changedAtMs !== undefined, `expected ${version} to be healthy for a while`);
  const afterMs = Date.parse(verdict.at) - changedAtMs;
  const when = `${seconds(Math.abs(afterMs))} ${afterMs < 0 ? "before" : "after"} that`;
  stage.narrator.say(
    `errors and latency, ${when}, as \`rollout get\` prints them, shortened: nothing that would take ${version} back`,
  );
  sayMetrics(stage, verdict, ["errors", "latency"]);
  stage.narrator.tell(HOW_TO_READ);
  expectThat(
    verdict.metrics.every(({ metric, outcome }) => !isOfAnswers(metric) || outcome !== "fail"),
    `expected ${version} to fail by its inputs alone`,
  );
}

const HOW_TO_READ =
  "(evidence that it is worse takes it back at its threshold; proof that it is not by the margin is enough at its own)";

/** The alarm with its arithmetic, as the history keeps it. */
async function sayDrift(
  { narrator, api }: Stage,
  { rollout, device }: { rollout: Rollout; device: Device },
): Promise<Raised> {
  const { id, endpoint } = rollout;
  const { items } = await api.call("alarms.history", { params: endpoint, query: { variant: id } });
  const raised = items.find(({ to }) => to === "ALARM");
  expectThat(raised?.alarm === "DataDriftAlarm", `expected DataDriftAlarm, got ${raised?.alarm ?? "none"}`);
  narrator.tell(`what its inputs say: ${raised.alarm}, ${raised.reason}`);
  const distances = distancesOf(raised);
  const drifted = distances.filter(({ breaching }) => breaching);
  const others = distances.filter(({ breaching }) => !breaching);
  narrator.say(
    `the sums behind it, as \`monitor show\` prints them: ${drifted.length} columns drifted; the worst, and two others`,
  );
  const shown = [...drifted.slice(0, DRIFTED_SHOWN), ...others.slice(0, OTHERS_SHOWN)];
  narrator.tell(textTable(shown, FIGURE_COLUMNS, "none"));
  expectThat(
    drifted.some(({ subject }) => device.columns.includes(subject)),
    `expected lengths or areas to have drifted, got ${drifted.map(({ subject }) => subject).join(", ")}`,
  );
  return raised;
}

/** One a column, the farthest first; where two rules found the same, the one with the evidence. */
function distancesOf({ figures }: Raised): Raised["figures"] {
  const bySubject = new Map<string, Raised["figures"][number]>();
  for (const figure of figures) {
    const known = bySubject.get(figure.subject);
    if (figure.measure === "wasserstein" && (known === undefined || known.evidence === null))
      bySubject.set(figure.subject, figure);
  }
  return [...bySubject.values()];
}

function sayTimes(
  { narrator }: Stage,
  { raised, device, traffic, version }: { raised: Raised; device: Device; traffic: Traffic; version: string },
): void {
  const { requests, failed } = traffic.summary();
  const last = traffic.answers.findLast((answer) => answer.version === version);
  expectThat(last !== undefined && device.changedAtMs !== undefined, `expected answers of ${version}`);
  const alarmAtMs = Date.parse(raised.at);
  narrator.say(
    `from the change to the alarm: ${seconds(alarmAtMs - device.changedAtMs)}; from the alarm to the last answer of ${version}: ${last.atMs - alarmAtMs} ms`,
  );
  narrator.say(`${requests} requests meanwhile, ${failed} failed; nobody was asked`);
  expectThat(failed === 0, `expected no request to fail, ${failed} did`);
}

/** Why it matters: truth would have told it much later, if ever. */
function sayWhatNobodyTold({ narrator }: Stage, { trained, v4 }: Models): void {
  const { rows, labels, featureNames } = trained.split.holdout;
  const dimensions = dimensionsOf(featureNames);
  const malignant = rows.filter((_, at) => labels[at] === 1);
  const found = (told: (row: Float32Array) => ArrayLike<number>) =>
    malignant.filter((row) => trained.v4.probability(told(row)) >= DECISION_THRESHOLD).length;
  const before = found((row) => row);
  const after = found((row) => inAnotherUnit(row, dimensions));
  narrator.tell(
    `what no error told: of ${malignant.length} malignant masses that it was not trained on ${v4.version} finds ${before}, ` +
      `and ${after} of the same ones when the new device measures them`,
  );
  expectThat(after < before, `expected the drift to cost ${v4.version} something`);
}
