/** Three significant digits, which is what a person compares; small and large ones with their power of ten. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? "infinite" : String(value);
  const rounded = Number(value.toPrecision(3));
  const size = Math.abs(rounded);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? rounded.toExponential().replace("e+", "e") : String(rounded);
}

/** A chance in one digit when it is small. What is below every number a computer has is not 0. */
export function shownChance(pValue: number): string {
  if (pValue < 1e-300) return "p below 1e-300";
  return pValue < 0.001 ? `p ${pValue.toExponential(0)}` : `p ${Number(pValue.toPrecision(2))}`;
}

/** With commas between thousands, e.g. `1,200`. */
export const shownCount = (count: number): string => String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ",");

export const shownPercent = (share: number): string => `${shown(share * 100)} %`;
