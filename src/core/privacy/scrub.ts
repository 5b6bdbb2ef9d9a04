import { hideEmails, hideIpAddresses } from "./hide-addresses.ts";
import { hideNumbers } from "./hide-numbers.ts";
import { hideSecrets } from "./hide-secrets.ts";

/** What stands behind this is cut: a line that long is an accident or an attack, and is not read either. */
export const SCRUBBED_CHARACTERS_MAX = 8192;

/**
 * Puts marks (`[email]`, `[token]`, ...) in the place of what looks like a secret or like personal data. It is the net
 * under a log that has no field for either, not a way to make a text anonymous: names and places have no form that
 * could be found. Takes time in proportion to the text's length, whatever the text, and never adds quotes or
 * backslashes, so that a value stays one.
 */
export function scrub(text: string, options: { addresses?: "hide" | "keep" } = {}): string {
  const whole = text.length > SCRUBBED_CHARACTERS_MAX ? cut(text) : text;
  const hidden = hideNumbers(hideEmails(hideSecrets(whole)));
  return options.addresses === "keep" ? hidden : hideIpAddresses(hidden);
}

/** The last word goes as well: half of a secret would not be known for one. */
function cut(text: string): string {
  const kept = text.slice(0, SCRUBBED_CHARACTERS_MAX);
  const lastGap = Math.max(kept.lastIndexOf(" "), kept.lastIndexOf("\n"), kept.lastIndexOf("\t"));
  return `${kept.slice(0, lastGap + 1)}[cut]`;
}
