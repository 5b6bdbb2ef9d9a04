import type { FileDifference } from "../../core/evidence/model-manifest.ts";
import { printable } from "./printable.ts";

const SHOWN_MAX = 20;

/** One line for each file that is not as it was listed, and how many more there are. */
export function differencesText(differences: readonly FileDifference[]): string {
  const lines = differences.slice(0, SHOWN_MAX).map(({ what, path, signedPath }) => {
    const from = signedPath === undefined ? "" : `  (was ${printable(signedPath)})`;
    return `  ${what.padEnd(8)} ${printable(path)}${from}`;
  });
  const more = differences.length - lines.length;
  return [...lines, ...(more > 0 ? [`  and ${more} more`] : [])].map((line) => `${line}\n`).join("");
}
