import { hash } from "node:crypto";
import type { Endpoint } from "../endpoint.ts";
import type { InvokeCredential } from "../protocol.ts";

/** Whether the endpoint is within the credential's reach; what is not is to its holder as if it did not exist. */
export function mayInvoke(credential: InvokeCredential, { at }: Endpoint): boolean {
  return (
    credential.tenant === at.tenant &&
    (credential.environment === null || credential.environment === at.environment) &&
    (credential.endpoint === null || credential.endpoint === at.name)
  );
}

/** Who may invoke what, by the hash of the token: pushed by the control plane and kept, so that serving needs no one. */
export class CredentialTable {
  #byHash = new Map<string, InvokeCredential>();
  #revision = -1;

  get revision(): number {
    return this.#revision;
  }

  get all(): InvokeCredential[] {
    return [...this.#byHash.values()];
  }

  /** Replaces the whole table at once; an older revision than the newest seen changes nothing. */
  replace(revision: number, credentials: readonly InvokeCredential[]): boolean {
    if (revision < this.#revision) return false;
    this.#revision = revision;
    this.#byHash = new Map(credentials.map((credential) => [credential.hash, credential]));
    return true;
  }

  /**
   * The credential behind an `Authorization` header; undefined when there is none that is valid now. The look-up is by
   * hash, so its timing tells nothing about the tokens that exist.
   */
  find(authorization: string | undefined, nowMs: number): InvokeCredential | undefined {
    if (authorization === undefined || authorization.length > 1024) return undefined;
    if (authorization.slice(0, 7).toLowerCase() !== "bearer ") return undefined;
    const credential = this.#byHash.get(hash("sha256", authorization.slice(7).trim(), "hex"));
    if (credential === undefined) return undefined;
    if (credential.expiresAtMs !== null && credential.expiresAtMs <= nowMs) return undefined;
    return credential;
  }
}
