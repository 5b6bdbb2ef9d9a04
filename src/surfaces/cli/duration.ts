import { malformed } from "./cli-error.ts";

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `90`, `90s`, `10m`, `2h` or `30d`, in seconds. */
export function durationSeconds(text: string, where: string): number {
  const match = /^(\d{1,9})([smhd]?)$/.exec(text);
  const seconds = match === null ? 0 : Number(match[1]) * (UNIT_SECONDS[match[2] || "s"] ?? 0);
  if (seconds <= 0)
    throw malformed(`bad duration ${JSON.stringify(text.slice(0, 40))}`, where, "must be such as 90s, 10m, 2h or 30d");
  return seconds;
}
