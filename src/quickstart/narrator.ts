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
    this.line(`   ${text}`);
  }

  /** Shown while it lasts on a terminal; nowhere else, so that a log stays readable. */
  live(text: string): void {
    if (this.#out.isTTY !== true) return;
    const width = Math.max(20, (this.#out.columns ?? 80) - 1);
    this.#out.write(`\r\x1b[2K${this.#dim(`   ${text}`.slice(0, width))}`);
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
