import type { ArmWindow } from "./arm-window.ts";

export function shareOf(arm: ArmWindow): number {
  return arm.requests === 0 ? 0 : arm.errors / arm.requests;
}

export function counted(arm: ArmWindow): string {
  return `${arm.errors} of ${arm.requests} failed`;
}

export function percentText(value: number): string {
  return `${Number((100 * value).toPrecision(3))} %`;
}

export function milliseconds(value: number | null): string {
  return value === null ? "an unknown time" : `${Number(value.toPrecision(3))} ms`;
}

/** Evidence as a person reads it. */
export function short(value: number): string {
  return value >= 1000 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}
