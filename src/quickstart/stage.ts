import type { RandomBytes } from "../core/evidence/signing-key.ts";
import type { PlanInput } from "../core/plan/schema.ts";
import type { ApiClient } from "../surfaces/cli/client.ts";
import type { Narrator } from "./narrator.ts";
import type { TrainedModels } from "./training/train-models.ts";

/** Somebody made up for the story. What is theirs lies in this process's memory alone and is gone when it ends. */
export interface ThrowawayPerson {
  id: string;
  api: ApiClient;
}

/** What every chapter works with. */
export interface Stage {
  narrator: Narrator;
  /** As the administrator, who trusts keys and hands out tokens. */
  api: ApiClient;
  /** As an agent, which can propose and never approve. */
  agent: ApiClient;
  /** The person who answers for the agent. */
  owner: ThrowawayPerson;
  /** A token that may only invoke. */
  invokeToken: string;
  /** The throwaway folder. */
  folder: string;
  random: RandomBytes;
}

/** A model that was trained, tested, signed for and imported. */
export interface ReadyModel {
  version: string;
  artifactDigest: string;
  /** As it goes to development. */
  plan: PlanInput;
}

export interface Models {
  trained: TrainedModels;
  v1: ReadyModel;
  v2: ReadyModel;
  v3: ReadyModel;
  v4: ReadyModel;
  v5: ReadyModel;
}

/** The story found that something is not as it must be: the quickstart fails and says so. */
export class StoryFailure extends Error {}

export function expectThat(condition: boolean, what: string): asserts condition {
  if (!condition) throw new StoryFailure(what);
}
