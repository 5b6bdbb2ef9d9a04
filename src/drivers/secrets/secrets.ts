/** Secrets by reference: `file:PATH` or `env:NAME`. A secret's value never appears in an error or a log. */
export interface Secrets {
  /** Errors: `secret-not-found`, `secret-malformed` (a scheme that is not known). */
  read(reference: string): Promise<Uint8Array>;
}

export type SecretErrorCode = "secret-not-found" | "secret-malformed";
