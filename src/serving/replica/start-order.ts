import { z } from "zod";

/**
 * What a replica is told over its standard input: a 4-byte length, this as JSON, then the model's bytes to the end.
 * A pipe, because a decrypted model must never be a file.
 */
export const startOrderSchema = z.strictObject({
  socketPath: z.string(),
  /** Proves to the replica that the caller may use it, and to the caller that this is the replica it started. */
  token: z.string(),
  variant: z.string(),
  servedName: z.string(),
  modelVersion: z.string(),
  threads: z.number().int().min(1),
  /** When nobody is connected and this file is gone or does not hold the token, nobody will ever come back. */
  stateFile: z.string(),
  /** How long nobody may be connected even if that file is there, in milliseconds. */
  orphanMsMax: z.number().int().positive(),
});
export type StartOrder = z.infer<typeof startOrderSchema>;

const tensorSchema = z.object({
  name: z.string(),
  type: z.enum([
    "float32",
    "float64",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "bool",
    "string",
  ]),
  shape: z.array(z.union([z.number(), z.string()])),
});

/** The one line a replica writes to its standard output when it is ready, or cannot be. */
export const startReportSchema = z.discriminatedUnion("ok", [
  z.object({ ok: z.literal(true) }),
  z.object({ ok: z.literal(false), code: z.string(), reason: z.string() }),
]);
export type StartReport = z.infer<typeof startReportSchema>;

/** The answer to `hello`. */
export const helloSchema = z.object({
  pid: z.number().int(),
  variant: z.string(),
  inputs: z.array(tensorSchema),
  outputs: z.array(tensorSchema),
});
export type Hello = z.infer<typeof helloSchema>;
