import type { RandomBytes } from "../core/evidence/signing-key.ts";
import type { ApiClient } from "../surfaces/cli/client.ts";
import type { Narrator } from "./narrator.ts";
import type { TrainedModels } from "./training/train-models.ts";

/** What every chapter works with. */
export interface Stage {
  narrator: Narrator;
  /** As the administrator, who trusts keys and hands out tokens. */
  api: ApiClient;
  /** As an agent, which can propose and never approve. */
  agent: ApiClient;
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
}

export interface Models {
  trained: TrainedModels;
  v1: ReadyModel;
  v2: ReadyModel;
  v3: ReadyModel;
}

/** The story found that something is not as it must be: the quickstart fails and says so. */
export class StoryFailure extends Error {}

export function expectThat(condition: boolean, what: string): asserts condition {
  if (!condition) throw new StoryFailure(what);
}
