/** What went wrong in a run, and how often: a simulation in which nothing does proves nothing. */
export const FAULTS = [
  "worker died",
  "worker froze",
  "crashed when claimed",
  "crashed when performed",
  "crashed when committed",
  "crashed when watching",
  "crashed when retrying",
  "zombie's answer fenced",
  "commit never arrived",
  "commit answer lost",
  "commit answer lost to a person",
  "job delivered twice",
  "jobs out of order",
  "notification lost",
  "clock jumped ahead",
  "clock jumped back",
  "database restarted",
  "free slot left to the sweep",
  "target away",
  "target lied about success",
  "call refused",
  "call lied about",
  "call answer lost",
  "call late",
  "call slow",
  "call answered late",
  "old generation refused",
  "reconciled",
] as const;
export type Fault = (typeof FAULTS)[number];

export class Tally {
  readonly counts = new Map<Fault, number>();

  add(fault: Fault): void {
    this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1);
  }
}
