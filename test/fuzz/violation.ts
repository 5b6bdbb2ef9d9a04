/** A property that did not hold. Its message begins the same for all inputs that break the same thing. */
export class Violation extends Error {
  override readonly name = "Violation";
}

const ROOT = new URL("../../", import.meta.url).pathname;
const LINE_CHARACTERS_MAX = 4000;

/** What no user may ever be shown: a stack trace, a source path of ours, or a secret. */
export function checkShown(text: string, secrets: readonly string[] = []): void {
  const at = /^\s*at .+:\d+:\d+\)?$/m.exec(text) ?? /node_modules\/|node:internal|file:\/\/\/.*\.[jt]s/.exec(text);
  if (at !== null) throw new Violation(`shows a stack or a path: ${at[0].slice(0, 200)}`);
  if (text.includes(`${ROOT}src/`)) throw new Violation("shows a source path");
  if (secrets.some((secret) => text.includes(secret))) throw new Violation("shows a secret");
}

/** A refusal's line: there is one, it is of bearable length, and it cannot command a terminal. */
export function checkLine(text: string, secrets: readonly string[] = []): void {
  checkShown(text, secrets);
  if (text.trim() === "") throw new Violation("says nothing");
  if (text.length > LINE_CHARACTERS_MAX) throw new Violation(`says ${text.length} characters in one line`);
  const bad = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.exec(text);
  if (bad !== null) {
    const point = (bad[0].codePointAt(0) ?? 0).toString(16);
    throw new Violation(`says the character U+${point} in a line: ${JSON.stringify(text.slice(0, 200))}`);
  }
}

export function holds(condition: boolean, property: string): asserts condition {
  if (!condition) throw new Violation(property);
}
