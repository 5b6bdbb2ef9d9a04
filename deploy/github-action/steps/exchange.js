// Exchanges the job's OIDC identity token for a short token of the Continuum server, and writes it to the file named.
import { writeFileSync } from "node:fs";

const TIMEOUT_MS = 30_000;

async function main(file) {
  const server = secureUrl(process.env["ACTION_SERVER_URL"] ?? "", "server-url");
  const secret = await exchanged(server, await identityToken());
  // Said before it is kept, so that GitHub hides it from then on.
  console.log(`::add-mask::${secret}`);
  writeFileSync(file, secret, { mode: 0o600 });
}

/** GitHub's own answer for this job, made out to the server and nobody else. */
async function identityToken() {
  const audience = process.env["ACTION_AUDIENCE"] ?? "";
  if (audience === "") fail("audience is missing: it is the name by which the server knows itself (or give a token)");
  const [url, token] = [
    process.env["ACTIONS_ID_TOKEN_REQUEST_URL"] ?? "",
    process.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] ?? "",
  ];
  if (url === "" || token === "")
    fail("the job has no identity: give it the permission `id-token: write`, or give a token");
  const asked = secureUrl(url, "ACTIONS_ID_TOKEN_REQUEST_URL");
  asked.searchParams.set("audience", audience);
  const { value } = await ask(asked, { headers: { authorization: `bearer ${token}` } });
  if (typeof value !== "string") fail("GitHub gave no identity token");
  console.log(`::add-mask::${value}`);
  return value;
}

async function exchanged(server, token) {
  const tenant = process.env["ACTION_TENANT"] ?? "";
  const url = new URL(`${server.pathname.replace(/\/+$/, "")}/v1/tokens:exchange`, server);
  const answer = await ask(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token, ...(tenant === "" ? {} : { tenant }) }),
  });
  if (typeof answer.secret !== "string" || !/^[\x21-\x7e]+$/.test(answer.secret)) fail("the server gave no token");
  return answer.secret;
}

async function ask(url, init) {
  const options = { ...init, redirect: "error", signal: AbortSignal.timeout(TIMEOUT_MS) };
  const response = await fetch(url, options).catch(() => fail(`${url.host} cannot be reached`));
  const body = await response.json().catch(() => ({}));
  // The code of a problem is a word from a list; its text could hold anything.
  const code = /^[a-z-]{1,64}$/.test(body?.code ?? "") ? ` (${body.code})` : "";
  if (!response.ok) fail(`${url.host} answers ${response.status}${code}`);
  return body ?? {};
}

/** Both tokens are secrets: they cross no network in clear. */
function secureUrl(text, what) {
  const url = URL.canParse(text) ? new URL(text) : fail(`${what} is no URL`);
  const isLocal = ["127.0.0.1", "[::1]", "localhost"].includes(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLocal)) fail(`${what} must begin with https://`);
  return url;
}

function fail(message) {
  console.log(`::error title=Continuum::${message}`);
  process.exit(1);
}

await main(process.argv[2] ?? fail("the file for the token is not named"));
