/** What a terminal is wide that shows the story as it is meant; the indentation of a fact is a part of it. */
const WIDTH = 120;
const INDENT = "   ";

/** Prints the story: numbered chapters, plain lines, and one line that changes while something is under way. */
export class Narrator {
  readonly #out: NodeJS.WriteStream;
  readonly #startedAtMs = Date.now();
  readonly #color: boolean;
  #chapter = 0;
  #liveShown = false;

  constructor({ color, out = process.stdout }: { color: boolean; out?: NodeJS.WriteStream }) {
    this.#out = out;
    this.#color = color;
  }

  chapter(title: string): void {
    this.#chapter += 1;
    this.line("");
    this.line(`${this.#bold(`${this.#chapter}. ${title}`)}  ${this.#dim(`[${this.#elapsed()}]`)}`);
  }

  line(text: string): void {
    this.#clearLive();
    this.#out.write(`${text}\n`);
  }

  /** An indented fact. */
  say(text: string): void {
    this.line(`${INDENT}${text}`);
  }

  /** Facts of any length, one a line: a longer one goes on in further lines, a little more indented. */
  tell(text: string): void {
    for (const line of text.trimEnd().split("\n")) for (const part of broken(line)) this.say(part);
  }

  /** Shown while it lasts on a terminal; nowhere else, so that a log stays readable. */
  live(text: string): void {
    if (this.#out.isTTY !== true) return;
    const width = Math.max(20, (this.#out.columns ?? 80) - 1);
    this.#out.write(`\r\x1b[2K${this.#dim(`${INDENT}${text}`.slice(0, width))}`);
    this.#liveShown = true;
  }

  get elapsedSeconds(): number {
    return (Date.now() - this.#startedAtMs) / 1000;
  }

  #clearLive(): void {
    if (this.#liveShown) this.#out.write("\r\x1b[2K");
    this.#liveShown = false;
  }

  #elapsed(): string {
    return `${this.elapsedSeconds.toFixed(1)} s`;
  }

  #bold(text: string): string {
    return this.#color ? `\x1b[1m${text}\x1b[0m` : text;
  }

  #dim(text: string): string {
    return this.#color ? `\x1b[2m${text}\x1b[0m` : text;
  }
}

function broken(line: string): string[] {
  const room = WIDTH - INDENT.length;
  const lines: string[] = [];
  let rest = line;
  const further = `${/^ */.exec(line)?.[0] ?? ""}  `;
  while (rest.length > room) {
    const at = rest.lastIndexOf(" ", room);
    // A word that is longer than the line stays whole.
    if (at <= further.length) break;
    lines.push(rest.slice(0, at).trimEnd());
    rest = further + rest.slice(at + 1);
  }
  return [...lines, rest];
}
