/**
 * A line of a capture that stands for requests which could not be captured, so that whoever reads the capture knows how
 * much of it is missing and says so. Serving writes one as soon as it can write again.
 */
export function lossLine(requests: number): string {
  return JSON.stringify({ captureLoss: { requests } });
}

/** With what such a line begins, and no other does. */
export const LOSS_LINE_START = '{"captureLoss":';

/** How many requests the line stands for; undefined when it is another line. */
export function lossOfLine(line: string): number | undefined {
  if (!line.startsWith(LOSS_LINE_START)) return undefined;
  try {
    const { captureLoss } = JSON.parse(line) as { captureLoss: unknown };
    const requests = (captureLoss as { requests?: unknown } | null)?.requests;
    return typeof requests === "number" && Number.isSafeInteger(requests) && requests > 0 ? requests : undefined;
  } catch {
    return undefined;
  }
}
