/** Where people's browsers find this installation, as WebAuthn knows it. */
export interface RelyingParty {
  /** Scheme, host and port, exactly as a browser says them: `https://continuum.example`. */
  origin: string;
  /** The host of the origin or a domain above it; passkeys are bound to it for good. */
  id: string;
}

/** An organisation's identity provider. Nothing of it is ever taken from a request. */
export interface OidcParts {
  issuer: string;
  clientId: string;
  /** Undefined for a public client; PKCE is used either way. */
  clientSecret(): Promise<string | undefined>;
  /** The one algorithm that ID tokens may be signed with. */
  algorithm: string;
  scope: string;
  /** Everybody who comes in this way belongs to this tenant, whatever a token says. */
  tenant: string;
  /** The claim that a person's name is made of. */
  nameClaim: string;
  /** The claim whose values give roles. */
  rolesClaim: string;
  /** Roles by value of that claim; no value that is not here gives any. */
  roles: ReadonlyMap<string, readonly string[]>;
}

/** What signing in needs. */
export interface PeopleParts {
  /** Undefined where no address for browsers is set: people then use tokens alone. */
  relyingParty(): RelyingParty | undefined;
  session: { idleSeconds: number; absoluteSeconds: number };
  oidc?: OidcParts;
}
