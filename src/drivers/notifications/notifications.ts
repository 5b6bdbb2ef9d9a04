import type { Parsed } from "../../core/error.ts";

/**
 * Sends one signed message to one address that a tenant chose. Whoever chose it is trusted with their own tenant and
 * with nothing else: where a message may go is the operator's say, and is looked at again for every attempt.
 */
export interface Notifications {
  /**
   * Whether messages may go there: scheme, port, name, and every address that the name has now. A name that has none now
   * is let through, for it may have one when something is sent.
   */
  checkAddress(url: string): Promise<Parsed<{ url: string }>>;
  /** One attempt. What the receiver or the network does is its answer and never thrown. */
  send(message: OutgoingMessage): Promise<SendResult>;
}

export interface OutgoingMessage {
  url: string;
  /** The same for every attempt (`webhook-id`). */
  id: string;
  /** Of this attempt, in milliseconds since 1970 (`webhook-timestamp`, in seconds). */
  atMs: number;
  /** JSON, sent and signed as it is. */
  body: string;
  /** Keys that sign it, the newest first: more than one while a secret is being replaced. */
  secrets: readonly Uint8Array[];
}

/**
 * Why an attempt counts as failed. `address-refused`: the operator does not let messages go there. `gone`: the receiver
 * wants no more of them (410).
 */
export const SEND_FAILURES = [
  "address-refused",
  "name-not-found",
  "connection-failed",
  "tls-failed",
  "timed-out",
  "redirect-refused",
  "status-refused",
  "gone",
] as const;
export type SendFailure = (typeof SEND_FAILURES)[number];

export interface SendResult {
  /** Null when the receiver took the message (2xx). */
  failure: SendFailure | null;
  /** HTTP status; null when there was no answer. */
  status: number | null;
  durationMs: number;
  /** How long the receiver asks to be left alone (`Retry-After` in seconds); 0 when it does not. */
  retryAfterSeconds: number;
}
