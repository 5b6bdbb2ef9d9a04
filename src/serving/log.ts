/** The part of a pino logger that the data plane uses. Fields never hold payloads, tokens or model bytes. */
export interface Log {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}
