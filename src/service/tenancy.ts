/** How much of the installation one tenant and one principal may use. */
export interface Tenancy {
  /** How long a token of an agent or a service lasts at most that may propose or operate. */
  programTokenSecondsMax: number;
  /** 0 of any of these means that there is no limit. */
  quotas: Quotas;
  rate: RateLimit;
}

export interface Quotas {
  openRolloutsMax: number;
  tokensMax: number;
  artifactBytesMax: number;
  webhooksMax: number;
}

/** Of each principal, in each API process. */
export interface RateLimit {
  /** How many requests a second are answered for long; 0 means any number. */
  requestsPerSecond: number;
  /** How many may come at once after a pause. */
  burstMax: number;
}

/** What holds where nothing is set. */
export const TENANCY: Tenancy = {
  programTokenSecondsMax: 30 * 24 * 3600,
  quotas: { openRolloutsMax: 5000, tokensMax: 1000, artifactBytesMax: 0, webhooksMax: 100 },
  rate: { requestsPerSecond: 1000, burstMax: 4000 },
};
