import { writeFileSync } from "node:fs";

/** A clock that a test sets while the processes run. */
export interface JumpingClock {
  /** For the environment of `start`. */
  nodeOptions: string;
  /** From about a twentieth of a second later on the clock is so far from the true one. */
  set(offsetSeconds: number): void;
}

/** Of the processes of the roles that are named, as the clock of one host. Files keep the system's own times. */
export function jumpingClock(file: string, roles: readonly string[]): JumpingClock {
  const set = (offsetSeconds: number) => writeFileSync(file, String(offsetSeconds));
  set(0);
  const script = `
    import { readFileSync } from "node:fs";
    if (${JSON.stringify(roles)}.includes(process.argv.at(-1))) {
      const TrueDate = Date;
      let offsetMs = 0;
      const read = () => { offsetMs = 1000 * Number(readFileSync(${JSON.stringify(file)}, "utf8")); };
      read();
      setInterval(read, 50).unref();
      globalThis.Date = class Date extends TrueDate {
        constructor(...given) { given.length === 0 ? super(TrueDate.now() + offsetMs) : super(...given); }
        static now() { return TrueDate.now() + offsetMs; }
      };
    }`;
  return { nodeOptions: `--import=data:text/javascript,${encodeURIComponent(script)}`, set };
}
