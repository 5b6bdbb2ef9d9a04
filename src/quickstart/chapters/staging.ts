import type { RolloutEventView } from "../../surfaces/cli/client.ts";
import { ended, follow, type Rollout } from "../follow.ts";
import { stagingPlan } from "../plans.ts";
import { expectThat, type Models, type Stage } from "../stage.ts";
import { giveManifestSignature, type ThrowawaySigners, trustSigners } from "../throwaway-signers.ts";
import { short } from "./deciding.ts";
import { submit, submitDry } from "./proposing.ts";

/** Staging asks nobody and verifies more: the plan's own signature, the artifact's bytes, a snapshot. */
export async function deployToStaging(stage: Stage, models: Models): Promise<ThrowawaySigners> {
  const { narrator } = stage;
  narrator.chapter(`Version ${models.v5.version} goes to staging: no person is asked, and more is verified`);
  const plan = stagingPlan(models.v5.plan);
  const dry = await submitDry(stage, plan);
  narrator.say(`a dry run: ${dry.phase}, verification ${dry.decision.verification}; ${lacking(dry)}`);
  const signers = await trustSigners(stage);
  narrator.say("an administrator trusts two more throwaway keys, one for `manifest` and one for `provenance`");
  const signature = await giveManifestSignature(stage, signers, plan);
  narrator.say(`the release signs the plan: ${signature.kind} of ${short(signature.subjectDigest)}, taken in`);

  const gates = new Gates();
  const rollout = await follow(stage, await submit(stage, plan), { onEvent: gates.see });
  expectThat(rollout.phase === "Succeeded", `expected Succeeded, got ${ended(rollout)}`);
  sayVerified(stage, rollout, gates);
  return signers;
}

/** Which of the gates let the rollout pass, as its events tell. */
export class Gates {
  readonly passed = new Set<string>();
  readonly see = ({ type }: RolloutEventView): void => {
    if (type === "verified" || type === "gate-passed") this.passed.add(type);
  };
}

/** What both gates had to find, for the rollout to come this far. */
export function sayVerified(stage: Stage, rollout: Rollout, gates: Gates): void {
  const { obligations, verification } = rollout.decision;
  expectThat(gates.passed.size === 2, `expected both gates to be passed, got ${[...gates.passed].join()}`);
  const evidence = obligations.flatMap(({ kind, of }) => (kind === "evidence" && of !== undefined ? [of] : []));
  stage.narrator.say(`verification ${verification}, over the stored bytes and again before the first effect:`);
  stage.narrator.say(`  ${evidence.join(", ")}`);
  expectThat(rollout.snapshot !== null, "expected a snapshot");
  const { sha256, empty } = rollout.snapshot;
  const what = empty ? " of an endpoint where nothing served" : "";
  stage.narrator.say(`snapshot${what}: ${short(withPrefix(sha256))}, its checksum verified before the first effect`);
}

/** What a dry run found missing, by clause. */
export function lacking({ refusals }: Rollout): string {
  if (refusals.length === 0) return "nothing is lacking";
  return `it lacks ${refusals.map(({ clause, message }) => `${clause} (${whatIsMissing(message)})`).join(", ")}`;
}

/** Of "The manifest's signature is missing: Staging is ...", what it is that is missing. */
export function whatIsMissing(message: string): string {
  const [what = message] = message.split(/(?: is missing)?: /);
  return what;
}

function withPrefix(sha256: string): string {
  return sha256.startsWith("sha256:") ? sha256 : `sha256:${sha256}`;
}
