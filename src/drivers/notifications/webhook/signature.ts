import { createHmac } from "node:crypto";

/**
 * The headers of one attempt, as the Standard Webhooks specification (version 1.0) has them: an HMAC-SHA-256 over
 * `id.seconds.body` for each key, so that a receiver that still has the old secret, or already the new one, can verify.
 */
export function signedHeaders(message: {
  id: string;
  atMs: number;
  body: string;
  secrets: readonly Uint8Array[];
}): Record<"webhook-id" | "webhook-timestamp" | "webhook-signature", string> {
  const seconds = String(Math.floor(message.atMs / 1000));
  const signed = `${message.id}.${seconds}.${message.body}`;
  const signatures = message.secrets.map((key) => `v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
  return {
    "webhook-id": message.id,
    "webhook-timestamp": seconds,
    "webhook-signature": signatures.join(" "),
  };
}
