import type { DoctorFinding } from "../core/doctor/finding.ts";

/** What was looked at, before it is known how it is. */
export interface Looked {
  check: string;
  looked: string;
}

export function ok(at: Looked, seen: string): DoctorFinding {
  return { ...at, state: "ok", seen, mend: null };
}

export function note(at: Looked, seen: string, mend: string | null = null): DoctorFinding {
  return { ...at, state: "note", seen, mend };
}

export function broken(at: Looked, seen: string, mend: string): DoctorFinding {
  return { ...at, state: "broken", seen, mend };
}

/** `EACCES` of a file that may not be read, else the first line of what was said. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === "string" && /^E[A-Z]+$/.test(code) ? code : (error.message.split("\n")[0] ?? error.name);
}

export function sizeText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const value = bytes / 1024 ** power;
  return `${value >= 10 || power === 0 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}
