import { claimDeliveries, type DeliveryRow, nextDeliveryAt } from "../store/queries/webhook-deliveries.ts";
import { tenantsWithWebhooks } from "../store/queries/webhooks.ts";
import { type AttemptFailure, deliver } from "./webhook-delivery.ts";
import { dispatchNotifications } from "./webhook-dispatch.ts";
import type { TellingParts } from "./webhook-parts.ts";

export interface WebhookPumpOptions {
  parts: TellingParts;
  /** Attempts under way at a time. Default 8. */
  slots?: number;
  /** After this an attempt that nobody recorded is made again; above the longest that one takes. Default 45 s. */
  leaseMs?: number;
  /** Below the notifications: how often is looked all the same while there are webhooks. Default 15 s. */
  netMs?: number;
  /** Called after each attempt, for metrics; must not throw. */
  onAttempt?(failure: AttemptFailure | null): void;
}

/** One webhook has at most twice as many attempts under way, so that slots are left for the others. */
const PER_WEBHOOK = 2;
/** Under load one look serves many events. */
const PAUSE_MS = 100;
const PAUSE_AFTER_ERROR_MS = 2_000;

/**
 * Tells tenants of what happens: turns the audit log into deliveries and makes the attempts that are due. Any number of
 * workers do this beside one another. Where nobody has a webhook it waits to be told of one, and does nothing else.
 */
export class WebhookPump {
  readonly #options: Required<Omit<WebhookPumpOptions, "onAttempt">> & Pick<WebhookPumpOptions, "onAttempt">;
  #unlisten: (() => Promise<void>) | undefined;
  /** Stops hearing of every event; set while somebody has a webhook. */
  #deafen: (() => Promise<void>) | undefined;
  readonly #busy = new Map<DeliveryRow, Promise<void>>();
  /** Tenants of whom something was told since the last look. */
  readonly #dirty = new Set<string>();
  /** Who has webhooks; undefined when that has to be read again. */
  #tenants: ReadonlySet<string> | undefined;
  #changes = 0;
  #loop: Promise<void> | undefined;
  #stopped = false;
  /** When every tenant is looked at again, on the clock of `performance.now()`. */
  #netAtMs = 0;
  #woken = false;
  #wake: (() => void) | undefined;

  constructor(options: WebhookPumpOptions) {
    this.#options = { slots: 8, leaseMs: 45_000, netMs: 15_000, ...options };
  }

  async start(): Promise<void> {
    const { database } = this.#options.parts;
    // Before the first look, so that nothing falls between the two.
    this.#unlisten = await database.listen("webhooks", () => this.#onWebhooks());
    this.#loop = this.#run();
  }

  /** Attempts under way have `graceMs` to end; one that does not is made again later, by another. */
  async stop(graceMs = 2_000): Promise<void> {
    this.#stopped = true;
    this.#wakeUp();
    await this.#loop;
    const late = new Promise<void>((resolve) => void setTimeout(resolve, graceMs).unref());
    await Promise.race([Promise.all(this.#busy.values()), late]);
    await this.#deafen?.();
    await this.#unlisten?.();
  }

  #onWebhooks(): void {
    this.#changes += 1;
    this.#tenants = undefined;
    this.#wakeUp();
  }

  /** `TENANT/...`, or nothing when notifications were lost. */
  #onEvent(payload: string): void {
    if (payload === "") {
      this.#onWebhooks();
      return;
    }
    const tenant = payload.slice(0, payload.indexOf("/"));
    if (this.#tenants !== undefined && !this.#tenants.has(tenant)) return;
    this.#dirty.add(tenant);
    this.#wakeUp();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#woken = false;
      let waitMs: number | undefined;
      let pauseMs = PAUSE_MS;
      try {
        waitMs = await this.#look();
      } catch (error) {
        this.#options.parts.log.warn("webhooks-failed", { reason: error instanceof Error ? error.name : "unknown" });
        this.#tenants = undefined;
        waitMs = PAUSE_AFTER_ERROR_MS;
        pauseMs = PAUSE_AFTER_ERROR_MS;
      }
      if (!this.#woken) await this.#untilWoken(waitMs);
      else if (!this.#stopped) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  /** Answers after how long to look again; undefined when only a notification can change anything. */
  async #look(): Promise<number | undefined> {
    const { parts, netMs } = this.#options;
    if (this.#tenants === undefined) {
      const changes = this.#changes;
      const found = new Set(await tenantsWithWebhooks(parts.database));
      // Who was told of a change while this was read asked for another look, and may not be answered with this one.
      if (changes !== this.#changes) return 0;
      this.#tenants = found;
      this.#netAtMs = 0;
      await this.#hearEvents(found.size > 0);
    }
    const tenants = this.#tenants;
    if (tenants === undefined) return 0;
    if (tenants.size === 0) return undefined;
    // A notification that was lost costs as much as this, and no more.
    if (performance.now() >= this.#netAtMs) {
      for (const tenant of tenants) this.#dirty.add(tenant);
      this.#netAtMs = performance.now() + netMs;
    }
    for (const tenant of [...this.#dirty]) {
      this.#dirty.delete(tenant);
      if (tenants.has(tenant)) await dispatchNotifications(parts, tenant);
    }
    while (await this.#claim());
    const next = await nextDeliveryAt(parts.database);
    const dueMs = next === undefined ? netMs : next.getTime() - parts.nowMs();
    return Math.min(netMs, Math.max(dueMs, PAUSE_MS));
  }

  /** Every commit of every rollout would wake every worker, so nobody listens where nobody has to be told. */
  async #hearEvents(wanted: boolean): Promise<void> {
    const { database } = this.#options.parts;
    if (wanted) this.#deafen ??= await database.listen("rollout_events", (payload) => this.#onEvent(payload));
    else {
      await this.#deafen?.();
      this.#deafen = undefined;
    }
  }

  /** True when there may be more. */
  async #claim(): Promise<boolean> {
    const { parts, slots, leaseMs } = this.#options;
    const free = slots - this.#busy.size;
    if (free <= 0 || this.#stopped) return false;
    const claimed = await claimDeliveries(parts.database, {
      ...{ nowMs: parts.nowMs(), leaseMs, limit: free, perWebhook: PER_WEBHOOK, busy: this.#busyWebhooks() },
    });
    for (const delivery of claimed) this.#busy.set(delivery, this.#attempt(delivery));
    return claimed.length > 0;
  }

  async #attempt(delivery: DeliveryRow): Promise<void> {
    const { parts, onAttempt } = this.#options;
    try {
      const failure = await deliver(parts, delivery);
      onAttempt?.(failure);
    } catch (error) {
      // The claim runs out and the attempt is made again, under the same id.
      const reason = error instanceof Error ? error.name : "unknown";
      parts.log.warn("webhook-attempt-not-recorded", { tenant: delivery.tenant, reason });
    } finally {
      this.#busy.delete(delivery);
      this.#wakeUp();
    }
  }

  #busyWebhooks(): string[] {
    const counts = new Map<string, number>();
    for (const { tenant, webhook } of this.#busy.keys()) {
      const name = `${tenant}/${webhook}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return [...counts].filter(([, count]) => count > PER_WEBHOOK).map(([name]) => name);
  }

  #wakeUp(): void {
    this.#woken = true;
    this.#wake?.();
  }

  #untilWoken(ms: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }
}
