import { DOCUMENT_BYTES_MAX } from "../plan/input-rules.ts";

/** Brackets within brackets. Cedar reads them by recursion on a stack of its own, and at about 65 that runs out. */
const BRACKETS_MAX = 32;
/** Operators and conditionals of one policy, which nest as deep as there are many of them. */
const OPERATORS_MAX = 500;
/** Of a policy in Cedar's JSON, whose reader stops at 128 levels, some of which the list of policies takes. */
const LEVELS_MAX = 110;

const OPENING = "([{";
const CLOSING = ")]}";
const OPERATOR = "&|!+-*.=<>";

/**
 * Why a Cedar text is not given to Cedar: a text that outgrows the stack of its WebAssembly leaves it broken, and no
 * question is answered from then on. It knows strings and comments, and nothing else of the language.
 */
export function textNestingProblem(text: string): { offset: number; message: string } | undefined {
  if (Buffer.byteLength(text, "utf8") > DOCUMENT_BYTES_MAX)
    return { offset: 0, message: `longer than ${DOCUMENT_BYTES_MAX} bytes; write several files` };
  let brackets = 0;
  let operators = 0;
  for (let offset = 0; offset < text.length; offset += 1) {
    const character = text[offset] ?? "";
    if (character === '"') offset = endOfString(text, offset);
    else if (character === "/" && text[offset + 1] === "/") offset = endOfLine(text, offset);
    else if (character === ";") operators = 0;
    else if (OPENING.includes(character)) brackets += 1;
    else if (CLOSING.includes(character)) brackets -= 1;
    else if (OPERATOR.includes(character) || text.startsWith("if", offset)) operators += 1;
    if (brackets > BRACKETS_MAX)
      return { offset, message: `brackets nested deeper than ${BRACKETS_MAX} levels; write a simpler condition` };
    if (operators > OPERATORS_MAX)
      return { offset, message: `more than ${OPERATORS_MAX} operators in one policy; write several policies` };
  }
  return undefined;
}

/** Why a policy that Cedar could read is too deep to be handed back to it; undefined when it is not. */
export function policyNestingProblem(policy: unknown): string | undefined {
  let level = [policy];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > LEVELS_MAX)
      return "its condition chains or nests too many operators (about 50); write several policies";
    level = level.flatMap((value) => (typeof value === "object" && value !== null ? Object.values(value) : []));
  }
  return undefined;
}

function endOfString(text: string, start: number): number {
  for (let offset = start + 1; offset < text.length; offset += 1) {
    if (text[offset] === "\\") offset += 1;
    else if (text[offset] === '"') return offset;
  }
  return text.length;
}

function endOfLine(text: string, start: number): number {
  const end = text.indexOf("\n", start);
  return end === -1 ? text.length : end;
}
