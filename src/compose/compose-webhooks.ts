import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import { ContinuumError } from "../core/error.ts";
import { hostOf } from "../core/network/address.ts";
import { DEFAULT_PORTS } from "../drivers/notifications/webhook/address-rules.ts";
import { webhookNotifications } from "../drivers/notifications/webhook/webhook-notifications.ts";
import { createSecretFile } from "../drivers/secrets/local/create-secret-file.ts";
import { localSecrets } from "../drivers/secrets/local/local-secrets.ts";
import type { WebhookParts } from "../engine/webhook-parts.ts";
import { webhookSealingKey } from "../engine/webhook-secret.ts";

/** Where webhooks may go, as the operator says, and the key of their secrets, which is made when it is first needed. */
export function composeWebhooks(config: Config): WebhookParts {
  const { internalHosts, plainHttpHosts, linkBaseUrl } = config.webhooks;
  const rules = {
    internalHosts: hostsOf("webhooks.internalHosts", internalHosts),
    plainHttpHosts: hostsOf("webhooks.plainHttpHosts", plainHttpHosts),
    ports: DEFAULT_PORTS,
  };
  let key: Promise<Uint8Array> | undefined;
  return {
    notifications: webhookNotifications({ rules }),
    sealingKey: () => {
      key ??= readKey(config).catch((error: unknown) => {
        key = undefined;
        throw error;
      });
      return key;
    },
    ...(linkBaseUrl === undefined ? {} : { linkBaseUrl: linkBaseUrl.replace(/\/+$/, "") }),
  };
}

/** Brought into the form that a URL's host has, so that `10.1` and `10.0.0.1` are the same host. */
function hostsOf(setting: string, list: string): ReadonlySet<string> {
  const hosts = list.split(",").map((host) => host.trim());
  return new Set(hosts.filter((host) => host !== "").map((host) => namedHost(setting, host)));
}

function namedHost(setting: string, host: string): string {
  const isBareIpv6 = host.includes(":") && !host.startsWith("[");
  const url = `http://${isBareIpv6 ? `[${host}]` : host}/`;
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed !== undefined && parsed.port === "") return hostOf(parsed);
  throw new ContinuumError(
    "bad-webhook-host",
    `bad setting ${setting}, ${JSON.stringify(host)} is no host, must be a name or an address without a port`,
  );
}

async function readKey(config: Config): Promise<Uint8Array> {
  const { keyReference } = config.webhooks;
  const folder = join(config.dataDir, "keys");
  if (keyReference === `file:${join(folder, "webhooks.key")}`) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await createSecretFile(join(folder, "webhooks.key"), randomBytes(32));
  }
  return webhookSealingKey(await localSecrets({ environment: process.env }).read(keyReference));
}
