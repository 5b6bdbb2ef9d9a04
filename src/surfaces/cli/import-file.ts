import { openAsBlob } from "node:fs";
import type { OperationOutput } from "../../contract/operations.ts";
import type { ApiClient } from "./client.ts";
import { digestOfFile } from "./files.ts";

/**
 * Puts a file into the server's store under the digest of its bytes. The file is read twice, first to hash and then to
 * send; the server hashes what it gets, so a file that changed in between is refused and never stored under a wrong name.
 */
export async function importFile(
  client: ApiClient,
  source: { path: string; file: string; where: string; digest?: string },
): Promise<OperationOutput<"artifacts.put">> {
  const digest = source.digest ?? (await digestOfFile(source.path, source)).digest;
  return client.call("artifacts.put", { params: { digest }, body: await openAsBlob(source.path) });
}
