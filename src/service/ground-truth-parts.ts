/** What taking labels needs beside the engine's parts. */
export interface GroundTruthParts {
  /** The key of inference ids' pseudonyms, the same that the data plane and the monitor have. */
  captureKey(): Promise<Uint8Array>;
}
