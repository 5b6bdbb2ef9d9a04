import type { EngineParts } from "../engine.ts";
import type { BaselineBook } from "./baseline-book.ts";

/** What a monitor works with beside the engine's parts. */
export interface MonitorParts extends EngineParts {
  /** The name of this machine: only its own captures can be read. */
  host: string;
  /** Where the data plane of this host writes them. */
  captureDir: string;
  /** Derives under which names inferences are kept; without it no answer is kept for truth that comes later. */
  captureKey: Uint8Array | undefined;
  baselines: BaselineBook;
  /** Of all captures of this host together: where they grow faster, a random sample of their requests is read. */
  captureBytesPerSecondMax: number;
  /** For metrics; must not throw. */
  onLook?(look: LookFacts): void;
}

/** What one look at one endpoint came to. */
export interface LookFacts {
  requests: number;
  rows: number;
  late: number;
  unreadable: number;
  lostRequests: number;
  droppedRequests: number;
  notSampled: number;
  /** null when nothing was evaluated. */
  evaluationSeconds: number | null;
  alarms: number;
}
