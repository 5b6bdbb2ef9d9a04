import { holdTestServer } from "../src/store/testing/test-database.ts";

/** Runs once around a whole test run: the database server that files start on demand stays up until the run ends. */
export async function setup(): Promise<() => Promise<void>> {
  const server = await holdTestServer();
  return () => server.release();
}
