import { loadClientSettings } from "../../config/client-settings.ts";
import { malformed } from "./cli-error.ts";
import { type ApiClient, createApiClient } from "./client.ts";
import type { CommandContext } from "./command-context.ts";

/** The client of the server that the options, the environment or the data folder name. */
export async function openClient(context: CommandContext): Promise<ApiClient> {
  const config = await context.config();
  const url = context.text("url");
  const tokenFile = context.text("tokenFile");
  const settings = loadClientSettings({
    environment: context.io.environment,
    dataDir: config.dataDir,
    allowInsecureHttp: config.api.allowInsecureHttp,
    ...(url === undefined ? {} : { url }),
    ...(tokenFile === undefined ? {} : { tokenFile }),
  });
  if (!settings.ok) throw malformed(settings.problem.message, "", "");
  const idempotencyKey = context.text("idempotencyKey");
  if (idempotencyKey !== undefined && !/^[\x21-\x7e]{1,255}$/.test(idempotencyKey))
    throw malformed("bad idempotency key", "--idempotency-key", "must be 1 to 255 printable characters without spaces");
  return createApiClient({
    ...settings.value,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(context.timeoutSeconds === undefined ? {} : { deadlineMs: performance.now() + context.timeoutSeconds * 1000 }),
  });
}
