import { createHash } from "node:crypto";
import { ContinuumError } from "../../../core/error.ts";
import type { ImageReference } from "../image-reference.ts";
import type { ImageErrorCode } from "../images.ts";
import type { RegistryCredentials } from "./registry-credentials.ts";
import { type Answer, registryGet } from "./registry-get.ts";
import {
  admit,
  malformedAnswer,
  type RegistryRules,
  type Resolve,
  registryRoot,
  unreachable,
} from "./registry-rules.ts";

export interface RegistryOptions {
  rules: RegistryRules;
  resolve: Resolve;
  /** Of everything that one client does. */
  signal: AbortSignal;
  /** Asked for once, and only where the registry wants to know who asks. */
  credentials: () => Promise<RegistryCredentials | undefined>;
  authorities?: readonly string[];
}

interface Wanted {
  /** Under `/v2/<repository>/`. */
  path: string;
  accept: string;
  bytesMax: number;
}

const REDIRECTS_MAX = 3;
const TOKEN_BYTES_MAX = 64 * 1024;
const CHALLENGE_CHARACTERS_MAX = 4096;

/**
 * Speaks to one repository of one registry (OCI distribution 1.1), reading only. Who is asked for credentials is the
 * registry itself, never a place that it redirects to, and what it gives is taken to that place without them.
 */
export class RegistryClient {
  readonly #root: URL;
  readonly #repository: string;
  readonly #options: RegistryOptions;
  #authorization: string | undefined;

  /** Error: `registry-not-allowed`. */
  constructor({ registry, repository }: Pick<ImageReference, "registry" | "repository">, options: RegistryOptions) {
    this.#root = registryRoot(registry, options.rules);
    this.#repository = repository;
    this.#options = options;
  }

  /** The answer if it is a good one, undefined where there is no such thing (404). Every other answer is an error. */
  async get(wanted: Wanted): Promise<Answer | undefined> {
    const answer = await this.#ask(wanted);
    if (answer.status === 200) return answer;
    if (answer.status === 404) return undefined;
    if (answer.status === 401 || answer.status === 403) throw this.#refused();
    throw unreachable(`${this.#root.host} answers ${answer.status} for ${this.#repository}`);
  }

  /** As `get`, with the bytes compared with the digest that names them. */
  async getByDigest(wanted: Wanted, digest: string): Promise<Answer | undefined> {
    const answer = await this.get(wanted);
    if (answer === undefined) return undefined;
    const is = `sha256:${createHash("sha256").update(answer.body).digest("hex")}`;
    if (is !== digest) throw malformedAnswer(`${this.#root.host} answers other bytes than those of ${digest}`);
    return answer;
  }

  /** Whether the answer means that the registry has no list of referrers at all; it answers the list where it has one. */
  async referrers(wanted: Wanted): Promise<Answer | "no-such-list"> {
    const answer = await this.#ask(wanted);
    if (answer.status === 200) return answer;
    // What the specification (404) and the registries before it say.
    if ([400, 404, 405, 406].includes(answer.status)) return "no-such-list";
    if (answer.status === 401 || answer.status === 403) throw this.#refused();
    throw unreachable(`${this.#root.host} answers ${answer.status} for ${this.#repository}`);
  }

  async #ask(wanted: Wanted): Promise<Answer> {
    const answer = await this.#follow(wanted);
    const challenge = answer.headers["www-authenticate"];
    if (answer.status !== 401 || challenge === undefined || this.#authorization !== undefined) return answer;
    this.#authorization = await this.#authorize(challenge);
    return this.#authorization === undefined ? answer : this.#follow(wanted);
  }

  async #follow({ path, accept, bytesMax }: Wanted): Promise<Answer> {
    let url = new URL(`${this.#repository}/${path}`, this.#root);
    for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
      const isHome = url.origin === this.#root.origin;
      const answer = await this.#send(url, {
        headers: {
          accept,
          ...(isHome && this.#authorization !== undefined ? { authorization: this.#authorization } : {}),
        },
        bytesMax,
      });
      const { location } = answer.headers;
      if (![301, 302, 303, 307, 308].includes(answer.status)) {
        // A challenge of another place would ask for credentials that are not its own.
        return isHome ? answer : { ...answer, headers: {} };
      }
      if (location === undefined || !URL.canParse(location, url)) break;
      url = new URL(location, url);
    }
    throw malformedAnswer(`${this.#root.host} redirects to nowhere for ${this.#repository}`);
  }

  async #send(url: URL, what: { headers: Record<string, string>; bytesMax: number }): Promise<Answer> {
    const { rules, resolve, signal, authorities } = this.#options;
    const destination = await beforeEnd(signal, admit(url, rules, resolve));
    return registryGet(destination, {
      ...what,
      headers: { ...what.headers, "accept-encoding": "identity" },
      signal,
      ...(authorities === undefined ? {} : { authorities }),
    });
  }

  /** The value of the header that answers the challenge; undefined when there is nothing to answer with. */
  async #authorize(challenge: string): Promise<string | undefined> {
    const credentials = await this.#options.credentials();
    const bearer = bearerChallenge(challenge);
    if (bearer === undefined) return /^Basic\b/i.test(challenge) ? credentials?.authorization : undefined;
    const url = new URL(bearer.realm);
    if (bearer.service !== undefined) url.searchParams.set("service", bearer.service);
    // What we need, whatever the registry would like us to ask for.
    url.searchParams.set("scope", `repository:${this.#repository}:pull`);
    const answer = await this.#send(url, {
      headers: { accept: "application/json", ...credentials },
      bytesMax: TOKEN_BYTES_MAX,
    });
    if (answer.status === 401 || answer.status === 403) throw this.#refused();
    if (answer.status !== 200) throw unreachable(`${url.host}, which gives tokens for it, answers ${answer.status}`);
    const token = tokenOf(answer.body);
    if (token === undefined) throw malformedAnswer(`${url.host} answers no token for ${this.#root.host}`);
    return `Bearer ${token}`;
  }

  #refused(): ContinuumError<ImageErrorCode> {
    return new ContinuumError<ImageErrorCode>(
      "registry-refused",
      `${this.#root.host} does not let us read ${this.#repository}`,
    );
  }
}

/** Name servers answer when they like, and nothing can call a question back. */
function beforeEnd<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => reject(unreachable("the registry did not answer in time"));
    if (signal.aborted) end();
    signal.addEventListener("abort", end, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", end));
  });
}

interface BearerChallenge {
  realm: string;
  service?: string;
}

/** RFC 6750 as registries use it: `Bearer realm="https://...",service="..."`. */
function bearerChallenge(challenge: string): BearerChallenge | undefined {
  if (challenge.length > CHALLENGE_CHARACTERS_MAX || !/^Bearer\s/i.test(challenge)) return undefined;
  const parameters = new Map<string, string>();
  for (const [, name = "", value = ""] of challenge.matchAll(/([a-z]+)="([^"]*)"/gi)) {
    if (!parameters.has(name.toLowerCase())) parameters.set(name.toLowerCase(), value);
  }
  const [realm, service] = [parameters.get("realm"), parameters.get("service")];
  if (realm === undefined || !URL.canParse(realm)) return undefined;
  return { realm, ...(service === undefined ? {} : { service }) };
}

/** `token`, or `access_token` as OAuth calls it; never with anything in it that would end the header. */
function tokenOf(body: Buffer): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
  const { token, access_token: access } = (value ?? {}) as { token?: unknown; access_token?: unknown };
  const given = typeof token === "string" ? token : access;
  return typeof given === "string" && /^[\x21-\x7e]+$/.test(given) ? given : undefined;
}
