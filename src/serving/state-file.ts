import { mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { ContinuumError } from "../core/error.ts";
import { guardSchema, invokeCredentialSchema, trippedSchema, versionSchema } from "./protocol.ts";

/** What a restart needs to serve again before anyone calls: no model bytes, no tokens of callers, only their hashes. */
const replicaSchema = z.strictObject({
  id: z.string(),
  pid: z.number().int(),
  socketPath: z.string(),
  token: z.string(),
  startTicks: z.string().nullable(),
});
const variantSchema = z.strictObject({
  spec: versionSchema,
  life: z.strictObject({ requests: z.number(), errors: z.number() }),
  replicas: z.array(replicaSchema),
});
const endpointSchema = z.strictObject({
  tenant: z.string(),
  environment: z.enum(["development", "staging", "production"]),
  name: z.string(),
  generation: z.number(),
  doneKeys: z.array(z.string()),
  percent: z.number(),
  guard: guardSchema.nullable(),
  tripped: trippedSchema.extend({ metric: z.enum(["errors", "latency", "health"]) }).nullable(),
  stable: variantSchema.nullable(),
  candidate: variantSchema.nullable(),
  /** The evidence of the rollout under way; whoever takes it up checks its shape. */
  judge: z.unknown().optional(),
  /** Likewise of the watch over the version that serves. */
  watch: z.unknown().optional(),
});
const stateSchema = z.strictObject({
  version: z.literal(1),
  credentialsRevision: z.number(),
  credentials: z.array(invokeCredentialSchema),
  endpoints: z.array(endpointSchema),
});
export type ServingState = z.infer<typeof stateSchema>;
export type EndpointState = z.infer<typeof endpointSchema>;
export type VariantState = z.infer<typeof variantSchema>;

export const EMPTY_STATE: ServingState = { version: 1, credentialsRevision: -1, credentials: [], endpoints: [] };

/** Throws when the file is there and is not what this program wrote: serving something else silently is worse. */
export async function readState(path: string): Promise<ServingState> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return EMPTY_STATE;
    throw error;
  }
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new ContinuumError("bad-state", `the serving state ${path} cannot be read; restore it or move it away`, {
      cause,
    });
  }
}

/** Writes the newest state, one write at a time, each a whole new file that replaces the one before. */
export class StateWriter {
  readonly #path: string;
  readonly #state: () => ServingState;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(options: { path: string; state: () => ServingState }) {
    this.#path = options.path;
    this.#state = options.state;
  }

  /** Resolves when everything that is true now is on the disk. */
  save(): Promise<void> {
    if (this.#running === null) {
      this.#running = this.#write().finally(() => {
        this.#running = null;
      });
      return this.#running;
    }
    // Whoever comes while a write runs shares the one after it.
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = null;
        return this.save();
      });
    return this.#next;
  }

  async #write(): Promise<void> {
    const temporary = `${this.#path}.new`;
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    const file = await open(temporary, "w", 0o600);
    try {
      await file.writeFile(JSON.stringify(this.#state()));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, this.#path);
    // The file is on the disk; without this its new name may not be after a power cut, and old generations would return.
    const folder = await open(dirname(this.#path), "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}
