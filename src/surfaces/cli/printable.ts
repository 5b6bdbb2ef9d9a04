// Texts from files and servers may carry escape sequences that would rewrite what a person sees, also by turning the
// reading direction round; they are shown as visible marks instead.
const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** One line that a terminal shows as it is. */
export function printable(text: string): string {
  return text.replace(CONTROL, (character) => (character === "\n" || character === "\t" ? " " : "\ufffd"));
}

/** A value of any kind in one short line. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return "-";
  return printable(typeof value === "string" ? value : JSON.stringify(value));
}
