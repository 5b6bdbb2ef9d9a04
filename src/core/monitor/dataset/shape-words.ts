import type { z } from "zod";

/** The first problem of a shape, as a JSON pointer and a few words. The value itself is never shown. */
export function shapeProblem(error: z.ZodError): { path: string; message: string } {
  const [first] = error.issues;
  const path = (first?.path ?? [])
    .map((key) => `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1").slice(0, 64)}`)
    .join("");
  return { path, message: (first?.message ?? "has another shape").replace(/^Invalid input: /, "") };
}
