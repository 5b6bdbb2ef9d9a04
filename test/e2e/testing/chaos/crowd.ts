import { setTimeout as sleep } from "node:timers/promises";
import { CliError } from "../../../../src/surfaces/cli/cli-error.ts";
import type { Random } from "../../../faults/random.ts";
import { rollout as look, submit } from "../deployables.ts";
import type { Diary } from "./diary.ts";
import type { Fate, Start } from "./starts.ts";

/** How long somebody goes on asking an API that is down. */
const PATIENCE_MS = 60_000;

export interface CrowdOptions {
  random: Random;
  diary: Diary;
}

/** Everybody who proposes, pauses, approves and aborts; what they are refused is theirs, what they are not answered is ours. */
export class Crowd {
  /** Answers that nobody should get. */
  readonly wrong: string[] = [];
  /** Competing starts that were answered with the rollout of the first, and those that began another one after it. */
  joined = 0;
  apart = 0;
  readonly #random: Random;
  readonly #diary: Diary;

  constructor({ random, diary }: CrowdOptions) {
    this.#random = random;
    this.#diary = diary;
  }

  /** Brings every start of a round under way, each with its competitor, and does to it what its fate says. */
  async play(starts: readonly Start[]): Promise<void> {
    await Promise.all(
      starts.map(async (start) => {
        const waitMs = this.#random.integer(100, 4_000);
        const competitorMs = this.#random.pick([0, 0, 20, 500]);
        await sleep(start.atMs);
        try {
          await this.#play(start, { waitMs, competitorMs });
        } catch (error) {
          this.wrong.push(
            `${start.plan.metadata.name}: ${String(error)} ${JSON.stringify((error as CliError).details)}`,
          );
        }
      }),
    );
  }

  async #play({ tenant, plan, fate }: Start, { waitMs, competitorMs }: { waitMs: number; competitorMs: number }) {
    const [first, second] = tenant.agents;
    const { name } = plan.metadata;
    // Three that end badly within the hour would leave nothing to be seen.
    const params = { environment: plan.spec.environment, target: plan.spec.target ?? "local", name };
    await patiently(() => tenant.admin.call("breakers.reset", { params, body: {} })).catch(notThereYet);
    const [begun, competing] = await Promise.all([
      patiently(() => submit(first, plan, fate === "superseding")),
      sleep(competitorMs).then(() => patiently(() => submit(second, plan))),
    ]);
    if (begun.id === competing.id) this.joined += 1;
    else this.apart += 1;
    this.#diary.write(
      "start",
      `${tenant.name}/${name} ${plan.spec.model.version}: ${begun.id} ${begun.phase}, ${fate}`,
    );
    await sleep(waitMs);
    for (const { id } of new Map([begun, competing].map((one) => [one.id, one])).values())
      await this.#befall(tenant, id, fate);
  }

  async #befall(tenant: Start["tenant"], id: string, fate: Fate): Promise<void> {
    const { admin, approver } = tenant;
    const ask = (verb: "pause" | "resume" | "abort" | "promote") =>
      patiently(() => admin.call(`rollouts.${verb}`, { params: { id }, body: {} })).catch(tooLate);
    if (fate === "paused") {
      await ask("pause");
      await sleep(this.#random.integer(500, 4_000));
      await ask("resume");
    }
    if (fate === "aborted") await ask("abort");
    if (fate === "promoted") await ask("promote");
    if (fate === "approved") {
      const { planDigest } = await patiently(() => look(admin, id));
      await patiently(() => approver.call("approvals.approve", { params: { id }, body: { planDigest } })).catch(
        tooLate,
      );
    }
    if (fate === "rejected")
      await patiently(() => approver.call("approvals.reject", { params: { id }, body: {} })).catch(tooLate);
  }
}

/** Over an API or a database that is away; everything else is an answer. */
export async function patiently<T>(work: () => Promise<T>): Promise<T> {
  const endMs = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isAway(error) || Date.now() > endMs) throw error;
      await sleep(200);
    }
  }
}

function isAway(error: unknown): boolean {
  if (!(error instanceof CliError)) return false;
  return error.code === "unreachable" || error.code === "timed-out" || problemOf(error) === "unavailable";
}

function problemOf(error: unknown): unknown {
  return error instanceof CliError ? error.details["problem"] : undefined;
}

/** The rollout went on meanwhile, or the same was asked before and its answer lost. */
function tooLate(error: unknown): undefined {
  if (problemOf(error) === "not-acceptable-now") return undefined;
  throw error;
}

function notThereYet(error: unknown): undefined {
  if (problemOf(error) === "not-found" || problemOf(error) === "not-acceptable-now") return undefined;
  throw error;
}
