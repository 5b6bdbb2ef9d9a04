import type { z } from "zod";
import type { Problem } from "../error.ts";

/** The first thing a schema objects to, in bounded words: names of unknown fields are their writer's, and may be long. */
export function firstProblem(error: z.ZodError): Problem {
  const [issue] = error.issues;
  const path = issue === undefined ? "" : issue.path.map((part) => `/${String(part)}`).join("");
  const message =
    issue?.code === "unrecognized_keys" ? "holds a field that is not known here" : (issue?.message ?? "is malformed");
  return { path: path.slice(0, CHARACTERS_MAX), message: message.slice(0, CHARACTERS_MAX) };
}

const CHARACTERS_MAX = 200;
