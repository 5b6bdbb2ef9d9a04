import { isLoopback } from "../../../config/client-settings.ts";
import { PROBLEMS, type ProblemCode } from "../../../contract/problem.ts";
import { CliError, failed, malformed, timedOut, unreachable } from "../cli-error.ts";
import type { ApiClient } from "../client.ts";
import type { CommandContext } from "../command-context.ts";
import { endpointParams } from "../endpoint-params.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { readInput } from "../files.ts";

const REQUEST_BYTES_MAX = 32 * 1024 * 1024;
const TIMEOUT_SECONDS = 60;

/** Sends one request to the serving process and prints the model's answer as it came. */
export async function endpointInvoke(context: CommandContext): Promise<number> {
  const file = context.text("data") ?? "-";
  const body = await readInput(context, { file, where: "--data", bytesMax: REQUEST_BYTES_MAX });
  const contentType = context.text("contentType") ?? contentTypeOf(file, body);
  const client = await context.client();
  const url = await invokeUrl(context, client);
  const response = await post(context, { url, body, contentType, token: client.token });
  const answer = await response.text();
  if (!response.ok) throw refusal(response, answer);
  const variant = response.headers.get("x-continuum-variant");
  const modelVersion = response.headers.get("x-continuum-model-version");
  await context.show({ status: response.status, variant, modelVersion, body: jsonOrText(answer) }, () =>
    answer.endsWith("\n") ? answer : `${answer}\n`,
  );
  if (context.format === "table" && variant !== null)
    context.note(`answered by ${variant}${modelVersion === null ? "" : `, version ${modelVersion}`}`);
  return EXIT.ok;
}

function contentTypeOf(file: string, body: Uint8Array): string {
  if (/\.csv$/i.test(file)) return "text/csv";
  if (/\.json$/i.test(file)) return "application/json";
  const first = Buffer.from(body.subarray(0, 64)).toString("utf8").trimStart()[0];
  return first === "{" || first === "[" ? "application/json" : "text/csv";
}

async function invokeUrl(context: CommandContext, client: ApiClient): Promise<URL> {
  const named = context.text("invokeUrl");
  const text = named ?? (await client.call("endpoints.address", { params: endpointParams(context) })).invokeUrl;
  if (text === null)
    throw failed(`${context.text("environment")}-${context.argument(0)} cannot be invoked: nothing serves it here`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol))
    throw malformed("bad address", "--invoke-url", "must be http:// or https://");
  const { api } = await context.config();
  // The token that may invoke goes with the request: never in the clear to another machine.
  if (url.protocol === "http:" && !isLoopback(url.hostname) && !api.allowInsecureHttp)
    throw malformed(
      `plain HTTP to ${url.host}`,
      "the endpoint's address",
      "must be https:// (or say --allow-insecure-http on a network you trust)",
    );
  return url;
}

async function post(
  context: CommandContext,
  request: { url: URL; body: Uint8Array; contentType: string; token: string | undefined },
): Promise<Response> {
  const seconds = context.timeoutSeconds ?? TIMEOUT_SECONDS;
  try {
    return await fetch(request.url, {
      method: "POST",
      redirect: "error",
      headers: {
        "content-type": request.contentType,
        accept: request.contentType,
        ...(request.token === undefined ? {} : { authorization: `Bearer ${request.token}` }),
      },
      body: new Uint8Array(request.body),
      signal: AbortSignal.timeout(seconds * 1000),
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "TimeoutError")
      throw timedOut(`no answer from ${request.url.host} within ${seconds} s`);
    throw unreachable(`cannot reach ${request.url.host}, is the serving process running?`, error);
  }
}

/** The serving process has problem codes of its own; those of the API keep their exit codes, others follow the status. */
function refusal(response: Response, answer: string): CliError {
  const problem = jsonOrText(answer) as { code?: unknown; detail?: unknown; title?: unknown } | string | null;
  const { code, detail, title } = typeof problem === "object" && problem !== null ? problem : {};
  const words = String(detail ?? title ?? `the endpoint answered ${response.status}`);
  const known =
    typeof code === "string" && Object.hasOwn(PROBLEMS, code)
      ? PROBLEMS[code as ProblemCode].exit
      : exitOfStatus(response.status);
  return new CliError("refused", typeof code === "string" ? `${words} (${code})` : words, {
    exitCode: known as ExitCode,
  });
}

function exitOfStatus(status: number): ExitCode {
  if (status === 401 || status === 403) return EXIT.forbidden;
  if (status === 400 || status === 413 || status === 415) return EXIT.malformed;
  return status === 504 ? EXIT.timedOut : EXIT.failed;
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
