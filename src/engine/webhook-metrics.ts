import { Counter, Gauge, type Registry } from "prom-client";
import { readWebhookGauges, type WebhookGauges } from "../store/queries/webhook-deliveries.ts";
import type { TellingParts } from "./webhook-parts.ts";
import type { WebhookPumpOptions } from "./webhook-pump.ts";

/** What the workers tell of webhooks: attempts by how they ended, and what is there now. No tenant, no address. */
export function webhookMetrics(
  registry: Registry,
  { database }: Pick<TellingParts, "database">,
): Required<Pick<WebhookPumpOptions, "onAttempt">> {
  const registers = [registry];
  const attempts = new Counter({
    name: "continuum_webhook_attempts_total",
    help: "Attempts to deliver a message to a webhook, by result.",
    labelNames: ["result"],
    registers,
  });
  let underWay: Promise<WebhookGauges | undefined> | undefined;
  const read = () => {
    // What the database does not say now is left out: continuum_database_up tells why.
    underWay ??= readWebhookGauges(database)
      .catch(() => undefined)
      .finally(() => {
        underWay = undefined;
      });
    return underWay;
  };
  new Gauge({
    name: "continuum_webhooks",
    help: "Webhooks by state: enabled, failing (enabled and nothing arrives), disabled (turned off because of failures).",
    labelNames: ["state"],
    registers,
    async collect() {
      const gauges = await read();
      this.reset();
      if (gauges === undefined) return;
      this.set({ state: "enabled" }, gauges.enabled);
      this.set({ state: "failing" }, gauges.failing);
      this.set({ state: "disabled" }, gauges.disabled);
    },
  });
  new Gauge({
    name: "continuum_webhook_deliveries_pending",
    help: "Messages that have not arrived yet and will be tried again.",
    registers,
    async collect() {
      const gauges = await read();
      this.reset();
      if (gauges !== undefined) this.set(gauges.pending);
    },
  });
  return { onAttempt: (failure) => attempts.inc({ result: failure ?? "delivered" }) };
}
