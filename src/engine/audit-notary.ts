import { ContinuumError } from "../core/error.ts";
import { tenantsWithoutCheckpoint } from "../store/queries/audit-checkpoints.ts";
import { makeCheckpoint } from "./audit-checkpoint.ts";
import { ROLLOUT_ENDED } from "./audit-log.ts";
import { type NotaryParts, originParts } from "./audit-parts.ts";
import { type PublicationResult, publishCheckpoints } from "./audit-publish.ts";
import { Errand } from "./errand.ts";

export interface AuditNotaryOptions {
  parts: NotaryParts;
  /** Called after each checkpoint and each publication, for metrics; neither may throw. */
  onCheckpoint?(): void;
  onPublication?(result: PublicationResult): void;
  /** How many logs do not continue what was signed or published before. */
  onRewritten?(logs: number): void;
}

/** The log is not what it was; everything else passes. */
const BROKEN: ReadonlySet<string> = new Set(["audit-rewritten", "audit-broken"]);
/** What ends within a second shares one checkpoint. */
const BATCH_MS = 1_000;

/**
 * Signs the audit logs at an interval, and soon after a rollout ended, and publishes what it signed. Any number of
 * workers do this beside one another: the first makes it, the others find it made. Nothing waits for it.
 */
export class AuditNotary {
  readonly #options: AuditNotaryOptions;
  readonly #stopping = new AbortController();
  readonly #errand: Errand;
  #unlisten: (() => Promise<void>) | undefined;
  #running: Promise<void> | undefined;
  /** Tenants whose log was found to be rewritten, so that it is said once. */
  readonly #rewritten = new Set<string>();
  /** Archives whose newest publication failed, and how. */
  readonly #failing = new Map<string, PublicationResult["result"]>();
  /** Why the newest attempt to sign failed; undefined when it did not. */
  #unsigned: string | undefined;

  constructor(options: AuditNotaryOptions) {
    this.#options = options;
    const { intervalMs } = options.parts.checkpoints;
    this.#errand = new Errand({
      work: () => this.#look(),
      fastestMs: Math.min(BATCH_MS, intervalMs),
      slowestMs: intervalMs,
      onFailure: (error) => options.parts.log.warn("audit-notary-failed", { reason: String(error) }),
    });
  }

  async start(): Promise<void> {
    const { database } = this.#options.parts;
    this.#unlisten = await database.listen(
      ROLLOUT_ENDED,
      () => void setTimeout(() => this.#errand.call(), BATCH_MS).unref(),
    );
    this.#running = this.#errand.run(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.#unlisten?.();
  }

  /** What its keeper should know, one sentence each. None of it keeps anything from being deployed. */
  problems(): string[] {
    const logs = this.#rewritten.size;
    return [
      ...(logs === 0 ? [] : [`${logs} audit logs do not continue what was signed of them before: run audit verify.`]),
      ...(this.#unsigned === undefined ? [] : [`Audit logs are not signed: ${this.#unsigned}.`]),
      ...[...this.#failing].map(([archive, result]) =>
        result === "conflict"
          ? `The archive ${archive} knows another story of an audit log: run audit verify.`
          : `Checkpoints of audit logs do not reach the archive ${archive} (${result}); they are tried again.`,
      ),
    ];
  }

  async #look(): Promise<number | undefined> {
    const { parts, onCheckpoint, onPublication, onRewritten } = this.#options;
    const tenants = await tenantsWithoutCheckpoint(parts.database, await originParts(parts.database));
    this.#unsigned = undefined;
    for (const tenant of new Set([...tenants, ...this.#rewritten])) {
      if (await this.#sign(tenant)) onCheckpoint?.();
    }
    onRewritten?.(this.#rewritten.size);
    const due = await publishCheckpoints(parts, (publication) => {
      const { archive, result } = publication;
      if (result === "published") this.#failing.delete(archive);
      else this.#failing.set(archive, result);
      onPublication?.(publication);
    });
    return due === null ? undefined : Math.max(0, due.getTime() - parts.nowMs());
  }

  /** What is wrong with one tenant's log, or an archive that is away, keeps no other from being signed. */
  async #sign(tenant: string): Promise<boolean> {
    const { parts } = this.#options;
    try {
      const made = await makeCheckpoint(parts, tenant);
      if (this.#rewritten.delete(tenant)) parts.log.info("audit-continues", { tenant });
      return made;
    } catch (error) {
      const reason = error instanceof Error ? error.message : "unknown";
      if (!(error instanceof ContinuumError) || !BROKEN.has(error.code)) {
        this.#unsigned = reason;
        parts.log.warn("audit-checkpoint-failed", { tenant, reason });
      } else if (!this.#rewritten.has(tenant)) {
        this.#rewritten.add(tenant);
        parts.log.error("audit-rewritten", { tenant, reason });
      }
      return false;
    }
  }
}
