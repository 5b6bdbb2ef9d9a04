import { StoreError } from "./store-error.ts";

/** SQLSTATEs of a transaction that lost to another one and may run again. */
const REPEATABLE = new Set(["40001", "40P01"]);
/**
 * Classes and codes of a connection that is gone or never came: class 08, shutdowns (57P0x), too many connections, and a
 * transaction that rested or lasted for too long (25P03, 25P04), with which the server ends the connection.
 */
const UNAVAILABLE = /^(08...|57P0[1-5]|53300|25P0[34])$/;
/** The SQLSTATE of a file that could not be made larger. */
const DISK_FULL = "53100";
const SOCKET_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT",
]);
/** What the driver says without a code. */
const DRIVER_MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|connection timeout)/i;

export function isRepeatable(error: unknown): boolean {
  return REPEATABLE.has(codeOf(error));
}

/** A prepared statement whose table was changed by a migration meanwhile; a new connection prepares it anew. */
export function isStalePlan(error: unknown): boolean {
  return codeOf(error) === "0A000" && error instanceof Error && error.message.includes("cached plan");
}

/** True when the connection cannot be used any more, or was never there. */
export function isConnectionFailure(error: unknown): boolean {
  if (error instanceof StoreError) return error.code === "database-unavailable";
  // Several addresses were tried and every one failed.
  if (error instanceof AggregateError) return error.errors.some(isConnectionFailure);
  const code = codeOf(error);
  if (UNAVAILABLE.test(code) || SOCKET_CODES.has(code)) return true;
  return error instanceof Error && DRIVER_MESSAGES.test(error.message);
}

export function toStoreError(error: unknown): unknown {
  if (codeOf(error) === DISK_FULL)
    return new StoreError("database-full", "PostgreSQL's disk is full", { cause: error, retryable: true });
  if (error instanceof StoreError || !isConnectionFailure(error)) return error;
  const reason = error instanceof AggregateError ? String(error.errors[0]) : String(error);
  return new StoreError("database-unavailable", `PostgreSQL cannot be reached: ${reason}`, {
    cause: error,
    retryable: true,
  });
}

/** True when the row broke the named unique index or constraint. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (codeOf(error) !== "23505") return false;
  return constraint === undefined || (error as { constraint?: unknown }).constraint === constraint;
}

function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}
