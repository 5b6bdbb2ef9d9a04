import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { Configuration, Provider } from "oidc-provider";

export const CLIENT_ID = "continuum";
export const CLIENT_SECRET = "a secret of the tests that is long enough";

export interface Account {
  sub: string;
  preferred_username?: string;
  groups?: string[];
}

/** A real provider on a port of its own. Whoever is `signedIn` when a browser comes says who it is. */
export interface RealProvider {
  issuer: string;
  signedIn: { account: Account };
  /** Follows the browser's way from the start to where the provider sends it back. */
  walk(url: string): Promise<URL>;
  close(): Promise<void>;
}

export async function realProvider(redirectUri: string): Promise<RealProvider> {
  const { default: ProviderClass } = await import("oidc-provider");
  const signedIn: RealProvider["signedIn"] = { account: { sub: "nobody" } };
  const accounts = new Map<string, Account>();
  const holder: { provider?: Provider } = {};
  const server = createServer((request, response) => {
    void answer(holder.provider, signedIn, accounts, request, response);
  });
  const issuer = await listen(server);
  const configuration: Configuration = {
    clients: [
      {
        ...{ client_id: CLIENT_ID, client_secret: CLIENT_SECRET, redirect_uris: [redirectUri] },
        ...{ grant_types: ["authorization_code"], response_types: ["code"] },
      },
    ],
    claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ ...accounts.get(id), sub: id }) }),
    cookies: { keys: ["one", "two"] },
  };
  holder.provider = new ProviderClass(issuer, configuration);
  return { issuer, signedIn, walk: (url) => walk(url, redirectUri), close: () => close(server) };
}

async function answer(
  provider: Provider | undefined,
  { account }: RealProvider["signedIn"],
  accounts: Map<string, Account>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (provider === undefined) throw new Error("the provider is there before anybody asks");
  if (request.url?.startsWith("/interaction/") !== true) return provider.callback()(request, response);
  accounts.set(account.sub, account);
  const { params, prompt } = await provider.interactionDetails(request, response);
  if (prompt.name === "login") {
    return provider.interactionFinished(request, response, { login: { accountId: account.sub } });
  }
  const grant = new provider.Grant({ accountId: account.sub, clientId: String(params["client_id"]) });
  grant.addOIDCScope(String(params["scope"]));
  return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
}

/** A browser that knows cookies and redirects and nothing else. */
async function walk(start: string, redirectUri: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = new URL(start);
  for (let steps = 0; steps < 12; steps += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(url, { redirect: "manual", headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ""] = line.split(";");
      cookies.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
    }
    const location = response.headers.get("location");
    if (location === null) throw new Error(`the provider answered ${response.status}: ${await response.text()}`);
    url = new URL(location, url);
    if (url.href.startsWith(redirectUri)) return url;
  }
  throw new Error("the provider leads in a circle");
}

/** A provider that says whatever a test lets it say. */
export interface LyingProvider {
  issuer: string;
  /** What the next ID token says, and how it is signed. */
  says: { claims: Record<string, unknown>; how: "signed" | "other-key" | "none" | "client-secret"; issuer?: string };
  close(): Promise<void>;
}

export async function lyingProvider(): Promise<LyingProvider> {
  const { publicKey, privateKey } = await generateKeyPair("RS256");
  const other = await generateKeyPair("RS256");
  const jwk = { ...(await exportJWK(publicKey)), kid: "one", alg: "RS256", use: "sig" };
  const says: LyingProvider["says"] = { claims: {}, how: "signed" };
  const token = async (): Promise<string> => {
    const { claims, how } = says;
    if (how === "none") {
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
      return `${part({ alg: "none" })}.${part(claims)}.`;
    }
    const jwt = new SignJWT(claims as never);
    if (how === "client-secret") {
      return jwt.setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(CLIENT_SECRET));
    }
    const signing = how === "other-key" ? other.privateKey : privateKey;
    return jwt.setProtectedHeader({ alg: "RS256", kid: "one" }).sign(signing);
  };
  const server = createServer((request, response) => {
    const json = (value: object) => {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
    };
    const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    if (request.url === "/jwks") return json({ keys: [jwk] });
    if (request.url === "/token") {
      void token().then((id_token) => json({ access_token: "x", token_type: "bearer", id_token }));
      return;
    }
    json({
      ...{ issuer: at, jwks_uri: `${at}/jwks`, token_endpoint: `${at}/token`, authorization_endpoint: `${at}/auth` },
      ...{ response_types_supported: ["code"], subject_types_supported: ["public"] },
      id_token_signing_alg_values_supported: ["RS256", "HS256", "none"],
    });
  });
  return { issuer: await listen(server), says, close: () => close(server) };
}

function listen(server: Server): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  return promise;
}

function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  return promise;
}
