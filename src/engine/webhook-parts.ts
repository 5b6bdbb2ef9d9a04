import type { Notifications } from "../drivers/notifications/notifications.ts";
import type { EngineParts } from "./engine.ts";
import type { PolicyParts } from "./policy-book.ts";

/** What telling tenants of what happens needs, beside the engine's own parts. */
export interface WebhookParts {
  notifications: Notifications;
  /** The 32 bytes under which secrets lie in the database; the same for every process of an installation. */
  sealingKey(): Promise<Uint8Array>;
  /** Where people find the API, for the link in each message; none is sent when undefined. */
  linkBaseUrl?: string;
}

export type TellingParts = PolicyParts &
  Pick<EngineParts, "database" | "log"> & {
    webhooks: WebhookParts;
  };
