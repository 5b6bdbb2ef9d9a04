import type { Command } from "commander";
import type { Config } from "../../config/schema.ts";
import { malformed } from "./cli-error.ts";
import type { ApiClient } from "./client.ts";
import { durationSeconds } from "./duration.ts";
import type { Injected } from "./injected.ts";
import type { Io } from "./io.ts";
import { type Paint, paint } from "./paint.ts";
import { type Column, textTable } from "./text-table.ts";

export type OutputFormat = "table" | "json" | "ndjson";
export type OptionValues = Readonly<Record<string, unknown>>;

/** A page of a list, as the API gives it. */
export interface ItemPage<Item> {
  items: Item[];
  nextCursor: string | null;
}

/** How the settings and the client come about, when a command asks for them. */
export interface ContextLoaders {
  config(context: CommandContext): Promise<Config>;
  client(context: CommandContext): Promise<ApiClient>;
  /** The tree that parses the command line, with nobody behind it. */
  program(): Command;
}

/** What a running command has: its arguments and options, its streams, and on demand the settings and the client. */
export class CommandContext {
  readonly args: readonly string[];
  readonly io: Io;
  readonly injected: Injected;
  readonly format: OutputFormat;
  readonly quiet: boolean;
  readonly wait: boolean;
  /** Seconds, as `--timeout` says; undefined when it was not given. */
  readonly timeoutSeconds: number | undefined;
  /** For what stands on stdout. */
  readonly paint: Paint;
  readonly #options: OptionValues;
  readonly #loaders: ContextLoaders;
  #config: Promise<Config> | undefined;
  #client: Promise<ApiClient> | undefined;

  constructor(parts: {
    args: readonly string[];
    options: OptionValues;
    format: OutputFormat;
    io: Io;
    injected: Injected;
    loaders: ContextLoaders;
  }) {
    this.args = parts.args;
    this.#options = parts.options;
    this.#loaders = parts.loaders;
    this.format = parts.format;
    this.io = parts.io;
    this.injected = parts.injected;
    this.quiet = this.flag("quiet");
    this.wait = this.flag("wait");
    const timeout = this.text("timeout");
    this.timeoutSeconds = timeout === undefined ? undefined : durationSeconds(timeout, "--timeout");
    this.paint = paint(this.wantsColor(parts.io.stdoutIsTerminal));
  }

  /** NO_COLOR is the custom of https://no-color.org. */
  wantsColor(isTerminal: boolean): boolean {
    const { NO_COLOR, TERM } = this.io.environment.variables;
    return isTerminal && this.#options["color"] !== false && !NO_COLOR && TERM !== "dumb";
  }

  text(name: string): string | undefined {
    const value = this.#options[name];
    return typeof value === "string" ? value : undefined;
  }

  flag(name: string): boolean {
    return this.#options[name] === true;
  }

  list(name: string): string[] {
    const value = this.#options[name];
    return Array.isArray(value) ? value.map(String) : [];
  }

  integer(name: string, range: { min: number; max: number }): number | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : integerOf(value, `--${kebab(name)}`, range);
  }

  /** The argument at this place; commander has made sure of the required ones. */
  argument(index: number): string {
    return this.args[index] ?? "";
  }

  config(): Promise<Config> {
    this.#config ??= this.#loaders.config(this);
    return this.#config;
  }

  client(): Promise<ApiClient> {
    this.#client ??= this.#loaders.client(this);
    return this.#client;
  }

  program(): Command {
    return this.#loaders.program();
  }

  /** The result: as JSON when that was asked for, else as text for people. */
  async show(value: unknown, text: () => string): Promise<void> {
    if (this.format === "json") await this.io.out(`${JSON.stringify(value, null, 2)}\n`);
    else if (this.format === "ndjson") await this.io.out(`${JSON.stringify(value)}\n`);
    else await this.io.out(text());
  }

  /** A page: JSON keeps its cursor, ndjson is one item a line, a table says when there is more. */
  async showPage<Item>(page: ItemPage<Item>, columns: readonly Column<Item>[], empty: string): Promise<void> {
    if (this.format === "ndjson") {
      for (const item of page.items) await this.io.out(`${JSON.stringify(item)}\n`);
      return;
    }
    await this.show(page, () => textTable(page.items, columns, empty));
    if (this.format === "table" && page.nextCursor !== null) this.note(`more: --cursor ${page.nextCursor}, or --all`);
  }

  /** A word beside the result, for people; never on stdout. */
  note(text: string): void {
    if (!this.quiet) this.io.err(`${text}\n`);
  }
}

export function integerOf(text: string, where: string, range: { min: number; max: number }): number {
  const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= range.min && value <= range.max) return value;
  throw malformed(
    `bad number ${JSON.stringify(text.slice(0, 40))}`,
    where,
    `must be an integer from ${range.min} to ${range.max}`,
  );
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
