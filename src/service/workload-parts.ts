/** The one issuer whose identity tokens are exchanged, as the installation's settings pin it. */
export interface WorkloadIssuer {
  /** Compared with `iss`, character by character. */
  issuer: string;
  /** Where its keys are, https:// unless a test says otherwise. */
  jwksUrl: string;
  /** What `aud` must be: this installation, so that a token for another service opens nothing here. */
  audience: string;
  /** The tenant of a request that names none. */
  tenant: string;
}
