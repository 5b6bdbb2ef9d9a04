import type { z } from "zod";
import type { Problem } from "../error.ts";
import { printable } from "../plan/input-rules.ts";

/** The first thing a schema objects to, in bounded words that a terminal shows as they are: names of fields may be their writer's. */
export function firstProblem(error: z.ZodError): Problem {
  const [issue] = error.issues;
  const path = issue === undefined ? "" : issue.path.map((part) => `/${String(part)}`).join("");
  const message =
    issue?.code === "unrecognized_keys" ? "holds a field that is not known here" : (issue?.message ?? "is malformed");
  return { path: printable(path.slice(0, CHARACTERS_MAX)), message: message.slice(0, CHARACTERS_MAX) };
}

const CHARACTERS_MAX = 200;
