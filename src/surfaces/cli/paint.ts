/** Colours when the reader is a terminal that wants them. Meaning is never carried by colour alone. */
export interface Paint {
  strong(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  faint(text: string): string;
}

const PLAIN: Paint = { strong: same, good: same, bad: same, warn: same, faint: same };
const COLOURED: Paint = {
  strong: code(1, 22),
  good: code(32, 39),
  bad: code(31, 39),
  warn: code(33, 39),
  faint: code(2, 22),
};

export function paint(coloured: boolean): Paint {
  return coloured ? COLOURED : PLAIN;
}

function same(text: string): string {
  return text;
}

function code(on: number, off: number): (text: string) => string {
  return (text) => `\u001b[${on}m${text}\u001b[${off}m`;
}
