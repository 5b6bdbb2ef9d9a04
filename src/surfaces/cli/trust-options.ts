import { TRUSTED_PURPOSES } from "../../contract/trust-views.ts";
import { malformed } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";

/** What a signer is trusted for; the command's choices let nothing else through. */
export function purposeOf(context: CommandContext): (typeof TRUSTED_PURPOSES)[number] {
  const purpose = TRUSTED_PURPOSES.find((one) => one === context.text("purpose"));
  if (purpose !== undefined) return purpose;
  throw malformed("no purpose", "--purpose", `must be one of ${TRUSTED_PURPOSES.join(", ")}`);
}

/** Until when, in the form that the API takes; an end in the past is refused by the server. */
export function notAfterOf(context: CommandContext): { notAfter?: string } {
  const text = context.text("notAfter");
  if (text === undefined) return {};
  const atMs = /^\d{4}-\d{2}-\d{2}([T ].+)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs)) throw malformed("no time", "--not-after", "must be like 2027-01-31 or 2027-01-31T12:00:00Z");
  return { notAfter: new Date(atMs).toISOString() };
}
