import type fc from "fast-check";

/** Something that reads what strangers wrote. Inputs are plain values and bytes, so that a failing one fits in a file. */
export interface FuzzTarget {
  name: string;
  /** Of a whole run's inputs, in thousandths. What starts a process for each input gets few. */
  share: number;
  open(): Promise<OpenTarget>;
}

export interface OpenTarget {
  inputs: fc.Arbitrary<unknown>;
  /** How the input was taken: `taken`, or the code of its refusal. Throws when a property does not hold. */
  feed(input: unknown): string | Promise<string>;
  /** What the budget of time grows with. */
  bytesOf(input: unknown): number;
  /** Processes beside this one that work for it: their time and memory count as well. */
  processes(): number[];
  /** What one input may cost at least, in milliseconds of processor time. */
  floorMs: number;
  close(): Promise<void>;
}

interface Parts<Input> {
  inputs: fc.Arbitrary<Input>;
  feed(input: Input): string | Promise<string>;
  bytesOf(input: Input): number;
  processes?(): number[];
  floorMs?: number;
  close?(): Promise<void>;
}

/** A list holds targets of many kinds, so that the kind of an input is known inside of each and nowhere else. */
export function openTarget<Input>(parts: Parts<Input>): OpenTarget {
  return {
    inputs: parts.inputs,
    feed: (input) => parts.feed(input as Input),
    bytesOf: (input) => parts.bytesOf(input as Input),
    processes: () => parts.processes?.() ?? [],
    floorMs: parts.floorMs ?? 250,
    close: async () => parts.close?.(),
  };
}
