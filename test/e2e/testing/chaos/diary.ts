import { copyFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What was done to an installation and when, so that a failure can be understood. */
export class Diary {
  readonly lines: string[] = [];
  readonly #counts = new Map<string, number>();
  readonly #startedAtMs = Date.now();

  write(kind: string, what: string): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    const seconds = ((Date.now() - this.#startedAtMs) / 1000).toFixed(2);
    this.lines.push(`${new Date().toISOString()} +${seconds.padStart(7)} ${kind} ${what}`);
  }

  count(kind: string): number {
    return this.#counts.get(kind) ?? 0;
  }

  get summary(): string {
    return [...this.#counts].map(([kind, count]) => `${kind} ${count}`).join(", ");
  }

  /** Keeps the diary and the installation's log for whoever looks into a failure; answers where. */
  keep({ seed, logFile, why }: { seed: number; logFile: string; why: string }): string {
    const path = join(tmpdir(), `continuum-chaos-${seed}-${this.#startedAtMs}`);
    writeFileSync(`${path}.txt`, `CHAOS_SEED=${seed}\n${why}\n\n${this.lines.join("\n")}\n`);
    copyFileSync(logFile, `${path}.log`);
    return `${path}.txt and ${path}.log`;
  }
}
