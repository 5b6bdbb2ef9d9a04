import { readFileSync } from "node:fs";

/**
 * A process as it can be written into a file and recognised later. The start time tells it from another process that
 * was given the same number afterwards; it is empty where the system does not say.
 */
export interface ProcessMark {
  pid: number;
  startedAt: string;
}

export function markOf(pid: number): ProcessMark {
  return { pid, startedAt: startOf(pid) };
}

export function isAlive(mark: ProcessMark): boolean {
  try {
    process.kill(mark.pid, 0);
  } catch (error) {
    // Not allowed to signal it means that it is there.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const startedAt = startOf(mark.pid);
  if (startedAt === ENDED) return false;
  return mark.startedAt === "" || startedAt === "" || startedAt === mark.startedAt;
}

const ENDED = "ended";

/** Field 22 of /proc/pid/stat, ticks since the boot (proc_pid_stat(5)); the name in field 2 may hold spaces. */
function startOf(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    // A zombie has ended; only its parent has not looked yet.
    return fields[0] === "Z" ? ENDED : (fields[19] ?? "");
  } catch {
    return "";
  }
}
