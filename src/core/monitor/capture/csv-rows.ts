/** The cells of a CSV body without a header, as RFC 4180 has them; empty lines are none. */
export function csvRows(text: string): string[][] {
  const lines = text.includes('"') ? quotedLines(text) : text.split("\n").map((line) => line.split(","));
  return lines
    .map((cells) => cells.map((cell) => cell.trim()))
    .filter(([first, second]) => first !== "" || second !== undefined);
}

/** Commas and line ends within quotes are part of a cell. A quote that does not end takes the rest. */
function quotedLines(text: string): string[][] {
  const lines: string[][] = [];
  let line: string[] = [];
  let at = 0;
  for (;;) {
    const cell = cellAt(text, at);
    line.push(cell.value);
    const end = text[cell.end];
    if (end !== ",") {
      lines.push(line);
      line = [];
    }
    if (end === undefined) return lines;
    at = cell.end + 1;
  }
}

/** A cell that begins there, and where the comma or line end after it stands. */
function cellAt(text: string, start: number): { value: string; end: number } {
  if (text[start] !== '"') {
    const end = endAfter(text, start);
    return { value: text.slice(start, end), end };
  }
  let value = "";
  let from = start + 1;
  for (;;) {
    const quote = text.indexOf('"', from);
    if (quote === -1) return { value: value + text.slice(from), end: text.length };
    value += text.slice(from, quote);
    if (text[quote + 1] !== '"') return { value, end: endAfter(text, quote + 1) };
    value += '"';
    from = quote + 2;
  }
}

function endAfter(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== "," && text[at] !== "\n") at += 1;
  return at;
}
